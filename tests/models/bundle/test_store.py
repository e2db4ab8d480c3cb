"""The bundle: three ways to run it agree, and its card and files say what it is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_pipeline.errors import InputError
from models.bundle.card import model_card
from models.bundle.store import load_bundle, write_bundle
from models.networks.generator import Generator
from tests.models.trained_bundle import CONFIG, edit_config, trained_generator


@pytest.fixture(scope="module")
def smooth_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "smooth"
    write_bundle(folder, generator=trained_generator(smooth=True), config=CONFIG, samples_png=None)
    return folder


@pytest.mark.parametrize("smooth", [False, True])
def test_three_runtimes_agree_at_any_batch_and_size(
    bundle_folder: Path, smooth_folder: Path, smooth: bool
) -> None:
    bundle_folder = smooth_folder if smooth else bundle_folder
    onnxruntime = pytest.importorskip("onnxruntime")
    from models.bundle.hub import PretrainedGenerator

    original = trained_generator(smooth=smooth)
    hub = PretrainedGenerator.from_pretrained(bundle_folder)
    loaded = load_bundle(bundle_folder).generator
    session = onnxruntime.InferenceSession(bundle_folder / "generator.onnx")
    assert not hub.training
    assert not loaded.training
    for shape in [(1, 1, 32, 32), (3, 1, 64, 160), (2, 1, 128, 96)]:
        L_N1HW = torch.rand(shape) * 2 - 1
        with torch.no_grad():
            expected = original(L_N1HW).numpy()
            answers = [hub(L_N1HW).numpy(), loaded(L_N1HW).numpy()]
        (by_onnx,) = session.run(None, {"L": L_N1HW.numpy()})
        assert np.abs(expected).max() > 0.01
        for answer in [*answers, by_onnx]:
            np.testing.assert_allclose(answer, expected, atol=1e-4)


def test_config_is_strict_json_and_complete(bundle_folder: Path) -> None:
    config = load_bundle(bundle_folder).config
    assert config["format"] == 1
    assert config["generator_complexity"] == 4
    assert config["hyperparameters"] == CONFIG["hyperparameters"]
    assert config["metrics"]["ab_swd"] is None  # NaN is no JSON
    assert "NaN" not in (bundle_folder / "config.json").read_text()


def test_smooth_upsampling_is_part_of_a_bundle(copied: Path) -> None:
    # Its weights fit both networks: without the entry, a smooth one would be read as a plain one.
    L_N1HW = torch.rand(1, 1, 64, 64) * 2 - 1
    plain = load_bundle(copied).generator
    assert not plain.smooth_upsampling
    edit_config(copied, smooth_upsampling=True)
    smooth = load_bundle(copied).generator
    expected = Generator(4, smooth_upsampling=True).eval()
    expected.load_state_dict(trained_generator().state_dict())
    assert torch.equal(smooth(L_N1HW), expected(L_N1HW))
    assert not torch.allclose(smooth(L_N1HW), plain(L_N1HW), atol=1e-3)
    config = json.loads((copied / "config.json").read_text())
    del config["smooth_upsampling"]  # a bundle of an earlier version
    (copied / "config.json").write_text(json.dumps(config))
    assert torch.equal(load_bundle(copied).generator(L_N1HW), plain(L_N1HW))


def test_onnx_names_no_path_of_the_machine_that_made_it(bundle_folder: Path) -> None:
    content = (bundle_folder / "generator.onnx").read_bytes()
    assert b".py" not in content
    assert str(Path.cwd()).encode() not in content


def test_hub_copy_is_the_bundle(bundle_folder: Path, tmp_path: Path) -> None:
    from models.bundle.hub import PretrainedGenerator

    PretrainedGenerator.from_pretrained(bundle_folder).save_pretrained(tmp_path / "copy")
    for path in bundle_folder.iterdir():
        assert (tmp_path / "copy" / path.name).read_bytes() == path.read_bytes()


def test_card_is_read_by_the_hub_library(bundle_folder: Path) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard.load(bundle_folder / "README.md")
    assert card.data.library_name == "chromatune"
    assert {r.metric_type: r.metric_value for r in card.data.eval_results} == {
        "l1": 0.06,
        "grey_skill": 0.07,
    }
    (example,) = card.data.widget
    assert example["text"] == "Grey inputs left, outputs right"
    assert (bundle_folder / example["output"]["url"]).is_file()
    assert "| l1 | 0.06 | 0.065 |" in card.text
    assert "| parameter_ratio | 0.81 |" in card.text


def test_card_keeps_odd_values_in_their_cells() -> None:
    from huggingface_hub import ModelCard

    odd = CONFIG | {"generator_complexity": 4, "data": {"source": "a|b\n---\n# c: [", "é": "ü"}}
    card = ModelCard(model_card(odd, has_samples=False))
    assert "samples.png" not in card.content
    assert card.data.eval_results[0].dataset_name == "a|b\n---\n# c: ["
    assert "| source | a\\|b --- # c: [ |" in card.text


@pytest.mark.parametrize("number", [0, 1])
def test_python_of_the_card_runs(bundle_folder: Path, tmp_path: Path, number: int) -> None:
    pytest.importorskip("onnxruntime")
    blocks = re.findall(r"```python\n(.*?)```", (bundle_folder / "README.md").read_text(), re.S)
    assert len(blocks) == 2
    gradient = np.linspace(0, 255, 96 * 80).reshape(80, 96).astype(np.uint8)
    Image.fromarray(gradient).save(tmp_path / "photo.jpg")
    (tmp_path / "THIS_FOLDER").symlink_to(bundle_folder)
    code = blocks[number]
    if number == 1:  # onnxruntime's users have no torch
        code = "import sys; sys.modules['torch'] = None\n" + code
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])},
        check=True,
    )
    with Image.open(tmp_path / "coloured.png") as image:
        assert image.size == ((96, 80) if number == 0 else (64, 64))
        assert np.asarray(image).std(axis=2).max() > 0


def test_existing_folder_is_kept_without_force(copied: Path) -> None:
    before = {path.name: path.read_bytes() for path in copied.iterdir()}
    with pytest.raises(InputError, match="exists"):
        write_bundle(copied, generator=trained_generator(), config=CONFIG, samples_png=None)
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == before


def test_force_replaces_a_bundle_but_nothing_else(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # seconds, and not what this is about
    monkeypatch.setattr(
        "models.bundle.store.write_onnx", lambda path, *_, **__: path.write_bytes(b"")
    )
    generator = trained_generator(6).train()
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    write_bundle(copied, generator=generator, config=CONFIG, samples_png=None, force=True)
    assert generator.training  # the export works on a copy
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert load_bundle(copied).generator.complexity == 6
    assert not (copied / "samples.png").exists()
    (copied / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(InputError, match="holiday"):
        write_bundle(
            copied, generator=trained_generator(), config=CONFIG, samples_png=None, force=True
        )
    assert load_bundle(copied).generator.complexity == 6
    assert (copied / "holiday.jpg").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_nothing_is_left_when_the_export_fails(tmp_path: Path) -> None:
    generator = trained_generator()
    with torch.no_grad():
        generator.out[0].weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(InputError, match="finite"):
        write_bundle(tmp_path / "b", generator=generator, config=CONFIG, samples_png=None)
    assert list(tmp_path.iterdir()) == []


def test_card_says_which_guards_its_colours_fail() -> None:
    config = {**CONFIG, "generator_complexity": 4}
    assert "fail the guards" not in model_card(config, has_samples=False)
    broken = {**config, "broken_guards": "grey_skill is -0.02 and must be > 0"}
    opening = model_card(broken, has_samples=True).split("![Grey inputs")[0]
    assert "fail the guards of the search:** grey_skill is -0.02 and must be > 0." in opening
