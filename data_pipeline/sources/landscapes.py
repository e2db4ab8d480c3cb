"""The built-in synthetic landscapes as a source of photos."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from data_pipeline.decode.photo import PhotoHeader, RGBArray
from data_pipeline.sources.listing import Listing
from data_pipeline.synthetic.landscape import make_landscape

#: To be raised when a landscape comes out differently: caches and splits depend on it.
PAINTER_VERSION = 1


@dataclass(frozen=True)
class SyntheticEntry:
    """One landscape, painted when it is decoded; its content is its seed and painter version."""

    seed: int

    @property
    def name(self) -> str:
        """A name that sorts by the seed."""
        return f"landscape-{self.seed:06d}"

    @property
    def stamp(self) -> str:
        """Changes with the painter's version."""
        return f"painter-{PAINTER_VERSION}"

    def read(self) -> SyntheticEntry:
        """Nothing to read: the entry is its content."""
        return self

    @property
    def sha256(self) -> str:
        """Hash of the seed and the painter's version, the same at every size."""
        return hashlib.sha256(
            f"chromatune landscape {PAINTER_VERSION} {self.seed}".encode()
        ).hexdigest()

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
