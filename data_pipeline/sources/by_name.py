"""Find the photos that a person names: a folder, `kaggle:OWNER/NAME` or `synthetic:COUNT`."""

from __future__ import annotations

from pathlib import Path

from data_pipeline.errors import InputError
from data_pipeline.sources.folder import FolderSource
from data_pipeline.sources.kaggle import kaggle_source
from data_pipeline.sources.landscapes import SyntheticSource
from data_pipeline.sources.listing import PhotoSource

__all__ = ["FolderSource", "PhotoSource", "SyntheticSource", "open_source"]


_PUBLIC = ("kaggle", "synthetic")


def is_folder(text: str) -> bool:
    """Whether `text`, as `open_source` takes it, names a folder of this machine."""
    return text.partition(":")[0] not in _PUBLIC


def open_source(text: str) -> PhotoSource:
    """Return the source that `text` names: `kaggle:OWNER/NAME`, `synthetic:COUNT` or a folder.

    Raises:
        InputError: the text is none of these, or Kaggle cannot be reached.
    """
    kind, _, rest = text.partition(":")
    if kind == "kaggle":
        return kaggle_source(rest)
    if kind == "synthetic":
        if not rest.isdecimal() or int(rest) < 1:
            raise InputError(
                f"synthetic:COUNT needs a number of photos from 1 up, but got '{text}': "
                "write for example synthetic:400"
            )
        return SyntheticSource(int(rest))
    return FolderSource(Path(text))
