"""Our packages on their way to the workers of a cluster."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from data_pipeline.errors import InputError
from search.tune.worker_imports import PACKAGES

MAX_CODE_BYTES = 16_000_000
#: whatever lies about in a package but is no part of it
LEFT_OUT = (".*", "__pycache__", "*.pyc", "data", "results", "runs")


def make_runtime_env(environment: Mapping[str, str], folder: Path) -> dict[str, object]:
    """What each worker of the cluster starts with: `environment`, and our code by way of `folder`.

    A job (`ray job submit`) has a runtime environment of its own; nothing in it is set twice,
    which Ray would refuse. Its working directory may hold a `models` of somebody else's: modules
    (`py_modules`) come before it on the path.
    """
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}").get("runtime_env") or {}
    taken = job.get("env_vars") or {}
    runtime_env: dict[str, object] = {
        "env_vars": {name: value for name, value in environment.items() if name not in taken}
    }
    if not job.get("working_dir"):
        pack_code(folder)
        runtime_env["working_dir"] = str(folder)
    elif not job.get("py_modules"):
        pack_code(folder)
        runtime_env["py_modules"] = [str(folder / package) for package in PACKAGES]
    return runtime_env


def pack_code(folder: Path, root: Path | None = None) -> None:
    """Copy our packages from `root` to `folder`; raises InputError when they are too large.

    Only the packages, so that photos, runs, virtual environments and git's history beside them
    stay at home.
    """
    root = root or Path(__file__).parents[3]
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    for package in PACKAGES:
        shutil.copytree(root / package, folder / package, ignore=ignore)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if size > MAX_CODE_BYTES:
        raise InputError(
            f"the code that travels to a cluster must be at most {MAX_CODE_BYTES / 1e6:.0f} MB, "
            f"but {', '.join(PACKAGES)} in {root} have {size / 1e6:.0f} MB; move large files out"
        )
