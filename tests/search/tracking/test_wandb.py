"""A search in W&B's offline mode: what its files hold, once each."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from models.metrics.names import METRICS
from search.run.directory import read_json, read_rows
from tests.search.ledgers import EPOCHS
from tests.search.tracking.sessions import TRIALS, follow, interrupted_session, resumed_session

#: of W&B's files, which are those of LevelDB's log behind a header of their own
HEADER, BLOCK, FIRST, LAST = 7, 32768, 2, 4


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


def records(path: Path) -> Iterator[Record]:
    content, start, parts = path.read_bytes(), HEADER, b""
    while start + 7 <= len(content):
        if BLOCK - start % BLOCK < 7:  # no room for a record
            start += BLOCK - start % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", content, start)
        parts += content[start + 7 : start + 7 + length]
        start += 7 + length
        if kind not in (FIRST, FIRST + 1):
            yield Record.FromString(parts)
            parts = b""


class Kept:
    """What the files of a run hold."""

    def __init__(self, folder: Path, name: str) -> None:
        self.config: dict[str, Any] = {}
        #: value -> its points (step, value), in the order of the files
        self.history: dict[str, list[tuple[int, Any]]] = {}
        self.summary: dict[str, Any] = {}
        self.artifacts: list[str] = []
        self.exit_codes: list[int] = []
        self.ids: set[str] = set()
        for path in sorted(folder.glob("tracking/wandb/offline-run-*/*.wandb")):
            found = list(records(path))
            (about,) = [r.run for r in found if r.WhichOneof("record_type") == "run"]
            if about.display_name == name:
                self.ids.add(about.run_id)
                for record in found:
                    self._take(record)

    def _take(self, record: Record) -> None:
        for item in (*record.run.config.update, *record.config.update):
            self.config[item.key] = json.loads(item.value_json)
        for item in record.summary.update:
            self.summary[item.key or item.nested_key[0]] = json.loads(item.value_json)
        point = {item.key or item.nested_key[0]: item.value_json for item in record.history.item}
        for key, value in point.items():
            if not key.startswith("_"):
                step = record.history.step.num
                self.history.setdefault(key, []).append((step, json.loads(value)))
        if record.HasField("request") and record.request.HasField("log_artifact"):
            self.artifacts.append(record.request.log_artifact.artifact.name)
        if record.HasField("artifact"):
            self.artifacts.append(record.artifact.name)
        if record.HasField("exit"):
            self.exit_codes.append(record.exit.exit_code)


def test_all_of_a_run_is_there(run: Path, tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(run, copy)
    before = set(os.environ)
    assert follow(copy, "wandb") == []
    # Where W&B finds its own process again.
    assert set(os.environ) - before <= {"WANDB_SERVICE"}
    for trial_id, exit_code in {"0000": 0, "0001": 1, "0002": 1}.items():
        kept, folder = Kept(copy, f"mine {trial_id}"), copy / "trials" / trial_id
        assert kept.exit_codes == [exit_code]
        parameters = read_json(folder / "parameters.json")
        assert {name: kept.config[name] for name in parameters} == parameters
        rows = read_rows(folder / "validation.jsonl")
        for name in METRICS:
            expected = [(row["step"], row[name]) for row in rows if row[name] is not None]
            assert kept.history.get(name, []) == expected
        assert len(kept.history.get("samples", [])) == min(1, len(rows))
    assert kept.summary["reason"] == "non-finite loss: total was nan at step 4"
    pictures = {p.read_bytes() for p in copy.glob("tracking/wandb/*/files/media/images/*.png")}
    assert (copy / "trials/0000/samples.png").read_bytes() in pictures
    whole = Kept(copy, "mine")
    assert whole.config["space.generator_lr"] == 0.005
    assert whole.artifacts == ["mine-bundle"]
    # A second look finds nothing new.
    follow(copy, "wandb")
    assert len(Kept(copy, "mine 0000").history["l1"]) == len(
        read_rows(copy / "trials/0000/validation.jsonl")
    )
    assert Kept(copy, "mine").artifacts == ["mine-bundle"]


def test_a_search_that_goes_on_doubles_nothing(tmp_path: Path) -> None:
    ledger, said = interrupted_session(tmp_path, "wandb")
    assert said == []
    resumed_session(tmp_path, "wandb")
    for trial_id in ledger.run.path.glob("trials/*"):
        kept = Kept(ledger.run.path, f"run {trial_id.name}")
        rows = read_rows(trial_id / "validation.jsonl")
        assert kept.history["set_swd"] == [(row["step"], row["set_swd"]) for row in rows]
        assert len(rows) == EPOCHS
        assert len(kept.ids) == 1
    assert len(list(ledger.run.path.glob("trials/*"))) == TRIALS


def test_nobody_is_asked_for_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("NETRC", str(tmp_path / "absent"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    ledger, (line,) = resumed_session(tmp_path, "wandb")
    assert "wandb login" in line
    assert "WANDB_MODE=offline" in line
    assert [ended.state for ended in ledger.ended.values()] == ["complete"] * TRIALS
