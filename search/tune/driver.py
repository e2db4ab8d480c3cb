"""Runs a search: photos, study and ledger on one side, Ray Tune on the other."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import NoReturn

from data_pipeline.cache.build import default_cache_dir
from data_pipeline.split import HashRange
from models.accelerator.packing import remembered_packing
from models.accelerator.thread_choice import threads_are_fixed
from models.training.device import gpu_memory
from search import interrupts
from search.config import SearchConfig
from search.progress.display import Progress
from search.run.directory import RunFolder, resume_command
from search.run.ledger import Ledger
from search.run.photos import SearchPhotos, tested_of
from search.run.storage_errors import SearchHaltedError, describe
from search.tune.cluster.compatibility import alive_nodes
from search.tune.cluster.head_watch import watch_head
from search.tune.file_server import start_file_server
from search.tune.messages import TrialJob
from search.tune.ray_session import ray_session
from search.tune.resources import Slots, plan_slots
from search.tune.trial_directory import RunFiles


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
    graceful: bool = False,
) -> None:
    """Run trials until the asked number has ended; the run's folder holds what they learnt.

    Raises KeyboardInterrupt when interrupted and SearchHaltedError when the run's folder or its
    study cannot be written, both with the run left resumable, and AllTrialsFailedError when no
    trial came to a result. `trainable` stands in for the training, to measure or test the rest.
    `graceful`: when interrupted, let Tune end its actors and give back what it has reserved, which
    a session of Ray that goes on afterwards would miss.
    """
    if ledger.remaining:
        _run_on_ray(run, config, ledger, photos, address, progress, trainable, graceful)
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
    graceful: bool,
) -> None:
    with ray_session(address, config.device):
        import ray

        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        slots = plan_slots(
            config,
            cpus=resources.get("CPU", 1.0),
            gpus=resources.get("GPU", 0.0),
            largest=max(node.cpus for node in alive_nodes()),
            trials=ledger.remaining,
            gpu_memory=gpu_memory() if address is None and config.trials_per_gpu != 1 else None,
            n_photos=photos.summary["train"],
            measure=partial(remembered_packing, file=default_cache_dir() / "packing.json"),
        )
        if slots.note:
            progress.say(slots.note)
        files = RunFiles(
            trials=str((run.path / "trials").resolve()),
            caches={size: str(path.resolve()) for size, path in photos.caches.items()},
        )
        with ExitStack() as stack:
            if address is not None:
                # It ends with its last handle, which this function therefore holds.
                _server, server = start_file_server(run.path / "trials", photos.caches)
                files = replace(files, server=server)
                head: str = ray.get_runtime_context().gcs_address
                go_on = resume_command(run.path, address)
                stack.enter_context(watch_head(head, partial(_give_up, run, progress, go_on)))
            stack.enter_context(progress.trials(ledger))
            job = _job(files, config, slots, tested_of(photos.summary))
            _tune(run, config, ledger, job, slots, progress, trainable, graceful)


def _give_up(run: RunFolder, progress: Progress, go_on: str, reason: str) -> NoReturn:
    """End the process, which waits in vain for the head of its cluster, before Ray does."""
    run.note_status("interrupted")
    progress.say(f"chromatune: the search halted: {reason}, then go on with: {go_on}")
    sys.stderr.flush()
    os._exit(1)


def _job(
    files: RunFiles, config: SearchConfig, slots: Slots, tested: tuple[HashRange, ...]
) -> TrialJob:
    return TrialJob(
        files=files,
        validation_fraction=config.validation_fraction,
        test_fraction=config.test_fraction,
        max_validation_photos=config.max_validation_photos,
        tested=tested,
        max_epochs=config.max_epochs,
        objective=config.objective,
        guards=config.guards,
        device=config.device,
        threads=slots.threads,
        fixed_threads=threads_are_fixed(),
    )


def _tune(
    run: RunFolder,
    config: SearchConfig,
    ledger: Ledger,
    job: TrialJob,
    slots: Slots,
    progress: Progress,
    trainable: type | None,
    graceful: bool,
) -> None:
    from ray import tune

    from search.tune.searcher import LedgerSearcher, LedgerStopper, TuneBridge
    from search.tune.tensorboard import TensorBoardCallback
    from search.tune.trainable import ColorizerTrainable
    from search.tune.worker_imports import imported_from_here

    if trainable is None:
        # Machines of a cluster have the code of this one as their working directory.
        there = job.files.server is not None
        trainable = ColorizerTrainable if there else imported_from_here(ColorizerTrainable)
    bridge = TuneBridge(
        ledger,
        on_start=progress.on_start,
        on_epoch=progress.on_epoch,
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
        tune.with_resources(trainable, tune.PlacementGroupFactory([bundle])),
        tune_config=tune.TuneConfig(
            search_alg=LedgerSearcher(bridge, job),
            # Until the searcher has finished: a trial whose process died is started again.
            num_samples=-1,
            max_concurrent_trials=slots.concurrency,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: bridge.trial_ids.get(trial.trial_id, "unknown"),
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=str((run.path / "ray").resolve()),
            stop=LedgerStopper(bridge, should_end, graceful=graceful),
            callbacks=[
                TensorBoardCallback(run.path.resolve() / "ray" / "tune", run.path / "trials")
            ],
            failure_config=tune.FailureConfig(max_failures=0),
            # Trials write their own checkpoints, from which they are continued.
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
            verbose=0,
            # In a notebook Tune would open a display, which stays empty.
            progress_reporter=tune.CLIReporter(),
        ),
    )
    try:
        # An interrupt in the midst of a logger's work would leave a lock that its end needs.
        with interrupts.deferred():
            tuner.fit()
    except OSError as error:
        # Tune's own files lie in the run's folder too.
        raise SearchHaltedError(describe(error)) from error
    # The processes of the trials have ended: nothing is written to their folders any more.
    bridge.end_open_trials()
    if bridge.halted:
        raise SearchHaltedError(bridge.halted)
