"""What the cache saves: batches a second, building it, and the memory that reading it takes.

    python -m benchmarks.data [--image-size 128] [--batch-size 16] [--cores 2] [--repeats 9]

The plain reference re-reads each photo of each batch with Pillow and converts it with scikit-image.
Photos are made up: landscapes of 256 x 256 pixels for the batches, and of 4000 x 3000 with sensor
noise (about 3 MB as JPEG) for the building. Everything is interleaved in one process, and medians
are reported. Prints a table and, as the last line, the same numbers as JSON.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from itertools import chain, count, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage.color import rgb2lab
from torch import Tensor

from data_pipeline.batches import TrainingBatches
from data_pipeline.cache.build import build_cache
from data_pipeline.cache.prepare import PhotoSettings, prepare
from data_pipeline.cache.reader import HEADER, PHOTOS, PIXELS, SKIPPED
from data_pipeline.decode.grey import MINIMUM_CHROMA
from data_pipeline.decode.photo import decode_photo, fit_photo
from data_pipeline.parallel import map_in_order, usable_cores
from data_pipeline.sources.folder import FolderSource
from data_pipeline.sources.listing import PhotoEntry
from data_pipeline.synthetic.landscape import make_landscape

LARGE_CACHE_PHOTOS = 100_000


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small = save_landscapes(folder / "small", options.small_photos)
        large = save_12_megapixels(folder / "large", options.large_photos)
        result = {
            "cores": options.cores,
            "torch_threads": options.threads,
            "image_size": options.image_size,
            "batch_size": options.batch_size,
            "repeats": options.repeats,
            **measure_batches(small, folder / "cache", options),
            **measure_building(large, folder / "build", options),
            **measure_workers(small, large, options),
            **measure_memory(folder / "100k", options),
            **measure_reduced_decoding(large, options.image_size),
        }
    for key, value in result.items():
        print(f"{key:45} {value:.4g}" if isinstance(value, float) else f"{key:45} {value}")
    print(json.dumps(result))


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0] if __doc__ else None)
    parser.add_argument("--image-size", type=int, default=128)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--small-photos", type=int, default=128)
    parser.add_argument("--large-photos", type=int, default=12)
    parser.add_argument("--cores", type=int, default=usable_cores(), help="for both sides")
    parser.add_argument("--threads", type=int, default=1, help="torch threads, for both sides")
    parser.add_argument("--repeats", type=int, default=9)
    return parser.parse_args()


def save_landscapes(folder: Path, n: int) -> Path:
    folder.mkdir()
    for seed in range(n):
        image = Image.fromarray(make_landscape(seed, 256))
        image.save(folder / f"{seed:04d}.jpg", quality=90)
    return folder


def save_12_megapixels(folder: Path, n: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for seed in range(n):
        scene = Image.fromarray(make_landscape(seed, 1000)[:750]).resize((4000, 3000))
        noise = rng.normal(0, 6, (3000, 4000, 1)).astype(np.float32)
        noisy = np.clip(np.asarray(scene) + noise, 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(folder / f"{seed:04d}.jpg", quality=90)
    return folder


# --- the plain reference


def reference_photo(path: Path, image_size: int) -> np.ndarray:
    image = Image.open(path).convert("RGB").resize((image_size, image_size))
    lab: np.ndarray = rgb2lab(np.asarray(image))
    return lab


def reference_batch(
    paths: Sequence[Path], image_size: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    photos = [reference_photo(path, image_size) for path in paths]
    flipped = [photo[:, ::-1] if rng.random() < 0.5 else photo for photo in photos]
    lab = torch.from_numpy(np.stack(flipped)).permute(0, 3, 1, 2).float()
    return (lab[:, :1] / 50 - 1).contiguous(), (lab[:, 1:] / 127).contiguous()


# --- batches a second


def measure_batches(photos: Path, cache_dir: Path, options: argparse.Namespace) -> dict[str, Any]:
    cache = build_cache(photos, image_size=options.image_size, cache_dir=cache_dir)
    rows = np.arange(len(cache))
    training = TrainingBatches(cache, rows, batch_size=options.batch_size, seed=0)
    epochs = chain.from_iterable(training.epoch(epoch) for epoch in count())
    paths = sorted(photos.iterdir())
    rng = np.random.default_rng(0)

    def reference() -> None:
        chosen = rng.choice(len(paths), options.batch_size, replace=False)
        reference_batch([paths[i] for i in chosen], options.image_size, rng)

    ours: list[float] = []
    plain: list[float] = []
    for _ in range(options.repeats + 1):
        plain.append(timed(reference))
        ours += [timed(lambda: next(epochs)) for _ in range(50)]
    del plain[:1], ours[:50]  # to warm up
    batch, batch_reference = statistics.median(ours), statistics.median(plain)
    return {
        "batch_ms": batch * 1e3,
        "batch_ms_reference": batch_reference * 1e3,
        "batches_ratio": batch_reference / batch,
    }


# --- building


def measure_building(photos: Path, cache_dir: Path, options: argparse.Namespace) -> dict[str, Any]:
    paths = sorted(photos.iterdir())
    load = partial(reference_photo, image_size=options.image_size)

    def reference_loop() -> None:
        for path in paths:
            load(path)

    def reference_on_all_cores() -> None:
        with ThreadPoolExecutor(options.cores) as pool:
            list(pool.map(load, paths))

    def ours(workers: int) -> None:
        build_cache(photos, image_size=options.image_size, cache_dir=cache_dir, workers=workers)
        shutil.rmtree(cache_dir)

    seconds = interleaved_medians(
        {
            "loop": reference_loop,
            "all cores": reference_on_all_cores,
            "ours": lambda: ours(options.cores),
            "ours on one core": lambda: ours(1),
        },
        max(3, options.repeats // 3),
    )
    n = len(paths)
    return {
        "build_12mp_ms_a_photo": seconds["ours"] / n * 1e3,
        "build_12mp_ms_a_photo_reference_loop": seconds["loop"] / n * 1e3,
        "build_12mp_ratio_to_reference_loop": seconds["loop"] / seconds["ours"],
        "build_12mp_ratio_to_reference_on_all_cores": seconds["all cores"] / seconds["ours"],
        "build_12mp_ratio_one_core_each": seconds["loop"] / seconds["ours on one core"],
    }


def prepare_entry(entry: PhotoEntry, settings: PhotoSettings) -> object:
    return prepare(entry.read(), settings)


def measure_workers(small: Path, large: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Threads against processes that are already running, and against one thread."""
    settings = PhotoSettings(
        image_size=options.image_size, fit="crop", minimum_chroma=MINIMUM_CHROMA
    )
    work = partial(prepare_entry, settings=settings)
    found: dict[str, Any] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.cores, mp_context=context) as pool:
        for name, folder in (("small", small), ("12mp", large)):
            entries: list[PhotoEntry] = FolderSource(folder).list_photos().entries

            def with_threads(workers: int, entries: list[PhotoEntry] = entries) -> None:
                for _ in map_in_order(work, entries, workers):
                    pass

            def with_processes(entries: list[PhotoEntry] = entries) -> None:
                list(pool.map(work, entries, chunksize=4))

            seconds = interleaved_medians(
                {
                    "threads": partial(with_threads, options.cores),
                    "one": partial(with_threads, 1),
                    "processes": with_processes,
                },
                max(3, options.repeats // 3),
            )
            found[f"prepare_{name}_ms_a_photo"] = seconds["threads"] / len(entries) * 1e3
            found[f"prepare_{name}_threads_over_one"] = seconds["one"] / seconds["threads"]
            found[f"prepare_{name}_processes_over_one"] = seconds["one"] / seconds["processes"]
    return found


# --- memory


def measure_memory(path: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Private memory that reading a large cache adds to a process that has read a small one."""
    if not Path("/proc/self/smaps_rollup").exists():
        return {"private_mb_of_a_large_cache": None}
    for name, photos in (("small", 64), ("large", LARGE_CACHE_PHOTOS)):
        fake_cache(path / name, photos, options.image_size)
    command = [sys.executable, "-m", "benchmarks.data_memory", str(path / "small")]
    command += [str(path / "large"), str(options.batch_size)]
    runs = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
        for _ in range(5)
    ]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def fake_cache(path: Path, photos: int, image_size: int) -> None:
    """A cache whose pixels are a sparse file: as large to read as a real one, empty on disk."""
    path.mkdir(parents=True)
    with (path / PIXELS).open("wb") as file:
        file.truncate(photos * 3 * image_size**2)
    with (path / PHOTOS).open("w") as file:
        for i in range(photos):
            file.write(json.dumps({"name": f"landscape-{i}.jpg", "sha256": f"{i:064x}"}) + "\n")
    (path / SKIPPED).touch()
    header = {
        "format": 1,
        "key": "0" * 32,
        "source": "made up",
        "image_size": image_size,
        "fit": "crop",
        "minimum_chroma": MINIMUM_CHROMA,
        "photos": photos,
        "skipped": 0,
    }
    (path / HEADER).write_text(json.dumps(header))


# --- what reduced decoding changes


def measure_reduced_decoding(photos: Path, image_size: int) -> dict[str, Any]:
    """Difference to a full decode, in Lab units of the small photo."""
    differences = []
    for path in islice(sorted(photos.iterdir()), 4):
        data = path.read_bytes()
        full, reduced = (
            rgb2lab(fit_photo(decode_photo(data, at_least=side), image_size, "crop"))
            for side in (None, image_size)
        )
        differences.append(np.abs(full - reduced))
    return {
        "reduced_decoding_mean_lab_difference": float(np.mean(differences)),
        "reduced_decoding_99th_percentile": float(np.quantile(differences, 0.99)),
    }


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def interleaved_medians(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for repetition in range(repeats + 1):
        for name, action in actions.items():
            taken = timed(action)
            if repetition:  # the first one warms up
                seconds[name].append(taken)
    return {name: statistics.median(values) for name, values in seconds.items()}


if __name__ == "__main__":
    main()
