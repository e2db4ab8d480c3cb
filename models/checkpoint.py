"""Checkpoints: `state_dict`s, plain settings and the step; written atomically, never unpickled."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import torch

from data_pipeline.errors import InputError

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) so that `path` is always whole: old or new."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save({"format": FORMAT, **state}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load_checkpoint(path: Path, *, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, with `weights_only=True`.

    Raises InputError when the file is missing, damaged or of a newer format.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except FileNotFoundError:
        raise InputError(f"a checkpoint must exist at {path}, but there is none") from None
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} must be a whole checkpoint, but: {reason}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise InputError(
            f"{path} must be a checkpoint of format {FORMAT}, but got {found!r}; "
            "a newer chromatune may have written it"
        )
    return state
