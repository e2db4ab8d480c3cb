"""How a machine or a cluster is shared out among trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from data_pipeline.errors import InputError
from models.accelerator.packing import PackingRate
from models.training.settings import TrainingSettings
from search.config import SearchConfig

#: more trials at once would leave the sampler too little to learn from
MAX_CPU_CONCURRENCY = 8
MAX_CPUS_BESIDE_GPU = 2.0


#: more small networks than this gain little from one GPU, and each needs a core to feed it
MAX_TRIALS_PER_GPU = 8


class PackingMeasure(Protocol):
    """Measures trainings that share a GPU; the last of its rates is the best."""

    def __call__(self, settings: TrainingSettings, *, most: int) -> list[PackingRate]:
        """Try up to `most` trainings of `settings` at once."""


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What each trial gets and how many run at once."""

    concurrency: int
    cpus_per_trial: float
    gpus_per_trial: float
    #: threads of the arithmetic in a trial
    threads: int
    #: what a person should know of the choice, if anything
    note: str | None = None


def plan_slots(
    config: SearchConfig,
    *,
    cpus: float,
    gpus: float,
    largest: float,
    trials: int,
    gpu_memory: int | None = None,
    n_photos: int = 0,
    measure: PackingMeasure | None = None,
) -> Slots:
    """Share `cpus` and `gpus` (Ray's counts, whole cluster) among trials.

    `largest` is the number of CPUs of the largest machine; a trial runs on one machine.
    `gpu_memory` is the bytes that are free on the fullest GPU, where they are known, and `n_photos`
    the number of training photos, which lie on the GPU of each trial. `measure` finds out how many
    trials share a GPU best. On the CPU one thread a trial is the most efficient, so as many trials
    run at once as there are cores, up to a limit.
    Raises InputError when the asked device is not there at all.
    """
    if config.device in ("cuda", "mps") and gpus < 1:
        raise InputError(
            f"device must be present, but got {config.device!r} where Ray finds no GPU; "
            "use --device auto"
        )
    cpus, largest = max(cpus, 1.0), max(largest, 1.0)
    wanted = min(config.concurrency or trials, trials)
    if config.device != "cpu" and gpus >= 1:
        per_gpu, note = _trials_per_gpu(config, cpus / gpus, gpu_memory, n_photos, measure)
        concurrency = max(1, min(wanted, int(gpus) * per_gpu))
        share = min(MAX_CPUS_BESIDE_GPU, largest, cpus / concurrency)
        return Slots(
            concurrency=concurrency,
            cpus_per_trial=share,
            gpus_per_trial=1.0 / per_gpu,
            threads=max(1, int(share)),
            note=note,
        )
    room = min(int(cpus), MAX_CPU_CONCURRENCY)
    concurrency = wanted if config.concurrency else min(wanted, room)
    share = min(largest, cpus / concurrency)
    # Ray counts whole CPUs above one.
    share = float(int(share)) if share >= 1 else share
    return Slots(
        concurrency=concurrency,
        cpus_per_trial=share,
        gpus_per_trial=0.0,
        threads=max(1, int(share)),
    )


def _trials_per_gpu(
    config: SearchConfig,
    cpus_per_gpu: float,
    gpu_memory: int | None,
    n_photos: int,
    measure: PackingMeasure | None,
) -> tuple[int, str | None]:
    asked = config.trials_per_gpu
    if asked == 1 or (gpu_memory is None and asked != "auto"):
        return int(asked), None
    if gpu_memory is None:
        return 1, "one trial a GPU: the memory of the GPUs is not known here"
    from models.accelerator.memory import estimate_memory

    widest = _widest(config)
    need = estimate_memory(widest, n_photos=n_photos).total
    room = max(1, int(gpu_memory // need))
    size = f"the widest trial takes about {need / 1e9:.1f} GB of {gpu_memory / 1e9:.1f} GB"
    if asked == "auto":
        fitting = max(1, min(room, int(cpus_per_gpu), MAX_TRIALS_PER_GPU))
        if measure and fitting > 1 and (rates := measure(widest, most=fitting)):
            seen = ", ".join(f"{r.trainings}: {r.images_per_sec:.0f}" for r in rates)
            best = rates[-1].trainings
            return best, f"{best} trials a GPU: images a second by trials at once {seen}; {size}"
        return fitting, f"{fitting} trials a GPU: {size}"
    if asked > room:
        return room, f"{room} trials a GPU instead of {asked}: {size}"
    return asked, None


def _widest(config: SearchConfig) -> TrainingSettings:
    space = config.space
    names = ("generator_complexity", "discriminator_complexity", "image_size", "batch_size")
    return space.settings(
        {name: space.values_of(name)[0] for name in space.sampled}
        | {name: max(space.values_of(name)) for name in names},
        seed=0,
    )
