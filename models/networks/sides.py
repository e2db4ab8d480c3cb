"""Which image sides the networks accept; apart from them, so that checking needs no torch."""

from __future__ import annotations

from data_pipeline.errors import InputError

#: the generator halves its input five times
SIDE_MULTIPLE = 32


def check_side(side: int, name: str = "image_size") -> None:
    """Raise InputError unless `side` (pixels) can be halved five times without a remainder."""
    if not isinstance(side, int) or side < SIDE_MULTIPLE or side % SIDE_MULTIPLE:
        lower = SIDE_MULTIPLE
        if isinstance(side, int):
            lower = max(SIDE_MULTIPLE, side // SIDE_MULTIPLE * SIDE_MULTIPLE)
        raise InputError(
            f"{name} must be a positive multiple of {SIDE_MULTIPLE} pixels, but got {side!r}; "
            f"use {lower} or {lower + SIDE_MULTIPLE}"
        )
