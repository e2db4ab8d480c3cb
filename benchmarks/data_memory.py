"""Run by `benchmarks.data`: open and read caches as a trial does, print what memory that took.

python -m benchmarks.data_memory SMALL_CACHE LARGE_CACHE BATCH_SIZE
"""

from __future__ import annotations

import gc
import json
import sys
from itertools import chain, count, islice
from pathlib import Path

import torch

from data_pipeline.batches import TrainingBatches
from data_pipeline.cache.build import open_cache
from data_pipeline.split import split_by_content

STEPS = 400


def main() -> None:
    small, large, batch_size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(1)
    reading = read(small, batch_size)
    before = private_mb()
    del reading
    reading = read(large, batch_size)
    after = private_mb()
    pixels = reading[0].cache.pixels
    result = {
        "private_mb_of_a_large_cache": after - before,
        "large_cache_gb": pixels.nbytes / 1e9,
        "large_cache_mb_read": STEPS * batch_size * pixels[0].nbytes / 1e6,
    }
    print(json.dumps(result))


def read(path: Path, batch_size: int) -> tuple[TrainingBatches, object]:
    """Read batches; what comes back keeps alive what a trial in the middle of an epoch holds."""
    cache = open_cache(path)
    split = split_by_content(cache.hashes)
    batches = TrainingBatches(cache, split.train, batch_size=batch_size, seed=0)
    epochs = chain.from_iterable(batches.epoch(epoch) for epoch in count())
    batch = None
    for batch in islice(epochs, STEPS):  # noqa: B007
        pass
    return batches, (epochs, batch)


def private_mb() -> float:
    """Memory of this process alone that is no copy of a file's pages."""
    gc.collect()
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no Private_Dirty in smaps_rollup")


if __name__ == "__main__":
    main()
