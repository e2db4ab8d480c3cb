"""Configuration, search space, Optuna searcher, Ray Tune driver and the command line.

from search import Search
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from search.api import Search

__all__ = ["Search"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("search.api"), name)
