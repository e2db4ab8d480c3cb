"""A bundle is found by its name: in a folder, in the cache, or on a stand-in for the Hub."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi
from torch import Tensor

from data_pipeline.errors import InputError
from models.bundle.fetch import open_bundle
from models.bundle.store import Bundle
from tests.models.local_hub import COMMIT, LocalHub
from tests.models.trained_bundle import trained_generator


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


def weights(bundle: Bundle) -> Tensor:
    return bundle.generator.state_dict()["out.0.weight"]


def test_a_model_of_the_hub_is_fetched_once(
    bundle_folder: Path, hub: LocalHub, tmp_path: Path
) -> None:
    hub.files = {path.name: path.read_bytes() for path in bundle_folder.iterdir()}
    hub.files["pytorch_model.bin"] = b"a pickle"
    api, cache, said = HfApi(endpoint=hub.url), tmp_path / "cache", list[str]()
    bundle = open_bundle("me/sunny", api=api, cache_dir=cache, on_fetch=said.append)
    assert torch.equal(weights(bundle), trained_generator().state_dict()["out.0.weight"])
    assert sorted(hub.served) == ["config.json", "generator.safetensors"]
    assert said == ["me/sunny"]
    hub.close()  # from here on without a network
    again = open_bundle("me/sunny", api=api, cache_dir=cache, on_fetch=said.append)
    assert torch.equal(weights(again), weights(bundle))
    assert said == ["me/sunny"]
    assert not list(cache.rglob("pytorch_model.bin"))


def test_what_the_hubs_own_tools_have_fetched_is_used(bundle_folder: Path, tmp_path: Path) -> None:
    model = tmp_path / "cache" / "models--me--sunny"
    (model / "refs").mkdir(parents=True)
    (model / "refs/main").write_text(COMMIT)
    shutil.copytree(bundle_folder, model / "snapshots" / COMMIT)
    nowhere = HfApi(endpoint="http://127.0.0.1:9")
    bundle = open_bundle("me/sunny", api=nowhere, cache_dir=tmp_path / "cache")
    assert bundle.config["trial_id"] == "0007"
    # A part of it, as of an interrupted download, is not taken for the whole.
    (model / "snapshots" / COMMIT / "generator.safetensors").unlink()
    with pytest.raises(InputError, match="cannot be reached"):
        open_bundle("me/sunny", api=nowhere, cache_dir=tmp_path / "cache")


def test_a_folder_of_that_name_comes_first(bundle_folder: Path, hub: LocalHub) -> None:
    shutil.copytree(bundle_folder, "me/sunny")
    hub.files = {"config.json": b"another", "generator.safetensors": b"another"}
    bundle = open_bundle("me/sunny", api=HfApi(endpoint=hub.url), on_fetch=pytest.fail)
    assert bundle.config["trial_id"] == "0007"
    (Path("me/sunny") / "config.json").unlink()  # even where it is no bundle any more
    with pytest.raises(InputError, match="lacks one"):
        open_bundle("me/sunny", api=HfApi(endpoint=hub.url), on_fetch=pytest.fail)


@pytest.mark.parametrize("name", ["./me/sunny", "me/sunny/large", "sunny", Path("me/sunny")])
def test_other_names_are_folders_and_nobody_is_asked(name: str | Path, hub: LocalHub) -> None:
    with pytest.raises(InputError, match="a bundle is a folder made by"):
        open_bundle(name, api=HfApi(endpoint=hub.url), on_fetch=pytest.fail)


def test_models_that_are_no_bundles_are_refused_before_they_are_fetched(
    bundle_folder: Path, hub: LocalHub, tmp_path: Path
) -> None:
    api, cache = HfApi(endpoint=hub.url), tmp_path / "cache"
    hub.files = {"README.md": b"#", "generator.safetensors": b""}
    with pytest.raises(InputError, match=r"the Hub's model me/sunny lacks config\.json"):
        open_bundle("me/sunny", api=api, cache_dir=cache)
    hub.files["config.json"] = (bundle_folder / "config.json").read_bytes()
    hub.sizes["generator.safetensors"] = 2**40
    with pytest.raises(InputError, match="must be at most 1073741824 bytes"):
        open_bundle("me/sunny", api=api, cache_dir=cache)
    assert hub.served == []
    with pytest.raises(InputError, match="no folder me/rainy, and the Hub has no such model"):
        open_bundle("me/rainy", api=api, cache_dir=cache)


def test_without_a_network_there_is_one_line(hub: LocalHub, tmp_path: Path) -> None:
    hub.close()
    with pytest.raises(InputError, match="no folder me/sunny, and the Hub cannot be") as caught:
        open_bundle("me/sunny", api=HfApi(endpoint=hub.url), cache_dir=tmp_path / "cache")
    assert "\n" not in str(caught.value)
