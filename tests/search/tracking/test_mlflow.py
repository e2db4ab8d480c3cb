"""A search in a real MLflow server: what is there, that nothing is there twice, and no server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from analysis.stored_run.run import open_run
from models.bundle.store import load_bundle
from models.metrics.names import METRICS
from search.run.directory import read_json, read_rows
from tests.search.ledgers import EPOCHS
from tests.search.tracking.sessions import TRIALS, follow, interrupted_session, resumed_session


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def start_server(folder: Path, port: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    words += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "1"}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 180
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return process
        except OSError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    process = start_server(tmp_path_factory.mktemp("mlflow"), port)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


@pytest.fixture
def client(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """Of an experiment of its own for each test."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    return MlflowClient(server)


def runs_of(client: MlflowClient) -> dict[str, Run]:
    experiment = client.get_experiment_by_name(os.environ["MLFLOW_EXPERIMENT_NAME"])
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert len({run.info.run_name for run in runs}) == len(runs)
    return {run.info.run_name: run for run in runs}


def history(client: MlflowClient, run: Run, metric: str) -> list[tuple[int, float]]:
    points = client.get_metric_history(run.info.run_id, metric)
    return sorted((point.step, point.value) for point in points)


def test_all_of_a_run_is_there(run: Path, client: MlflowClient, tmp_path: Path) -> None:
    copy = tmp_path / "mine"
    shutil.copytree(run, copy)
    before = dict(os.environ)
    assert follow(copy, "mlflow") == []
    assert dict(os.environ) == before
    logged = runs_of(client)
    assert set(logged) == {"mine", "mine 0000", "mine 0001", "mine 0002"}
    # 0001 failed at once, 0002 diverged; see `search_without_ray`.
    states = {"0000": "FINISHED", "0001": "FAILED", "0002": "FAILED"}
    for trial_id, status in states.items():
        entry, folder = logged[f"mine {trial_id}"], copy / "trials" / trial_id
        assert entry.info.status == status
        assert entry.data.tags["mlflow.parentRunId"] == logged["mine"].info.run_id
        for name, value in read_json(folder / "parameters.json").items():
            assert entry.data.params[name] == str(value)
        rows = read_rows(folder / "validation.jsonl")
        for name in METRICS:
            expected = [(row["step"], row[name]) for row in rows if row[name] is not None]
            assert history(client, entry, name) == expected
        for name in ("samples.png", "originals.png"):
            if rows:
                path = client.download_artifacts(entry.info.run_id, name, str(tmp_path))
                assert Path(path).read_bytes() == (folder / name).read_bytes()
    assert logged["mine 0002"].data.tags["reason"] == "non-finite loss: total was nan at step 4"
    losses = {row["step"]: row for row in read_rows(copy / "trials/0000/curves.jsonl")}
    assert history(client, logged["mine 0000"], "reconstruction_ema") == [
        (row["step"], losses[row["step"]]["reconstruction_ema"])
        for row in read_rows(copy / "trials/0000/validation.jsonl")
    ]
    assert logged["mine"].info.status == "FINISHED"
    assert logged["mine"].data.params["space.generator_lr"] == "0.005"
    bundle = client.download_artifacts(logged["mine"].info.run_id, "bundle", str(tmp_path))
    assert load_bundle(Path(bundle)).config["trial_id"] == "0000"


def test_a_search_that_goes_on_doubles_nothing(client: MlflowClient, tmp_path: Path) -> None:
    ledger, said = interrupted_session(tmp_path, "mlflow")
    assert said == []
    first = runs_of(client)
    assert {name: entry.info.status for name, entry in first.items()} == {
        "run": "KILLED", "run 0000": "FINISHED", "run 0001": "KILLED"
    }  # fmt: skip
    ledger, _ = resumed_session(tmp_path, "mlflow")
    for forgets in (False, True):
        if forgets:  # as after a power cut, or in a copy of the run
            shutil.rmtree(ledger.run.path / "tracking")
            follow(ledger.run.path, "mlflow")
        entries = runs_of(client)
        assert len(entries) == 1 + TRIALS
        assert all(entries[name].info.run_id == first[name].info.run_id for name in first)
        assert {entry.info.status for entry in entries.values()} == {"FINISHED"}
        for row in open_run(ledger.run.path).trials.to_dict("records"):
            trial_id = str(row["trial_id"])
            rows = read_rows(ledger.run.path / "trials" / trial_id / "validation.jsonl")
            assert len(rows) == EPOCHS
            points = [(row["step"], row["set_swd"]) for row in rows]
            assert history(client, entries[f"run {trial_id}"], "set_swd") == points
            params = entries[f"run {trial_id}"].data.params
            assert params["generator_complexity"] == str(row["generator_complexity"])


def test_a_server_that_is_away_gets_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", tmp_path.name)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    ledger, said = resumed_session(tmp_path, "mlflow")
    assert [ended.state for ended in ledger.ended.values()] == ["complete"] * TRIALS
    (line,) = said
    assert line.startswith("chromatune: mlflow does not get all results (")
    assert line.endswith("is sent later or with --resume")
    assert "\n" not in line
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    follow(ledger.run.path, "mlflow")
    client = MlflowClient(server)
    entries = runs_of(client)
    assert len(entries) == 1 + TRIALS
    assert len(history(client, entries["run 0002"], "set_swd")) == EPOCHS
