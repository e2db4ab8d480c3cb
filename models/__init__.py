"""Networks, their adversarial training, colour metrics, checkpoints, bundles and colorizing.

from models import colorize_image, load_bundle
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from models.bundle.store import Bundle, load_bundle
    from models.coloring import colorize_image

__all__ = ["Bundle", "colorize_image", "load_bundle"]

_MODULES = {
    "Bundle": "models.bundle.store",
    "colorize_image": "models.coloring",
    "load_bundle": "models.bundle.store",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
