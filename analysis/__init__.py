"""Reads a stored run (no Ray, no Torch): stagnation, balance, leaderboard and the HTML report.

from analysis import open_run
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.results import RunResults, open_run

__all__ = ["RunResults", "open_run"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("analysis.results"), name)
