"""What a bundle's `config.json` holds, and the checks before a line of it is believed.

A bundle may come from a stranger. Nothing here allocates by a number that the file names: sizes
are bounded before they are used, and only regular files of a bounded size are read.
"""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from data_pipeline.errors import InputError
from models.networks.complexity import MAX_COMPLEXITY
from models.networks.sides import check_side

FORMAT = 1
CONFIG_NAME = "config.json"
MAX_CONFIG_BYTES = 4 * 2**20
MAX_IMAGE_SIZE = 4096


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """The entries of `config.json` that rebuild the generator and feed it as it was trained."""

    generator_complexity: int
    #: side in pixels of the square photos it was trained on
    image_size: int
    dropout: float
    smooth_upsampling: bool


def read_regular_file(path: Path, *, max_bytes: int) -> bytes:
    """Read a whole file of at most `max_bytes`; InputError for anything that is not such a file.

    Links are followed (a download cache may be built of them), but only to a regular file: a
    pipe or a device would never end.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path.name} must be a regular file, but {path} is not")
        if status.st_size > max_bytes:
            raise InputError(
                f"{path.name} must be at most {max_bytes} bytes, but {path} has {status.st_size}"
            )
        with path.open("rb") as file:
            return file.read(max_bytes)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def parse_config(text: bytes, *, name: str) -> dict[str, Any]:
    """Parse `config.json`; InputError, opening with `name`, unless it is an object we can read."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(
            f"{name} is damaged: it is no JSON text; export the bundle again"
        ) from None
    if not isinstance(config, dict):
        raise InputError(f"{name} must hold a JSON object, but holds a {type(config).__name__}")
    version = config.get("format")
    if not _is_int(version):
        raise InputError(f"{name} is no chromatune bundle's: it has no integer 'format'")
    if version > FORMAT:
        raise InputError(
            f"{name} has format {version}, but this version reads up to {FORMAT}; "
            "install a newer chromatune"
        )
    if version < 1:
        raise InputError(f"{name}: format must be 1 or more, but got {version}")
    return config


def generator_settings(config: Mapping[str, Any]) -> GeneratorSettings:
    """Take out and check what rebuilds the generator; InputError says which entry is wrong."""
    complexity = config.get("generator_complexity")
    if not _is_int(complexity) or not 1 <= complexity <= MAX_COMPLEXITY:
        raise InputError(
            f"generator_complexity must be an integer from 1 to {MAX_COMPLEXITY}, "
            f"but got {_shortened(complexity)}"
        )
    image_size = config.get("image_size")
    if not _is_int(image_size) or image_size > MAX_IMAGE_SIZE:
        raise InputError(
            f"image_size must be an integer up to {MAX_IMAGE_SIZE}, "
            f"but got {_shortened(image_size)}"
        )
    check_side(image_size)
    dropout = config.get("dropout", 0.5)
    if isinstance(dropout, bool) or not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise InputError(f"dropout must be in [0, 1), but got {_shortened(dropout)}")
    smooth_upsampling = config.get("smooth_upsampling", False)
    if not isinstance(smooth_upsampling, bool):
        raise InputError(
            f"smooth_upsampling must be true or false, but got {_shortened(smooth_upsampling)}"
        )
    return GeneratorSettings(
        generator_complexity=complexity,
        image_size=image_size,
        dropout=float(dropout),
        smooth_upsampling=smooth_upsampling,
    )


def dump_config(config: Mapping[str, Any]) -> str:
    """Write `config` as JSON text; numbers that do not exist (NaN, infinity) become null."""
    return json.dumps(_finite(config), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
