"""A bundle is pushed to a stand-in for the Hub that speaks its protocol on this machine."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import HfApi

from data_pipeline.errors import InputError
from models.bundle.card import model_card
from models.bundle.publish import check_licence, prepare_publication, push
from models.bundle.store import FILE_NAMES, load_bundle
from tests.models.trained_bundle import edit_config


class Hub:
    """Keeps what is committed to it; refuses every token but one."""

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers["Authorization"] != "Bearer hf_right":
                    self._answer(401, {"error": "Invalid credentials"})
                elif self.path == "/api/repos/create":
                    hub.created.append(json.loads(body))
                    self._answer(200, {"url": hub.url + "/me/sunny"})
                elif self.path == "/api/validate-yaml":
                    self._answer(200, {"errors": [], "warnings": []})
                elif self.path == "/api/models/me/sunny/preupload/main":
                    paths = [file["path"] for file in json.loads(body)["files"]]
                    modes = [{"path": p, "uploadMode": "regular", "shouldIgnore": False}
                             for p in paths]  # fmt: skip
                    self._answer(200, {"files": modes})
                elif self.path == "/api/models/me/sunny/commit/main":
                    for line in map(json.loads, body.splitlines()):
                        if line["key"] == "file":
                            content = base64.b64decode(line["value"]["content"])
                            hub.files[line["value"]["path"]] = content
                    address = hub.url + "/me/sunny/commit/abc"
                    self._answer(200, {"commitUrl": address, "commitOid": "abc"})
                else:
                    self._answer(404, {"error": "no such thing"})

            def do_GET(self) -> None:
                self._answer(404, {"error": "not there"})

            def _answer(self, status: int, values: dict[str, Any]) -> None:
                content = json.dumps(values).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


def test_the_hub_gets_the_files_of_the_bundle_and_nothing_else(copied: Path, hub: Hub) -> None:
    (copied / "notes.txt").write_text("mine")
    publication = prepare_publication(copied, "me/sunny")
    assert publication.files == {n: (copied / n).stat().st_size for n in FILE_NAMES}
    assert hub.created == []
    address = push(publication, private=True, api=HfApi(endpoint=hub.url, token="hf_right"))
    assert address == hub.url + "/me/sunny/commit/abc"
    assert (hub.created[0]["name"], hub.created[0]["organization"]) == ("sunny", "me")
    assert hub.files == {name: (copied / name).read_bytes() for name in FILE_NAMES}


def test_a_refused_token_is_bad_input_and_a_silent_hub_is_not(copied: Path, hub: Hub) -> None:
    publication = prepare_publication(copied, "me/sunny")
    with pytest.raises(InputError, match="no valid token was sent; log in with"):
        push(publication, api=HfApi(endpoint=hub.url, token="hf_wrong"))
    with pytest.raises(RuntimeError, match=r"refused the bundle \(404\)"):
        push(
            prepare_publication(copied, "me/rainy"),
            api=HfApi(endpoint=hub.url, token="hf_right"),
        )
    assert hub.files == {}
    hub.server.shutdown()
    hub.server.server_close()
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
