"""The bundle: a folder with a trained generator that people can keep, share and colorize with.

generator.safetensors   the weights
config.json             what rebuilds the generator and how it came to be, plain JSON
generator.onnx          the same generator for runtimes without torch
README.md               a model card in the Hugging Face Hub's format
generator_rgb.onnx      with the conversions from and to sRGB in it (if asked for)
samples.png             grey inputs left, outputs right (if the trial drew them)
"""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_pipeline.decode.photo import Fit
from data_pipeline.durable import make_folder, move_folder
from data_pipeline.errors import InputError
from models.bundle.card import CARD_NAME, SAMPLES_NAME, model_card
from models.bundle.generator_config import (
    CONFIG_NAME,
    FORMAT,
    MAX_CONFIG_BYTES,
    dump_config,
    generator_settings,
    parse_config,
    read_regular_file,
)
from models.bundle.onnx_export import ONNX_NAME, write_onnx
from models.bundle.rgb_onnx import RGB_ONNX_NAME, write_rgb_onnx
from models.bundle.weights import WEIGHTS_NAME, read_weights, write_weights
from models.networks.generator import Generator

FILE_NAMES = (WEIGHTS_NAME, CONFIG_NAME, ONNX_NAME, CARD_NAME, SAMPLES_NAME)
#: also what a bundle has only when that was asked for
KNOWN_NAMES = (*FILE_NAMES, RGB_ONNX_NAME)


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A generator in eval mode without gradients, and the plain JSON that came with it."""

    generator: Generator
    config: dict[str, Any]

    @property
    def image_size(self) -> int:
        """Side in pixels of the square photos that the generator was trained on."""
        return int(self.config["image_size"])

    @property
    def fit(self) -> Fit:
        """How the training photos were brought to that square."""
        return "squash" if self.config.get("fit") == "squash" else "crop"


def write_bundle(
    out: Path,
    *,
    generator: Generator,
    config: Mapping[str, Any],
    samples_png: bytes | None,
    onnx_rgb: bool = False,
    force: bool = False,
) -> None:
    """Write `generator` as a bundle to the new folder `out`, whole or not at all; durable.

    `config` is plain JSON. It must have `image_size`; the card also shows `trial_id`, `fit` and
    the objects `hyperparameters`, `balance`, `training`, `metrics`, `grey_metrics` (the same
    metrics of the all-grey answer), `test_metrics` ([value, low, high] of each on photos that chose
    nothing), `test_grey_metrics`, `test_guards` (verdict by guard), `data` and `versions`; further
    entries are kept as they are. `onnx_rgb` adds the ONNX graph from sRGB to sRGB.

    InputError when `out` exists (with `force`: when it holds anything but a bundle), or when the
    generator's weights are not finite.
    """
    out = out.expanduser().resolve()
    check_target(out, force=force)
    entries = dict(config) | {
        "format": FORMAT,
        "generator_complexity": generator.complexity,
        "dropout": float(config.get("dropout", 0.5)),
        "smooth_upsampling": generator.smooth_upsampling,
    }
    generator_settings(entries)
    temporary = out.with_name(f".{out.name}.{secrets.token_hex(4)}.tmp")
    try:
        make_folder(temporary)
    except OSError as error:
        raise InputError(f"cannot write to {out.parent}: {error.strerror}") from None
    try:
        entries["weights_sha256"] = write_weights(temporary / WEIGHTS_NAME, generator)
        (temporary / CONFIG_NAME).write_text(dump_config(entries), encoding="utf-8")
        if samples_png is not None:
            (temporary / SAMPLES_NAME).write_bytes(samples_png)
        written = load_bundle(temporary)  # what cannot be loaded again is not worth the rest
        card = model_card(
            written.config, has_samples=samples_png is not None, has_rgb_onnx=onnx_rgb
        )
        (temporary / CARD_NAME).write_text(card, encoding="utf-8")
        write_onnx(
            temporary / ONNX_NAME,
            generator,
            metadata={
                "format": str(FORMAT),
                "image_size": str(entries["image_size"]),
                "input": "L*/50 - 1",
                "output": "a*/127, b*/127",
            },
        )
        if onnx_rgb:
            write_rgb_onnx(temporary / RGB_ONNX_NAME, generator, image_size=written.image_size)
        _move_into_place(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_target(out: Path, *, force: bool) -> None:
    """Raise InputError unless a bundle may be written to the folder `out`.

    An existing folder is replaced only with `force`, and only when it holds nothing but a bundle.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"the bundle's folder must be new, but {out} is a file")
    if not force:
        raise InputError(
            f"the bundle's folder must be new, but {out} exists; name another, or use --force"
        )
    strangers = sorted(entry.name for entry in out.iterdir() if entry.name not in KNOWN_NAMES)
    if strangers:
        raise InputError(
            f"only a bundle can be overwritten, but {out} also holds {strangers[0]!r}; "
            "name another folder"
        )


def load_bundle(path: str | Path) -> Bundle:
    """Load the bundle in the folder `path`; nothing in it is ever executed or unpickled.

    InputError when the folder is no bundle, is damaged or was written by a newer version.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise InputError(f"a bundle is a folder made by `chromatune export`, but {folder} is none")
    if not (folder / CONFIG_NAME).exists() or not (folder / WEIGHTS_NAME).exists():
        raise InputError(
            f"a bundle holds {CONFIG_NAME} and {WEIGHTS_NAME}, but {folder} lacks one; "
            "make a bundle with `chromatune export`"
        )
    name = str(folder / CONFIG_NAME)
    config = parse_config(
        read_regular_file(folder / CONFIG_NAME, max_bytes=MAX_CONFIG_BYTES), name=name
    )
    try:
        settings = generator_settings(config)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    generator = read_weights(folder / WEIGHTS_NAME, settings, sha256=config.get("weights_sha256"))
    return Bundle(generator=generator, config=config)


def _move_into_place(new: Path, out: Path) -> None:
    if not out.exists():
        move_folder(new, out)
        return
    old = new.with_suffix(".old")
    out.rename(old)
    try:
        move_folder(new, out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
