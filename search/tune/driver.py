"""Runs a search: photos, study and ledger on one side, Ray Tune on the other."""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
import time
from contextlib import ExitStack, redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from data_pipeline.cache.build import default_cache_dir
from models.accelerator.packing import remembered_packing
from models.training.device import gpu_memory
from search.cli import interrupts
from search.cli.progress import Progress
from search.config import SearchConfig
from search.run.directory import RunFolder
from search.run.ledger import Ledger
from search.run.photos import SearchPhotos
from search.run.storage_errors import SearchHaltedError, describe
from search.tune import cluster
from search.tune.file_server import start_file_server
from search.tune.head_watch import watch_head
from search.tune.resources import Slots, plan_slots

OBJECT_STORE_BYTES = 256 * 1024**2


class AllTrialsFailedError(RuntimeError):
    """No trial of the search came to a result."""


def run_search(
    run: RunFolder,
    config: SearchConfig,
    ledger: Ledger,
    photos: SearchPhotos,
    *,
    address: str | None,
    progress: Progress,
    trainable: type | None = None,
) -> None:
    """Run trials until the asked number has ended; the run's folder holds what they learnt.

    Raises KeyboardInterrupt when interrupted and SearchHaltedError when the run's folder or its
    study cannot be written, both with the run left resumable, and AllTrialsFailedError when no
    trial came to a result. `trainable` stands in for the training, to measure or test the rest.
    """
    if ledger.remaining:
        # Ray prints what happens to machines of a cluster, until it is shut down; that is not for
        # standard output.
        with redirect_stdout(sys.stderr):
            _run_on_ray(run, config, ledger, photos, address, progress, trainable)
    if ledger.ended and all(ended.state == "failed" for ended in ledger.ended.values()):
        reason = next(iter(ledger.ended.values())).reason
        raise AllTrialsFailedError(f"all {len(ledger.ended)} trials failed; the first: {reason}")


def _run_on_ray(
    run: RunFolder,
    config: SearchConfig,
    ledger: Ledger,
    photos: SearchPhotos,
    address: str | None,
    progress: Progress,
    trainable: type | None,
) -> None:
    start_ray(address, config.device)
    import ray

    try:
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        slots = plan_slots(
            config,
            cpus=resources.get("CPU", 1.0),
            gpus=resources.get("GPU", 0.0),
            largest=max(n["Resources"].get("CPU", 0.0) for n in nodes if n["Alive"]),
            trials=ledger.remaining,
            gpu_memory=gpu_memory() if address is None else None,
            n_photos=photos.summary["train"],
            measure=partial(remembered_packing, file=default_cache_dir() / "packing.json"),
        )
        if slots.note:
            progress.say(slots.note)
        job = _job(run, config, photos, slots)
        with ExitStack() as stack:
            if address is not None:
                # It ends with its last handle, which this function therefore holds.
                _keeper, job["keeper"] = start_file_server(run.path / "trials", photos.caches)
                head: str = ray.get_runtime_context().gcs_address
                go_on = resume_command(run.path, address)
                stack.enter_context(watch_head(head, partial(_give_up, run, progress, go_on)))
            stack.enter_context(progress.trials(ledger, slots))
            _tune(run, config, ledger, job, slots, progress, trainable)
    finally:
        ray.shutdown()


def _give_up(run: RunFolder, progress: Progress, go_on: str, reason: str) -> NoReturn:
    """End the process, which waits in vain for the head of its cluster, before Ray does."""
    run.note_status("interrupted")
    progress.say(f"chromatune: the search halted: {reason}, then go on with: {go_on}")
    sys.stderr.flush()
    os._exit(1)


#: settings of Ray and Torch that are read when these are imported, by the driver and by workers
_ENVIRONMENT = {
    # The command line handles signals; Ray's handlers would print stack traces.
    "RAY_DISABLE_FAILURE_SIGNAL_HANDLER": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    # The ledger is what a search resumes from; Tune's own snapshots and logs would only cost time.
    "TUNE_GLOBAL_CHECKPOINT_S": "1000000",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    # Paths of a search stay relative to where it was started.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
    # Operators that an Apple GPU lacks run on the CPU.
    "PYTORCH_ENABLE_MPS_FALLBACK": "1",
}


def start_ray(address: str | None, device: str) -> None:
    """Start Ray on this machine, or join the cluster at `address`, unless that was done.

    Raises InputError when there is no such cluster or it does not fit (see `cluster.join`).
    """
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if address is None:
        # Without clusters, as it is on a Mac, all of Ray listens on the loopback address alone.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray

    if ray.is_initialized():
        return
    on_sigterm = signal.getsignal(signal.SIGTERM)
    try:
        if address is not None:
            cluster.join(address, device=device, environment=_ENVIRONMENT)
            return
        # Workers of a local cluster inherit the environment; a `runtime_env` costs them seconds.
        ray.init(
            # A stray cluster address in the environment must not take a local search elsewhere.
            "local",
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
        )
    finally:
        # Ray puts a handler of its own in the place of the command line's.
        signal.signal(signal.SIGTERM, on_sigterm)


def _job(
    run: RunFolder, config: SearchConfig, photos: SearchPhotos, slots: Slots
) -> dict[str, Any]:
    """What all trials of a search have in common, in plain values."""
    return {
        "trials_folder": str((run.path / "trials").resolve()),
        "caches": {str(size): str(path.resolve()) for size, path in photos.caches.items()},
        "validation_fraction": config.validation_fraction,
        "max_validation_photos": config.max_validation_photos,
        "max_epochs": config.max_epochs,
        "objective": config.objective,
        "guards": list(config.guards),
        "device": config.device,
        "threads": slots.threads,
    }


def _tune(
    run: RunFolder,
    config: SearchConfig,
    ledger: Ledger,
    job: dict[str, Any],
    slots: Slots,
    progress: Progress,
    trainable: type | None,
) -> None:
    from ray import tune
    from ray.tune.logger import TBXLoggerCallback

    from search.tune.searcher import LedgerSearcher, LedgerStopper, TuneBridge
    from search.tune.trainable import ColorizerTrainable
    from search.tune.upkeep import ForgetNumbers, InOrder

    # What goes wrong is told in our words; Tune would add stack traces.
    level = logging.ERROR if os.environ.get("CHROMATUNE_TRACEBACK") else logging.CRITICAL
    for name in ("ray.tune", "ray.train"):
        logging.getLogger(name).setLevel(level)
    desk = TuneBridge(
        ledger,
        on_start=progress.on_start,
        on_report=progress.on_report,
        on_end=progress.on_end,
    )
    started, budget = time.monotonic(), config.time_budget_sec

    # Tune pickles this into the run's folder: it must not hold `config`, which may hold a password.
    def should_end() -> str | None:
        if budget is not None and time.monotonic() - started > budget:
            return f"the time budget of {budget:g} s is spent"
        return None

    bundle = {"CPU": slots.cpus_per_trial}
    if slots.gpus_per_trial:
        bundle["GPU"] = slots.gpus_per_trial
    tuner = tune.Tuner(
        tune.with_resources(trainable or ColorizerTrainable, tune.PlacementGroupFactory([bundle])),
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(desk, job),
            scheduler=InOrder(),
            # Until the searcher has finished: a trial whose process died is asked again.
            num_samples=-1,
            max_concurrent_trials=slots.concurrency,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: desk.trial_ids.get(trial.trial_id, "unknown"),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str((run.path / "ray").resolve()),
            stop=LedgerStopper(desk, should_end),
            callbacks=[TBXLoggerCallback(), ForgetNumbers()],  # type: ignore[no-untyped-call]
            failure_config=tune.FailureConfig(max_failures=0),
            # Trials write their own checkpoints, from which the ledger takes them up.
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
            verbose=0,
        ),
    )
    try:
        # An interrupt in the midst of a logger's work would leave a lock that its end needs.
        with interrupts.deferred():
            tuner.fit()
    except OSError as error:
        # Tune's own files lie in the run's folder too.
        raise SearchHaltedError(describe(error)) from error
    if desk.halted:
        raise SearchHaltedError(desk.halted)


def resume_command(run_path: Path, address: str | None = None) -> str:
    """The command line that goes on with an interrupted run, on the cluster at `address`."""
    words = ["chromatune", "search", "--resume", "--name", run_path.name]
    words += ["--runs-dir", str(run_path.parent)]
    return shlex.join([*words, "--address", address] if address else words)
