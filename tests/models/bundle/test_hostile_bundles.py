"""Nothing that a stranger puts into a bundle does harm: each is refused in one line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import safetensors.torch
import torch

from data_pipeline.errors import InputError
from models.bundle.store import load_bundle
from tests.models.trained_bundle import edit_config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "install a newer"),
        ({"format": True}, "no integer 'format'"),
        ({"format": 0}, "1 or more"),
        ({"generator_complexity": 10**9}, "from 1 to 1024"),
        ({"generator_complexity": "4"}, "from 1 to 1024"),
        ({"generator_complexity": 1024}, "must be F32"),
        ({"generator_complexity": 5}, "must be F32"),
        ({"image_size": 100}, "multiple of 32"),
        ({"image_size": 10**12}, "up to 4096"),
        ({"dropout": float("nan")}, "dropout"),
        ({"smooth_upsampling": 1}, "true or false"),
        ({"weights_sha256": "0" * 64}, "SHA-256"),
    ],
)
def test_wrong_config_is_one_clear_line(
    copied: Path, changes: dict[str, object], message: str
) -> None:
    edit_config(copied, **changes)
    with pytest.raises(InputError, match=message) as caught:
        load_bundle(copied)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1]", b'"x"', b"[" * 100_000, b"\xff\xfe", b"{}", b'{"a":' * 50_000]
)
def test_config_that_is_no_config(copied: Path, text: bytes) -> None:
    (copied / "config.json").write_bytes(text)
    with pytest.raises(InputError):
        load_bundle(copied)


def test_huge_config_is_not_read(copied: Path) -> None:
    with (copied / "config.json").open("wb") as file:
        file.truncate(2**34)
    with pytest.raises(InputError, match="at most"):
        load_bundle(copied)


@pytest.mark.parametrize("name", ["config.json", "generator.safetensors"])
def test_devices_pipes_and_links_in_a_circle(copied: Path, name: str) -> None:
    path = copied / name
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="regular file"):
        load_bundle(copied)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(InputError, match="regular file"):
        load_bundle(copied)
    path.unlink()
    path.symlink_to(name)
    with pytest.raises(InputError):
        load_bundle(copied)


def test_weights_that_are_no_weights(copied: Path) -> None:
    edit_config(copied, weights_sha256=None)
    path = copied / "generator.safetensors"
    whole = path.read_bytes()
    state = safetensors.torch.load(whole)
    name = "out.0.weight"
    fewer = {key: tensor for key, tensor in state.items() if key != name}
    cases: dict[bytes, str] = {
        whole[:-1]: "damaged",
        whole[:4]: "damaged",
        b"": "damaged",
        (2**62).to_bytes(8, "little") + whole[8:]: "damaged",
        safetensors.torch.save(fewer): "lacks",
        safetensors.torch.save(state | {"more": torch.zeros(1)}): "unknown",
        safetensors.torch.save(state | {name: torch.zeros(2, 4, 3, 5)}): "must be F32",
        safetensors.torch.save(state | {name: state[name].double()}): "must be F32",
        safetensors.torch.save(state | {name: state[name] * torch.inf}): "finite",
    }
    for content, message in cases.items():
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            load_bundle(copied)


def test_pickles_are_never_opened(copied: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(copied / "boom"),)

    torch.save({"x": Bomb()}, copied / "generator.safetensors")
    torch.save({"x": Bomb()}, copied / "pytorch_model.bin")
    edit_config(copied, weights_sha256=None)
    with pytest.raises(InputError):
        load_bundle(copied)
    assert not (copied / "boom").exists()


@pytest.mark.parametrize("kind", ["missing", "file", "empty"])
def test_folder_that_is_no_bundle(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x"
    if kind == "file":
        path.write_text("x")
    if kind == "empty":
        path.mkdir()
    with pytest.raises(InputError, match="chromatune export"):
        load_bundle(path)
