"""A stand-in for the Hugging Face Hub: it speaks its protocol, on this machine."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

COMMIT = "c0ffee" * 6 + "c0ff"
MODEL = "/api/models/me/sunny"


class LocalHub:
    """Has the one model me/sunny: keeps what is committed to it, and hands out what it has.

    To write, only the token hf_right will do; to read, also none. `served` are the files asked for.
    """

    def __init__(self) -> None:
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, bytes] = {}
        self.served: list[str] = []
        #: what the Hub says of a file's size, where that is not its own
        self.sizes: dict[str, int] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def written(self, path: str, body: bytes) -> dict[str, Any] | None:
        """What the Hub answers to a request with a body."""
        if path == "/api/repos/create":
            self.created.append(json.loads(body))
            return {"url": self.url + "/me/sunny"}
        if path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if path == MODEL + "/preupload/main":
            paths = [file["path"] for file in json.loads(body)["files"]]
            modes = [
                {"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in paths
            ]
            return {"files": modes}
        if path == MODEL + "/commit/main":
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    content = base64.b64decode(line["value"]["content"])
                    self.files[line["value"]["path"]] = content
            return {"commitUrl": self.url + "/me/sunny/commit/abc", "commitOid": "abc"}
        return None

    def read(self, path: str) -> Any:
        """What the Hub says of the model, or the content of a file of it."""
        if path in (MODEL, MODEL + "/revision/main"):
            siblings = [
                {"rfilename": name, "size": self.sizes.get(name, len(content))}
                for name, content in self.files.items()
            ]
            return {"id": "me/sunny", "sha": COMMIT, "siblings": siblings}
        if path == MODEL + "/tree/" + COMMIT:
            return [
                {"type": "file", "path": name, "size": len(content), "oid": _etag(content)}
                for name, content in self.files.items()
            ]
        return self.files.get(path.removeprefix(f"/me/sunny/resolve/{COMMIT}/"))


def _etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


def _handler(hub: LocalHub) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Authorization"] != "Bearer hf_right":
                self._answer(401, b'{"error": "Invalid credentials"}')
                return
            answer = hub.written(self.path, body)
            if answer is None:
                self._answer(404, b'{"error": "no such thing"}')
            else:
                self._answer(200, json.dumps(answer).encode())

        def do_GET(self) -> None:
            if self.headers["Authorization"] not in (None, "Bearer hf_right"):
                self._answer(401, b'{"error": "Invalid credentials"}')
                return
            found = hub.read(self.path.split("?")[0])
            if found is None:
                self._answer(404, b'{"error": "Repository not found"}', code="RepoNotFound")
            elif isinstance(found, bytes):
                if self.command == "GET":
                    hub.served.append(self.path.rpartition("/")[2])
                self._answer(200, found, kind="application/octet-stream")
            else:
                self._answer(200, json.dumps(found).encode())

        def do_HEAD(self) -> None:
            self.do_GET()

        def _answer(
            self, status: int, content: bytes, *, kind: str = "application/json", code: str = ""
        ) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("ETag", f'"{_etag(content)}"')
            self.send_header("X-Repo-Commit", COMMIT)
            if code:
                self.send_header("X-Error-Code", code)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    return Handler
