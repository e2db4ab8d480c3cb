"""How many trainings share a GPU best: measured, since it depends on GPU, widths and photo size.

The kernels of small networks leave most of a large GPU idle. Processes that take turns on it fill
the gaps; with the daemon of CUDA MPS their kernels run at the same time.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from threading import BrokenBarrierError
from typing import Any

import torch

from data_pipeline.durable import replace_file
from models.accelerator.captured_steps import TIMED_STEPS, WARM_UP_STEPS
from models.accelerator.noise_training import training_on_noise
from models.training.device import is_out_of_memory, resolve_compute
from models.training.settings import TrainingSettings

#: numbers of trainings at once that are tried
COUNTS = (1, 2, 4, 8)
#: more trainings must give so many times the images a second of fewer
WORTHWHILE = 1.05
#: steps of an epoch of the measurement, and after how many of its epochs steps are replayed
_STEPS = 10
_WARM_UP_EPOCHS = 1 + (WARM_UP_STEPS + 2 * TIMED_STEPS) // _STEPS
#: how long a process may take to start, import PyTorch and record its steps
_START_SEC = 120.0


@dataclass(frozen=True, kw_only=True)
class PackingRate:
    """What `trainings` trainings at once achieve together on one GPU."""

    trainings: int
    images_per_sec: float


#: images a second of so many trainings at once, None where they do not run beside each other
Probe = Callable[[TrainingSettings, int], float | None]


def measure_packing(
    settings: TrainingSettings, *, most: int, probe: Probe | None = None
) -> list[PackingRate]:
    """Measure 1, 2, 4 and 8 trainings at once, up to `most`, as long as more of them gain.

    The last of the list is the best; it is empty if not even one training runs.
    """
    probe = probe or train_together
    rates: list[PackingRate] = []
    for count in COUNTS:
        if count > most:
            break
        rate = probe(settings, count)
        if rate is None or (rates and rate < WORTHWHILE * rates[-1].images_per_sec):
            break
        rates.append(PackingRate(trainings=count, images_per_sec=round(rate, 1)))
    return rates


def remembered_packing(
    settings: TrainingSettings, *, most: int, file: Path, probe: Probe | None = None
) -> list[PackingRate]:
    """As `measure_packing`, measured once for each GPU model, PyTorch and settings.

    `file` keeps what was measured; one that cannot be read or written only costs another measuring.
    """
    network = {
        name: value
        for name, value in settings.to_dict().items()
        if name.endswith("complexity") or name in ("batch_size", "image_size", "precision")
    }
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    key = json.dumps([gpu, torch.__version__, most, network])
    try:
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return [PackingRate(**rate) for rate in known[key]]
    except (OSError, ValueError, KeyError, TypeError):
        known = {}
    rates = measure_packing(settings, most=most, probe=probe)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        known[key] = [vars(rate) for rate in rates]
        replace_file(file, json.dumps(known).encode(), durable=False)
    except OSError:
        pass
    return rates


def train_together(
    settings: TrainingSettings, count: int, *, device: str = "cuda", seconds: float = 4.0
) -> float | None:
    """Train in `count` processes at once; their images a second, None if one ran out of memory."""
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(count)
    results = context.SimpleQueue()
    processes = [
        context.Process(target=_train, args=(settings, device, seconds, barrier, results))
        for _ in range(count)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    rates = [results.get() for _ in processes if not results.empty()]
    if len(rates) < count or None in rates:
        return None
    return float(sum(rates))


def _train(
    settings: TrainingSettings, device: str, seconds: float, barrier: Barrier, results: Any
) -> None:
    torch.set_num_threads(1)
    try:
        results.put(_images_per_second(settings, device, seconds, barrier))
    except BrokenBarrierError:
        results.put(None)
    except BaseException as error:
        barrier.abort()  # the others need not wait
        results.put(None)
        if not is_out_of_memory(error):
            raise


def _images_per_second(
    settings: TrainingSettings, device: str, seconds: float, barrier: Barrier
) -> float:
    compute = resolve_compute(device, settings.precision)
    training = training_on_noise(settings, compute, steps=_STEPS)
    for _ in range(_WARM_UP_EPOCHS if compute.captures else 1):
        list(training.run_epoch())
    barrier.wait(_START_SEC)
    before, started = training.images, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        list(training.run_epoch())
    # An epoch ends with its losses read, so nothing is under way any more.
    return (training.images - before) / elapsed
