"""Files that are refused, each with a reason in one line, in bounded time and memory."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipeline.decode.photo import (
    MAX_JPEG_SCANS,
    NotAPhotoError,
    PhotoError,
    decode_photo,
    read_file,
)
from tests.data_pipeline.made_up import encode, paint, png


def test_what_is_no_photo_is_refused(tmp_path: Path) -> None:
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n"
    for name, data in {
        "empty": b"",
        "text.jpg": b"just a text" * 9,
        "fake.png": b"\x89PNX\r\n\x1a\n" + bytes(99),
        "script.eps": eps,
        "bm.txt": b"BMW is a maker of cars and motorcycles",
        "p.txt": b"P3rhaps",
    }.items():
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(NotAPhotoError):
            read_file(path)


def test_a_file_too_long_to_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate((1 << 30) + 1)  # sparse: no disk is taken
    with pytest.raises(PhotoError, match="too large: more than 1024 MiB"):
        read_file(path)


def test_a_missing_file_is_a_reason(tmp_path: Path) -> None:
    with pytest.raises(PhotoError, match="cannot be read: No such file"):
        read_file(tmp_path / "nothing.jpg")


@pytest.mark.parametrize("format_name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7])
def test_truncated_files_are_refused_in_one_line(format_name: str, share: float) -> None:
    data = encode(paint(9, 200, 200), format_name)
    with pytest.raises(PhotoError) as caught:
        decode_photo(data[: max(20, int(len(data) * share))])
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_heic_is_told_by_name() -> None:
    with pytest.raises(PhotoError, match="HEIC"):
        decode_photo(b"\0\0\0\x18ftypheic" + bytes(100))


def test_a_raw_files_preview_is_not_taken_for_the_photo() -> None:
    data = encode(paint(1), "TIFF", tiffinfo={254: 1})
    with pytest.raises(PhotoError, match="raw"):
        decode_photo(data)


def test_a_picture_too_large_is_refused_before_it_is_decoded(monkeypatch) -> None:
    bomb = png(bytes(1_000_000), 60_000, 60_000, 8, 2, 0, 0, 0)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("was decoded"))
    with pytest.raises(PhotoError, match=r"too large: 60000 x 60000 is more than 400 megapixels"):
        decode_photo(bomb, at_least=128)


def resized_header(jpeg: bytes, height: int, width: int) -> bytes:
    """Let a JPEG's frame header announce another size."""
    at = max(jpeg.find(b"\xff\xc0"), jpeg.find(b"\xff\xc2"))
    return jpeg[: at + 5] + struct.pack(">HH", height, width) + jpeg[at + 9 :]


def test_a_jpeg_that_announces_too_much_is_refused() -> None:
    jpeg = encode(paint(1), "JPEG")
    with pytest.raises(PhotoError, match="too large"):
        decode_photo(resized_header(jpeg, 65_000, 65_000), at_least=64)
    # a progressive one needs memory for all coefficients, however small it is decoded
    progressive = encode(paint(1), "JPEG", progressive=True)
    with pytest.raises(PhotoError, match="more than 100 megapixels"):
        decode_photo(resized_header(progressive, 15_000, 20_000), at_least=64)


def test_a_phone_of_200_megapixels_is_accepted_when_reduced() -> None:
    # Pillow's Image.open warns of it or refuses it; here the size that is decoded counts
    jpeg = resized_header(encode(paint(1), "JPEG"), 12_240, 16_320)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_photo(jpeg, at_least=64).shape == (1530, 2040, 3)
        with pytest.raises(PhotoError, match="more than 100 megapixels"):
            decode_photo(jpeg)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    jpeg = encode(paint(1), "JPEG", progressive=True)
    start = jpeg.find(b"\xff\xda")
    with pytest.raises(PhotoError, match="JPEG scans"):
        decode_photo(jpeg[:start] + jpeg[start:-2] * (MAX_JPEG_SCANS + 1) + jpeg[-2:])


def decode_or_reason(data: bytes) -> np.ndarray | str:
    try:
        return decode_photo(data, at_least=16)
    except PhotoError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=12),
)
def test_damaged_files_decode_or_give_a_reason(
    format_name: str, edits: list[tuple[float, int]]
) -> None:
    data = bytearray(encode(paint(10, 24, 24), format_name))
    for place, value in edits:
        data[min(int(place * len(data)), len(data) - 1)] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outcome = decode_or_reason(bytes(data))
    if isinstance(outcome, str):
        assert "\n" not in outcome
    else:
        assert outcome.shape[2:] == (3,)
        assert outcome.dtype == np.uint8
