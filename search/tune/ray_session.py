"""Starts Ray on this machine or joins a cluster, with the environment that a search needs."""

from __future__ import annotations

import logging
import os
import signal

from search.tune import cluster

OBJECT_STORE_BYTES = 256 * 1024**2

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
