"""How much light the codes of a photo stand for: its luminance, by sRGB or by its own profile.

Pillow's colour management has 8 bits and no grey profiles. Colorizing asks a profile for luminance
only, which is easily read from it: one curve for grey; three curves and the luminances of three
primaries for RGB (ICC.1:2022, sections 8.3, 8.4, 10.6 and 10.18).

Shapes: R and C are rows and columns, n the number of codes (256 or 65536).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from data_pipeline.lab import DELTA, RGB_TO_XYZ

FloatArray = npt.NDArray[np.float32]
#: 8 or 16 bits a channel: grey (R, C) or RGB (R, C, 3)
PixelArray = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

_LUMINANCE: FloatArray = RGB_TO_XYZ[1:2].astype(np.float32)
_N_CODES = 65536
# as in Pillow: profiles are a few KB, with tables up to some MB
_MAX_CURVE_ENTRIES = 65536


@dataclass(frozen=True)
class TransferCurve:
    """Luminance that each 16-bit code of each channel adds: (1 or 3 channels, 65536) float32."""

    tables: FloatArray


class Scratch:
    """Arrays that one block of a photo after another is worked out in.

    Fresh ones would cost as much as the work: memory that the system hands out anew is cleared page
    by page, and has left the processor's cache. Not to be shared by threads.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, npt.NDArray[Any]] = {}

    def floats(self, name: str, *shape: int) -> FloatArray:
        """Array `name` of float32, contiguous, with what was left in it."""
        return self._array(name, shape, np.float32)

    def codes(self, name: str, *shape: int, dtype: type[np.unsignedinteger[Any]]) -> Any:
        """Array `name` of unsigned integers, contiguous, with what was left in it."""
        return self._array(name, shape, dtype)

    def _array(self, name: str, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
        size = math.prod(shape)
        array = self._arrays.get(name)
        if array is None or array.size < size:
            array = self._arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)


def luminance(
    tile: PixelArray, light: TransferCurve | None = None, scratch: Scratch | None = None
) -> FloatArray:
    """Relative luminance Y in [0, 1], (R, C), of grey (R, C) or RGB (R, C, 3); sRGB by default.

    The result is fresh, or lies in `scratch` until that is used again.
    """
    scratch = scratch or Scratch()
    n_rows, n_columns = tile.shape[:2]
    Y = scratch.floats("Y", n_rows, n_columns)
    if light is not None:
        step = 257 if tile.dtype == np.uint8 else 1
        channels = [tile] if tile.ndim == 2 else [tile[..., i] for i in range(3)]
        Y[:] = 0
        for channel, table in zip(channels, light.tables, strict=True):
            Y += table[::step][channel]
        return Y
    codes: npt.NDArray[Any] = np.ascontiguousarray(tile).reshape(n_rows, -1)
    table = _srgb_table(256**tile.dtype.itemsize)
    if tile.ndim == 2:
        return _floats(cv2.LUT(codes, table, dst=Y))
    linear = cv2.LUT(codes, table, dst=scratch.floats("linear", *codes.shape))
    cv2.transform(linear.reshape(n_rows, n_columns, 3), _LUMINANCE, dst=Y)
    return Y


def luminance_and_root(
    tile: PixelArray, light: TransferCurve | None = None, scratch: Scratch | None = None
) -> tuple[FloatArray, FloatArray]:
    """Relative luminance Y of a tile, and f(Y) of CIELAB: two arrays (R, C), as `luminance`'s."""
    scratch = scratch or Scratch()
    Y = luminance(tile, light, scratch)
    root = scratch.floats("fy", *Y.shape)
    if tile.dtype == np.uint8 and tile.ndim == 2 and light is None:
        return Y, _floats(cv2.LUT(np.ascontiguousarray(tile), _root_of_code_table(), dst=root))
    return Y, cube_root(Y, root, scratch)


def lightness(Y: FloatArray) -> FloatArray:
    """L* in [0, 100] of relative luminance."""
    root = cube_root(Y)
    root *= np.float32(116)
    root -= np.float32(16)
    return root


def cube_root(
    Y: FloatArray, out: FloatArray | None = None, scratch: Scratch | None = None
) -> FloatArray:
    """The f of CIELAB: the cube root, continued below DELTA cubed by its tangent.

    The result lies in `out`, if that is given.
    """
    if Y.size == 0 or Y.min() >= DELTA**3:
        return _floats(np.cbrt(Y, out=out))
    scratch = scratch or Scratch()
    curved = _at_least(DELTA**3, Y, scratch)
    root = _floats(np.cbrt(curved, out=out))
    straight = np.subtract(Y, curved, out=curved)
    return _floats(cv2.scaleAdd(straight, 1 / (3 * DELTA**2), root, dst=root)).reshape(Y.shape)


def cube(root: FloatArray, out: FloatArray, scratch: Scratch | None = None) -> FloatArray:
    """Undo `cube_root` and write the result to `out`."""
    if root.size == 0 or root.min() >= DELTA:
        np.multiply(root, root, out=out)
        out *= root
        return out
    curved = _at_least(DELTA, root, scratch or Scratch())
    np.multiply(curved, curved, out=out)
    out *= curved
    straight = np.subtract(root, curved, out=curved)
    cv2.scaleAdd(straight, 3 * DELTA**2, out, dst=out)
    return out


def _at_least(bound: float, values: FloatArray, scratch: Scratch) -> FloatArray:
    """The larger of `bound` and each value; OpenCV is several times as fast at it as NumPy."""
    out = scratch.floats("curved", *values.shape)
    if values.size <= 4:  # which OpenCV would take for a scalar
        return np.maximum(values, np.float32(bound), out=out)
    cv2.max(values, bound, dst=out)  # type: ignore[call-overload]  # its stubs know no scalars
    return out


def profile_light(profile: bytes, n_channels: int) -> TransferCurve | None:
    """Read the luminance of 1 (grey) or 3 (RGB) channels out of an ICC profile.

    None for a profile that is damaged, is for other pixels or has no such curves.
    """
    try:
        tags = _read_tags(profile)
        if profile[16:20] == b"GRAY" and n_channels == 1:
            return TransferCurve(_curve(tags[b"kTRC"])[None])
        if profile[16:20] == b"RGB " and n_channels == 3:
            curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
            primaries = np.array([_y_of_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")])
            primaries /= primaries.sum()
            return TransferCurve((np.stack(curves) * primaries[:, None]).astype(np.float32))
    except (struct.error, KeyError, ValueError, ZeroDivisionError, OverflowError):
        pass
    return None


def _read_tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    tags: dict[bytes, bytes] = {}
    for i in range(min(count, 100)):
        name, offset, size = struct.unpack_from(">4sII", profile, 132 + 12 * i)
        tags[name] = profile[offset : offset + size]
    return tags


def _y_of_xyz(tag: bytes) -> float:
    y: int = struct.unpack_from(">i", tag, 12)[0]
    return y / 65536


def _curve(tag: bytes) -> FloatArray:
    """Linear light of 65536 codes by a tag of type `curv` or `para`; ValueError for others."""
    codes = np.linspace(0.0, 1.0, _N_CODES)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        if count > _MAX_CURVE_ENTRIES:
            raise ValueError("curve with too many entries")
        if count == 0:
            linear = codes
        elif count == 1:
            linear = codes ** (struct.unpack_from(">H", tag, 12)[0] / 256)
        else:
            entries = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
            linear = np.interp(codes, np.linspace(0, 1, count), entries)
    elif tag[:4] == b"para":
        linear = _parametric_curve(codes, tag)
    else:
        raise ValueError("curve of an unknown type")
    if not np.isfinite(linear).all() or linear[-1] < 0.5:
        raise ValueError("curve that is none")
    return np.clip(linear, 0, 1).astype(np.float32)


def _parametric_curve(codes: npt.NDArray[np.float64], tag: bytes) -> npt.NDArray[np.float64]:
    """ICC.1:2022, table 68: (a X + b)^g + e from X = d on, c X + f below."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    numbers = {0: "g", 1: "gab", 2: "gabe", 3: "gabcd", 4: "gabcdef"}.get(kind)
    if numbers is None:
        raise ValueError("parametric curve of an unknown kind")
    values = [v / 65536 for v in struct.unpack_from(f">{len(numbers)}i", tag, 12)]
    p = {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 0.0, "f": 0.0} | dict(
        zip(numbers, values, strict=True)
    )
    if kind in (1, 2):
        p["d"], p["f"] = -p["b"] / p["a"], p["e"]
    base = np.maximum(p["a"] * codes + p["b"], 0)
    curved: npt.NDArray[np.float64] = base ** p["g"] + p["e"]
    return np.where(codes >= p["d"], curved, p["c"] * codes + p["f"])


@cache
def _srgb_table(n_codes: int) -> FloatArray:
    """Linear light of each code of sRGB, (1, n)."""
    codes = np.linspace(0.0, 1.0, n_codes)
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)
    return linear.astype(np.float32)[None]


@cache
def _root_of_code_table() -> FloatArray:
    """f(Y) of CIELAB of each 8-bit grey code of sRGB, (1, 256)."""
    return cube_root(_srgb_table(256))


def _floats(array: npt.NDArray[Any]) -> FloatArray:
    """Say that an array of OpenCV's or NumPy's is of float32, as it is here."""
    return array.astype(np.float32, copy=False)
