"""How a machine or a cluster is shared out among trials."""

from __future__ import annotations

from dataclasses import dataclass

from data_pipeline.errors import InputError
from search.config import SearchConfig

#: more trials at once would leave the sampler too little to learn from
MAX_CPU_CONCURRENCY = 8
MAX_CPUS_BESIDE_GPU = 2.0


@dataclass(frozen=True, kw_only=True)
class Slots:
    """What each trial gets and how many run at once."""

    concurrency: int
    cpus_per_trial: float
    gpus_per_trial: float
    #: threads of the arithmetic in a trial
    threads: int


def plan_slots(
    config: SearchConfig, *, cpus: float, gpus: float, largest: float, trials: int
) -> Slots:
    """Share `cpus` and `gpus` (Ray's counts, whole cluster) among trials.

    `largest` is the number of CPUs of the largest machine; a trial runs on one machine.
    On the CPU one thread a trial is the most efficient, so as many trials run at once as there
    are cores, up to a limit. Raises InputError when the asked device is not there at all.
    """
    if config.device in ("cuda", "mps") and gpus < 1:
        raise InputError(
            f"device must be present, but got {config.device!r} where Ray finds no GPU; "
            "use --device auto"
        )
    cpus, largest = max(cpus, 1.0), max(largest, 1.0)
    wanted = min(config.concurrency or trials, trials)
    if config.device != "cpu" and gpus >= 1:
        concurrency = max(1, min(wanted, int(gpus) * config.trials_per_gpu))
        share = min(MAX_CPUS_BESIDE_GPU, largest, cpus / concurrency)
        return Slots(
            concurrency=concurrency,
            cpus_per_trial=share,
            gpus_per_trial=1.0 / config.trials_per_gpu,
            threads=max(1, int(share)),
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
