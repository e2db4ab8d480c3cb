"""A bundle is pushed to a stand-in for the Hub that speaks its protocol on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import HfApi

from data_pipeline.errors import InputError
from models.bundle.card import model_card
from models.bundle.publish import check_licence, prepare_publication, push
from models.bundle.store import FILE_NAMES, load_bundle
from tests.models.local_hub import LocalHub
from tests.models.trained_bundle import edit_config


def test_the_hub_gets_the_files_of_the_bundle_and_nothing_else(copied: Path, hub: LocalHub) -> None:
    (copied / "notes.txt").write_text("mine")
    publication = prepare_publication(copied, "me/sunny")
    assert publication.files == {n: (copied / n).stat().st_size for n in FILE_NAMES}
    assert hub.created == []
    address = push(publication, private=True, api=HfApi(endpoint=hub.url, token="hf_right"))
    assert address == hub.url + "/me/sunny/commit/abc"
    assert (hub.created[0]["name"], hub.created[0]["organization"]) == ("sunny", "me")
    assert hub.files == {name: (copied / name).read_bytes() for name in FILE_NAMES}
    (example,) = yaml.safe_load(hub.files["README.md"].split(b"---")[1])["widget"]
    assert example["output"]["url"] in hub.files


def test_a_refused_token_is_bad_input_and_a_silent_hub_is_not(copied: Path, hub: LocalHub) -> None:
    publication = prepare_publication(copied, "me/sunny")
    with pytest.raises(InputError, match="no valid token was sent; log in with"):
        push(publication, api=HfApi(endpoint=hub.url, token="hf_wrong"))
    with pytest.raises(RuntimeError, match=r"refused the bundle \(404\)"):
        push(
            prepare_publication(copied, "me/rainy"),
            api=HfApi(endpoint=hub.url, token="hf_right"),
        )
    assert hub.files == {}
    hub.close()
    with pytest.raises(RuntimeError, match="does not answer") as caught:
        push(publication, api=HfApi(endpoint=hub.url, token="hf_right"))
    assert not isinstance(caught.value, OSError)


@pytest.mark.parametrize("name", ["sunny", "me/sunny/large", "me/su nny", "me/..", ""])
def test_other_names_and_other_folders_are_refused(copied: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="must be OWNER/NAME"):
        prepare_publication(copied, name)
    with pytest.raises(InputError, match="a bundle is a folder"):
        prepare_publication(tmp_path / "absent", "me/sunny")


def test_the_card_names_the_licence(copied: Path) -> None:
    edit_config(copied, licence="cc-by-4.0")
    config = load_bundle(copied).config
    card = model_card(config, has_samples=False)
    assert yaml.safe_load(card.split("---")[1])["license"] == "cc-by-4.0"
    assert "## Licence\n\n`cc-by-4.0`\n" in card
    del config["licence"]
    assert "icen" not in model_card(config, has_samples=False)
    assert prepare_publication(copied, "me/sunny").licence == "cc-by-4.0"


@pytest.mark.parametrize("name", ["MIT", "my own", "", "a: b"])
def test_a_licence_has_the_form_of_an_identifier(name: str) -> None:
    check_licence("apache-2.0")
    with pytest.raises(InputError, match="must be an identifier"):
        check_licence(name)
