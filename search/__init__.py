"""Configuration, search space, Optuna searcher, Ray Tune driver and the command line.

from search import Search, train
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import Search
    from search.finetune.train_api import train

__all__ = ["Search", "train"]

_MODULES = {"Search": "search.api", "train": "search.finetune.train_api"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
