"""What a source of photos offers: a listing of entries that can be read one at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from data_pipeline.decode.photo import PhotoHeader, RGBArray


@dataclass(frozen=True)
class Skipped:
    """A file that is not used, and why: one line for a person."""

    name: str
    reason: str

    @property
    def kind(self) -> str:
        """What reasons of one kind have in common: the text before the first colon."""
        return self.reason.partition(":")[0]


class PhotoContent(Protocol):
    """A photo that has been read but not decoded."""

    @property
    def sha256(self) -> str:
        """Hash of the content in hexadecimal digits; equal for copies under other names."""
        ...

    def header(self) -> PhotoHeader:
        """Tell format and size without decoding.

        Raises:
            PhotoError: it is no photo.
        """
        ...

    def decode(self, *, at_least: int) -> RGBArray:
        """Decode to upright sRGB, (H, W, 3), to make a photo of `at_least` pixels a side of it.

        Photos that have so many pixels keep them, but need not keep more.

        Raises:
            PhotoError: it cannot be decoded.
        """
        ...


class PhotoEntry(Protocol):
    """One photo of a source, not read yet; pickled to the workers that build the cache."""

    @property
    def name(self) -> str:
        """Name within the source: for a folder the relative path with forward slashes."""
        ...

    @property
    def stamp(self) -> str:
        """A text that changes whenever the content may have changed."""
        ...

    def read(self) -> PhotoContent:
        """Read the photo.

        Raises:
            PhotoError: it cannot be read, or it changed since it was listed.
        """
        ...


@dataclass(frozen=True)
class Listing:
    """The photos of a source in the order of their names, and the files that are none."""

    entries: list[PhotoEntry]
    skipped: list[Skipped] = field(default_factory=list)


class PhotoSource(Protocol):
    """Where photos come from: a folder, a Kaggle data set, the built-in landscapes."""

    @property
    def name(self) -> str:
        """What a person calls it; one source has one name on a machine."""
        ...

    def list_photos(self) -> Listing:
        """List what is there now.

        Raises:
            InputError: the source is not there, or has no photo at all.
        """
        ...
