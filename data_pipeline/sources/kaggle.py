"""A Kaggle data set as a source of photos, fetched through the optional package kagglehub."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from data_pipeline.errors import InputError
from data_pipeline.sources.folder import FolderSource


def kaggle_source(handle: str) -> FolderSource:
    """Fetch the data set `handle` (OWNER/NAME) once; later calls find kagglehub's own copy.

    Raises:
        InputError: the handle is malformed, kagglehub is not installed, or Kaggle does not answer.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", handle):
        raise InputError(
            f"kaggle:OWNER/NAME must name a data set, but got 'kaggle:{handle}': "
            "write for example kaggle:arnaud58/landscape-pictures"
        )
    try:
        kagglehub = importlib.import_module("kagglehub")
    except ImportError as error:
        raise InputError(
            f"kaggle:{handle} needs the package kagglehub, which is not installed: "
            "pip install 'chromatune[kaggle]'"
        ) from error
    try:
        folder = kagglehub.dataset_download(handle)
    except Exception as error:  # kagglehub raises errors of requests and of its own
        raise InputError(
            f"Kaggle's data set '{handle}' could not be fetched ({_one_line(error)}): check the "
            "name and the network, or download it by hand and pass its folder to --images"
        ) from error
    return FolderSource(Path(folder))


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:160]}" if text else type(error).__name__
