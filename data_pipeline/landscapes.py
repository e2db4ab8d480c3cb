"""The built-in synthetic landscapes as a source of photos."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from data_pipeline.listing import Listing
from data_pipeline.photo import PhotoHeader, RGBArray
from data_pipeline.synthetic import make_landscape


@cache
def _painter_digest() -> str:
    # All of the painter's code, so that a cache of what an older painter drew is not taken for new.
    digest = hashlib.sha256()
    for module in sorted(Path(__file__).parent.glob("synthetic*.py")):
        digest.update(module.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class SyntheticEntry:
    """One landscape, painted when it is decoded; its content is its seed and the painter's code."""

    seed: int

    @property
    def name(self) -> str:
        """A name that sorts by the seed."""
        return f"landscape-{self.seed:06d}"

    @property
    def stamp(self) -> str:
        """Changes with the painter's code."""
        return _painter_digest()[:16]

    def read(self) -> SyntheticEntry:
        """Nothing to read: the entry is its content."""
        return self

    @property
    def sha256(self) -> str:
        """Hash of the seed and of the painter's code, the same at every size."""
        return hashlib.sha256(f"{_painter_digest()} {self.seed}".encode()).hexdigest()

    def header(self) -> PhotoHeader:
        """Synthetic landscapes have no size of their own."""
        return PhotoHeader("synthetic", 0, 0)

    def decode(self, *, at_least: int) -> RGBArray:
        """Paint the landscape, (at_least, at_least, 3)."""
        return make_landscape(self.seed, at_least)


@dataclass(frozen=True)
class SyntheticSource:
    """The landscapes of the seeds 0 to count - 1."""

    count: int

    @property
    def name(self) -> str:
        """As a person writes it."""
        return f"synthetic:{self.count}"

    def list_photos(self) -> Listing:
        """List the landscapes; nothing is painted yet."""
        return Listing([SyntheticEntry(seed) for seed in range(self.count)])
