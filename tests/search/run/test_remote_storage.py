"""Copies of a run in a folder and in a bucket: what others read, what happens when it is down."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.errors import InputError
from models.bundle.store import load_bundle
from search.addresses import is_remote_storage
from search.cli.main import main
from search.cli.storage_flag import tell_apart, without_secrets
from search.config import SearchConfig
from search.run import sync
from search.run.directory import read_json
from search.run.remote_storage import (
    RemoteStorage,
    RemoteStorageError,
    open_remote_storage,
    without_credentials,
)
from search.run.sync import RUN_FILES, RunSync
from tests.search.driving import SEARCH, start

SECRET = "s3://me:s3cret@bucket/runs?secret_key=s3cret&region=eu-west-1"


class Server:
    """A real S3 server of this machine; what it holds ends with it."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.query = f"endpoint_override=127.0.0.1:{self.port}&scheme=http"
        words = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ}
        )
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                assert self.process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def make_bucket(self) -> None:
        from pyarrow.fs import FileSystem

        uri = f"s3://bucket?{self.query}&allow_bucket_creation=true"
        FileSystem.from_uri(uri)[0].create_dir("bucket")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture(scope="module")
def keys() -> Iterator[None]:
    names = {
        "AWS_ACCESS_KEY_ID": "someone",
        "AWS_SECRET_ACCESS_KEY": "something",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    yield
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture(scope="module")
def server(keys: None) -> Iterator[Server]:
    pytest.importorskip("moto.server")
    server = Server()
    try:
        server.make_bucket()
        yield server
    finally:
        server.stop()


def _copy(run: Path, address: str, said: list[str] | None = None) -> None:
    place = open_remote_storage(address, run.name, new=False)
    with RunSync(run, place, (said if said is not None else []).append):
        pass


def _out(capsysbinary: pytest.CaptureFixture[bytes], *words: str) -> bytes:
    assert main(list(words)) == 0
    return capsysbinary.readouterr().out


@pytest.fixture(params=["s3", "file", "folder"])
def copied(request: pytest.FixtureRequest, run: Path, tmp_path: Path) -> str:
    """Where a copy of the run is, as `chromatune leaderboard` takes it."""
    folder = tmp_path / "share"
    if request.param == "folder":
        _copy(run, str(folder))
        return str(folder / run.name)
    if request.param == "file":
        _copy(run, folder.as_uri())
        return f"{folder.as_uri()}/{run.name}"
    query = request.getfixturevalue("server").query
    _copy(run, f"s3://bucket/runs?{query}")
    return f"s3://bucket/runs/{run.name}?{query}"


def test_a_copy_is_read_as_the_run_itself(
    copied: str, run: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    words = ["leaderboard", "--format", "json"]
    assert _out(capsysbinary, *words, copied) == _out(capsysbinary, *words, str(run))
    words = ["compare", str(run)]
    assert _out(capsysbinary, *words, copied) == _out(capsysbinary, *words, str(run))
    for place in (str(run), copied):
        assert main(["report", place, "--out", str(tmp_path / "report.html")]) == 0
        assert main(["export", place, "--out", str(tmp_path / "bundle"), "--force"]) == 0
        bundle = load_bundle(tmp_path / "bundle")
        capsysbinary.readouterr()
    assert bundle.config["run"] == run.name
    assert (tmp_path / "bundle" / "samples.png").exists()


def test_a_search_is_copied_to_a_bucket_while_it_runs(server: Server, tmp_path: Path) -> None:
    address = f"s3://bucket/live?{server.query}"
    process = start([*SEARCH, "--storage", address], tmp_path, tmp_path / "cache")
    out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert out == ""
    run = tmp_path / "runs" / "killed"
    place = RemoteStorage(address, "killed")
    there = place.stamps()
    for path in run.rglob("*"):
        name = str(path.relative_to(run))
        if path.is_file() and name.startswith(("trials", "run.json", "study", "data")):
            assert there[name][1] == path.stat().st_size, name
    assert read_json(run / "config.json")["results"] == address
    # The name is taken now, and the study's folder is left alone.
    again = start([*SEARCH, "--storage", address], tmp_path / "cache", tmp_path / "cache")
    _, error = again.communicate(timeout=240)
    assert again.returncode == 2
    assert "free" in error
    assert "--name" in error


def test_a_place_that_goes_down_costs_one_line(keys: None, tmp_path: Path) -> None:
    pytest.importorskip("moto.server")
    server = Server()
    try:
        server.make_bucket()
        run = tmp_path / "run"
        run.mkdir()
        place = open_remote_storage(f"s3://bucket/runs?{server.query}", "run", new=True)
        said: list[str] = []
        with RunSync(run, place, said.append):
            server.stop()
            (run / "run.json").write_text("{}")
        (line,) = said
        assert f"do not reach s3://bucket/runs/run?{server.query}" in line
        assert "--resume" in line
        assert "\n" not in line
    finally:
        server.stop()


class _Shaky(RemoteStorage):
    failures = 0

    def write(self, name: str, content: bytes) -> None:
        if self.failures:
            self.failures -= 1
            raise RemoteStorageError("hiccup")
        super().write(name, content)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "PAUSE_SEC", 0.01)
    monkeypatch.setattr(sync, "INTERVAL_SEC", 0.05)


@pytest.mark.usefixtures("quick")
def test_a_hiccup_is_no_news(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "trials" / "0000").mkdir(parents=True)
    (run / "trials" / "0000" / "best.pt").write_bytes(b"1")
    for name in RUN_FILES:
        (run / name).write_text("{}")
    place, said = _Shaky(str(tmp_path / "share"), "run"), list[str]()
    place.failures = sync.TRIES - 1
    with RunSync(run, place, said.append):
        pass
    assert said == []
    assert sorted(place.stamps()) == sorted([*RUN_FILES, "trials/0000/best.pt"])
    # Lasting: one line, and all of it arrives when the place is there again.
    place.failures = 3 * sync.TRIES
    (run / "run.json").write_text("{} ")
    with RunSync(run, place, said.append):
        deadline = time.monotonic() + 30
        while place.stamps()["run.json"][1] != 3:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert len(said) == 1


@pytest.mark.usefixtures("quick")
def test_large_files_go_once(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "trials" / "0000").mkdir(parents=True)
    (run / "trials" / "0000" / "best.pt").write_bytes(b"old")
    _copy(run, str(tmp_path / "share"))
    copy = tmp_path / "share" / "run" / "trials" / "0000" / "best.pt"
    before = copy.stat().st_ino
    _copy(run, str(tmp_path / "share"))
    assert copy.stat().st_ino == before
    (run / "trials" / "0000" / "best.pt").write_bytes(b"new")
    _copy(run, str(tmp_path / "share"))
    assert copy.read_bytes() == b"new"


@pytest.mark.parametrize("address", ["/proc/nowhere", "file:///proc/nowhere"])
def test_a_place_that_cannot_be_written_is_one_line(address: str, tmp_path: Path) -> None:
    process = start([*SEARCH, "--storage", address], tmp_path, tmp_path / "cache")
    out, error = process.communicate(timeout=240)
    assert process.returncode == 2, error
    assert out == ""
    assert error.count("\n") == 1
    assert address in error
    assert not (tmp_path / "runs").exists()


def test_a_bucket_that_is_not_there_is_one_line(server: Server) -> None:
    with pytest.raises(InputError, match="a place that can be written") as caught:
        open_remote_storage(f"s3://nobucket/runs?{server.query}", "run", new=True)
    assert "\n" not in str(caught.value)


def test_which_addresses_are_places() -> None:
    for address in ("/mnt/share", "file:///mnt/share", "s3://bucket/runs", "gs://bucket"):
        assert is_remote_storage(address)
    for address in ("postgresql://a@b/c", "sqlite:////tmp/a.db", "runs", "redis://host", ""):
        assert not is_remote_storage(address)
    with pytest.raises(InputError, match="absolute folder or a URI"):
        SearchConfig(name="a", results="relative/folder")
    assert SearchConfig.from_dict({"name": "a"}).results is None


def test_a_database_and_a_place_may_be_given() -> None:
    def told(*storage: str) -> tuple[str | None, str | None]:
        arguments = argparse.Namespace(storage=list(storage))
        tell_apart(arguments)
        return arguments.storage, arguments.results

    assert told() == (None, None)
    assert told("s3://b/runs", "sqlite:////a.db") == ("sqlite:////a.db", "s3://b/runs")
    assert told("/mnt/share") == (None, "/mnt/share")
    for twice in (("/a", "/b"), ("sqlite:////a.db", "sqlite:////b.db")):
        with pytest.raises(InputError, match=r"one .* at most, but got 2"):
            told(*twice)


def test_keys_are_never_stored() -> None:
    assert without_credentials(SECRET) == "s3://bucket/runs?region=eu-west-1"
    assert without_credentials("/mnt/share") == "/mnt/share"
    config = SearchConfig(name="a", results=SECRET)
    assert "s3cret" not in json.dumps(config.to_dict())
    words = ["search", "--storage", SECRET, f"--storage={SECRET}"]
    assert "s3cret" not in " ".join(without_secrets(words))


HOSTILE = {
    "config.json": {"fit": "../../x", "validation_fraction": "no", "space": 3},
    "data.json": {"cache": {"32": "/etc"}, "source": "../../x\n# owned", "photos": []},
    "train.json": [1, 2],
}


@pytest.mark.parametrize("as_uri", [True, False])
@pytest.mark.parametrize("name", [*HOSTILE, "trials.jsonl", "samples.png", "best.pt"])
def test_a_hostile_copy_writes_nothing_elsewhere(
    name: str, as_uri: bool, run: Path, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    trial = sorted(path.name for path in (copy / "trials").iterdir())[0]
    if name == "trials.jsonl":
        row = json.loads((copy / name).read_text().splitlines()[-1])
        with (copy / name).open("a") as file:
            for evil in ("../../../evil", "/tmp/evil", "0000/../..", ".."):
                file.write(json.dumps({**row, "trial_id": evil}) + "\n")
    elif name in HOSTILE:
        (copy / name).write_text(json.dumps(HOSTILE[name]))
    else:
        path = copy / "trials" / trial / name
        path.unlink()
        path.symlink_to(tmp_path / "outside")
    (tmp_path / "outside").write_text("mine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    out = tmp_path / "out" / "bundle"
    where = copy.as_uri() if as_uri else str(copy)
    assert main(["export", where, "--out", str(tmp_path / "out" / "best")]) in (0, 2)
    code = main(["export", where, "--out", str(out), "--trial", trial])
    assert code in (0, 2)
    assert b"Traceback" not in capsysbinary.readouterr().err
    new = {path for path in tmp_path.rglob("*") if not path.is_relative_to(tmp_path / "out")}
    assert {path: path.stat().st_mtime_ns for path in new} == before
    if name == "best.pt":
        assert code == 2
