"""Checkpoints: `state_dict`s, plain settings and the step; written durably, never unpickled."""

from __future__ import annotations

import pickle
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from data_pipeline.durable import replace_file
from data_pipeline.errors import InputError
from models.file_names import BEST, CHECKPOINT

FORMAT = 1


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (tensors and plain values) so that `path` is always whole: old or new.

    Raises OSError, with the system's own words, when the disk is full or the folder unwritable.
    """
    # Through memory: torch hides the system's error when it writes to a full disk itself.
    replace_file(path, encode_checkpoint(state))


def encode_checkpoint(state: dict[str, Any]) -> bytes:
    """What `save_checkpoint` writes."""
    content = BytesIO()
    torch.save({"format": FORMAT, **state}, content)
    return content.getvalue()


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, onto the CPU, with `weights_only=True`.

    Raises InputError when the file is missing, damaged, of another format or holds code.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"a checkpoint must exist at {path}, but there is none") from None
    except OSError as error:
        raise InputError(f"{path} must be a readable file, but: {error.strerror}") from error
    return decode_checkpoint(content, path)


def decode_checkpoint(content: bytes, path: Path | str) -> dict[str, Any]:
    """As `load_checkpoint`, from what the file at `path` holds."""
    try:
        state = _parse(content)
    except pickle.UnpicklingError as error:
        # torch's own message would advise to load it without `weights_only`.
        raise InputError(
            f"{path} must hold tensors and plain values only, but holds something else; "
            "it was not loaded, delete it unless you know where it comes from"
        ) from error
    except Exception as error:  # whatever zip, pickle and torch make of arbitrary bytes
        raise InputError(
            f"{path} must be a whole checkpoint, but is damaged; restore it from a copy, or "
            "delete it to start over"
        ) from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        found = state.get("format") if isinstance(state, dict) else type(state).__name__
        raise InputError(
            f"{path} must be a checkpoint of format {FORMAT}, but got {found!r}; "
            "a newer chromatune may have written it"
        )
    return state


def epochs_to_go_on_from(folder: Path) -> int:
    """How many epochs the trial in `folder` has trained, if it can go on from there; else 0.

    It cannot when nothing was kept of it, or when `drop_optimizers` took what it needs. Raises
    InputError for a damaged checkpoint.
    """
    path = folder / CHECKPOINT
    if not path.is_file() or not (folder / BEST).is_file():
        return 0
    training = load_checkpoint(path)["training"]
    return 0 if training["generator_optimizer"] is None else int(training["epoch"])


def drop_optimizers(folder: Path) -> None:
    """Make the latest checkpoint of a trial that has ended a third of its size: weights alone."""
    path = folder / CHECKPOINT
    if not path.exists():
        return
    state = load_checkpoint(path)
    training = state["training"]
    if training["generator_optimizer"] is not None:
        training["generator_optimizer"] = training["discriminator_optimizer"] = None
        save_checkpoint(path, state)


def _parse(content: bytes) -> Any:
    # torch ignores the checksums that it writes: without this, flipped bits become weights.
    with zipfile.ZipFile(BytesIO(content)) as archive:
        if damaged := archive.testzip():
            raise zipfile.BadZipFile(f"wrong checksum of {damaged}")
        for part in archive.infolist():
            if part.external_attr:
                # torch writes none. It would take a part whose flipped bit says "folder" for
                # empty, and hand out whatever the memory held.
                raise zipfile.BadZipFile(f"attributes of {part.filename}")
    return torch.load(BytesIO(content), map_location="cpu", weights_only=True)
