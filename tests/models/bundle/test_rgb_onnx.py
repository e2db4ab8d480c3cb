"""The ONNX graph from sRGB to sRGB, run by onnxruntime, does what our own Python does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from models.bundle.rgb_onnx import RGB_ONNX_NAME, write_rgb_onnx
from models.bundle.store import Bundle, load_bundle, write_bundle
from models.colorize.opened_photo import Photo
from models.colorize.pipeline import NetworkInput, apply_chroma, colorize, small_lightness
from models.networks.generator import Generator
from tests.models.recoloured import FixedChroma
from tests.models.trained_bundle import CONFIG, trained_generator

onnxruntime = pytest.importorskip("onnxruntime")
Pixels = npt.NDArray[np.uint8]


def photo(height: int, width: int) -> Pixels:
    """Greys from black to white above, all hues below, and noise in a corner."""
    y, x = np.mgrid[0:height, 0:width]
    hues = np.stack([y * 255 // height, x * 255 // width, (255 - x * 255 // width)], axis=-1)
    greys = np.repeat((x * 255 // (width - 1))[..., None], 3, axis=-1)
    pixels = np.where(y[..., None] < height // 2, greys, hues).astype(np.uint8)
    pixels[-20:, -20:] = np.random.default_rng(0).integers(0, 256, (20, 20, 3))
    return pixels


def by_onnx(session: Any, pixels: Pixels) -> npt.NDArray[np.float32]:
    """The graph's answer, (H, W, 3) in [0, 1]."""
    rgb_N3HW = np.float32(pixels).transpose(2, 0, 1)[None] / 255
    (coloured,) = session.run(None, {"rgb": rgb_N3HW})
    answer: npt.NDArray[np.float32] = coloured[0].transpose(1, 2, 0)
    return answer


def by_python(generator: Generator, pixels: Pixels) -> npt.NDArray[np.float64]:
    """Our own answer, from the whole photo shown at once, (H, W, 3) in [0, 1]."""
    image = Image.fromarray(pixels)
    L_hw = small_lightness(image, image.height, image.width)
    ab_12HW = np.empty((1, 2, *L_hw.shape), np.float32)
    with torch.no_grad():
        ab_12HW[:] = generator(torch.from_numpy(L_hw[None, None] / 50 - 1)).numpy() * 127
    shown = NetworkInput(L_hw, L_hw[None])
    done = apply_chroma(Photo(image, ""), shown, ab_12HW, strength=1.0, compare=False)
    return np.asarray(done.pixels) / 255


#: the second is beyond sRGB nearly everywhere
GENERATORS = {"trained": trained_generator(smooth=True), "blue": FixedChroma(70.0, -90.0)}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The graph of each generator."""
    folder = tmp_path_factory.mktemp("graphs")
    for name, generator in GENERATORS.items():
        write_rgb_onnx(folder / name, generator, image_size=64)
    return {name: onnxruntime.InferenceSession(folder / name) for name in GENERATORS}


@pytest.mark.parametrize("name", GENERATORS)
def test_the_graph_agrees_with_python(sessions: dict[str, Any], name: str) -> None:
    generator, session = GENERATORS[name], sessions[name]
    square = photo(64, 64)
    ours = colorize(square, generator, image_size=64) / 255
    assert np.abs(ours - square / 255).max() > 0.05
    assert np.abs(by_onnx(session, square) - ours).max() <= 1 / 255
    for size in ((32, 32), (96, 160)):
        pixels = photo(*size)
        answer = by_onnx(session, pixels)
        assert np.abs(answer - by_python(generator, pixels)).max() <= 1 / 255
        assert answer.min() >= 0
        assert answer.max() <= 1
        # The channels that stand at sRGB's edge leave lightness some tenths.
        off = np.abs(rgb2lab(answer)[..., 0] - rgb2lab(pixels)[..., 0])
        assert off.max() < 0.5
        assert off.mean() < 0.02
    two = np.float32([photo(64, 96), photo(64, 96)[::-1]]).transpose(0, 3, 1, 2) / 255
    (both,) = session.run(None, {"rgb": two})
    np.testing.assert_allclose(
        both[0].transpose(1, 2, 0), by_onnx(session, photo(64, 96)), atol=1e-5
    )


def test_values_beyond_the_range_and_any_grey_stay_finite(sessions: dict[str, Any]) -> None:
    session = sessions["blue"]
    for value in (-1.0, 0.0, 1e-6, 1.0, 2.0):
        (answer,) = session.run(None, {"rgb": np.full((1, 3, 32, 32), value, np.float32)})
        assert np.isfinite(answer).all()
        if value in (-1.0, 0.0, 1.0, 2.0):  # black and white have no colour
            np.testing.assert_allclose(answer, min(max(value, 0.0), 1.0), atol=2e-3)


def test_it_is_part_of_a_bundle_that_asks_for_it(tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "THIS_FOLDER"
    config = {**CONFIG, "image_size": 32}
    # the other graph takes seconds, and is not what this is about
    monkeypatch.setattr(
        "models.bundle.store.write_onnx", lambda path, *_, **__: path.write_bytes(b"")
    )
    generator = trained_generator()
    write_bundle(out, generator=generator, config=config, samples_png=None, onnx_rgb=True)
    content = (out / RGB_ONNX_NAME).read_bytes()
    assert b".py" not in content
    bundle: Bundle = load_bundle(out)
    card = (out / "README.md").read_text()
    (code,) = [
        block for block in re.findall(r"```python\n(.*?)```", card, re.S) if '"rgb"' in block
    ]
    Image.fromarray(photo(32, 32)).save(tmp_path / "photo.jpg", quality=100, subsampling=0)
    hidden = "import sys; sys.modules['torch'] = sys.modules['skimage'] = None\n"
    subprocess.run([sys.executable, "-c", hidden + code], cwd=tmp_path, check=True)
    shown = np.asarray(Image.open(tmp_path / "photo.jpg"))
    expected = colorize(shown, bundle.generator, image_size=32)
    found = np.asarray(Image.open(tmp_path / "coloured.png"))
    assert np.abs(found.astype(int) - expected).max() <= 1
    # A bundle that is written again without it does not keep that of other weights.
    write_bundle(out, generator=generator, config=config, samples_png=None, force=True)
    assert not (out / RGB_ONNX_NAME).exists()
    assert "generator_rgb" not in (out / "README.md").read_text()
