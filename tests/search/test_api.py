"""A search from Python, with real Ray: its callbacks, its end, and going on with it."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import pytest
import ray

from analysis import RunResults
from data_pipeline.errors import InputError
from models.training.report import EpochReport
from search import Search
from search.api import SearchSettings
from search.config import SearchConfig
from search.run.directory import read_json, read_rows
from search.run.ended_trials import EndedTrial
from search.tune.cluster.ray_internals import no_cluster_services

SMALL: dict[str, Any] = {
    "images": "synthetic:40",
    "image_size": 32,
    "batch_size": 8,
    "trials": 2,
    "max_epochs": 2,
    "concurrency": 1,
    "known_points": False,
    "early_stopping": {"enabled": False},
    "space": {"generator_complexity": {"low": 4, "high": 6}, "discriminator_complexity": 4},
}


@pytest.fixture(scope="module", autouse=True)
def session() -> Iterator[None]:
    """Ray of a person who had started it before: it is used, and stays open."""
    with pytest.MonkeyPatch.context() as patch:
        # Ray is nice to other programs: on a busy machine its trials would hardly move.
        patch.setenv("RAY_worker_niceness", "0")
        with no_cluster_services():
            ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False,
                     object_store_memory=100_000_000, logging_level=logging.ERROR)  # fmt: skip
        yield
        ray.shutdown()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_search_calls_back_and_leaves_the_program_as_it_was(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["someone.py", "--their", "flags"])
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), dict(os.environ))
    epochs: list[tuple[str, EpochReport]] = []
    ends: list[EndedTrial] = []

    def on_epoch(trial_id: str, report: EpochReport) -> None:
        print(f"heard of {trial_id}")
        epochs.append((trial_id, report))

    run = Search(name="mine", **SMALL).run(on_epoch=on_epoch, on_trial=ends.append, quiet=True)
    assert isinstance(run, RunResults)
    assert [(trial_id, report.epoch) for trial_id, report in epochs] == [
        ("0000", 1), ("0000", 2), ("0001", 1), ("0001", 2)
    ]  # fmt: skip
    assert [(ended.trial_id, ended.state) for ended in ends] == [
        ("0000", "complete"), ("0001", "complete")
    ]  # fmt: skip
    assert sorted(run.leaderboard()["trial_id"]) == ["0000", "0001"]
    validation = run.validation("0001")
    assert validation["ab_swd"].tolist() == [
        report.metrics["ab_swd"] for trial_id, report in epochs if trial_id == "0001"
    ]
    output = capsys.readouterr()
    assert output.out == "".join(f"heard of {trial_id}\n" for trial_id, _ in epochs)
    assert output.err == ""
    after = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), dict(os.environ))
    assert after == before
    assert ray.is_initialized()
    # Not what another program was started with.
    assert read_json(place / "runs/mine/run.json")["command"] == ["chromatune.Search"]


def test_a_search_goes_on_after_an_interruption_and_an_error_of_a_callback(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = Search(name="mine", **SMALL)

    def interrupt(trial_id: str, report: EpochReport) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        search.run(on_epoch=interrupt, quiet=True)
    assert read_json(search.path / "run.json")["status"] == "interrupted"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def fail(ended: EndedTrial) -> None:
        raise OSError("the notebook's own disk is full")

    with pytest.raises(OSError, match="the notebook's own"):
        search.run(on_trial=fail, quiet=True)
    assert read_json(search.path / "run.json")["status"] == "interrupted"
    run = search.run(quiet=True)
    assert run.trials["state"].tolist() == ["complete", "complete"]
    assert run.trials["epochs"].tolist() == [2, 2]

    # A tracker may come late: it gets what there was before.
    monkeypatch.setenv("WANDB_MODE", "offline")
    extended = Search.resume(search.path, trials=3, log="wandb").run(quiet=True)
    assert extended.trials["state"].tolist() == ["complete"] * 3
    notes = read_rows(search.path / "tracking/wandb.jsonl")
    assert [note["trial_id"] for note in notes if note.get("ended")] == ["0000", "0001", "0002"]
    assert "bundle" in notes[-1]
    assert Search.resume(search.path)._session.config.log == ("wandb",)


def test_a_search_is_steered_while_it_runs(place: Path) -> None:
    # Long trials: requests are looked for now and then, not at each epoch.
    search = Search(name="mine", **{**SMALL, "trials": 8, "max_epochs": 200})

    def steer(trial_id: str, report: EpochReport) -> None:
        if (trial_id, report.epoch) == ("0000", 1):
            search.enqueue(generator_complexity=5)
            search.stop("0000")
        if trial_id == "0001":
            search.stop()

    run = search.run(on_epoch=steer, quiet=True)
    assert run.stored.status == "finished"
    rows = run.trials.set_index("trial_id")
    assert rows.at["0000", "state"] == "pruned"
    assert rows.at["0000", "epochs"] < 200
    assert re.fullmatch(
        r"stopped at epoch \d+: as asked by chromatune stop", rows.at["0000", "reason"]
    )
    assert rows.at["0001", "generator_complexity"] == 5
    assert (rows["state"] == "pruned").all()
    assert len(rows) < 8
    with pytest.raises(InputError, match="must run to be stopped, but runs/mine is finished"):
        search.stop()


def test_what_no_search_can_have_is_refused_at_once(place: Path) -> None:
    with pytest.raises(InputError, match="image_sze"):
        Search(image_sze=64)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="neither"):
        Search(config="beauty")
    with pytest.raises(InputError, match=r"run\.json"):
        Search.resume(place)
    assert list(place.iterdir()) == []
    run = place / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "config.json").write_text('{"name": "mine", "image_size": 64}')
    with pytest.raises(InputError, match="mine exists"):
        Search(name="mine")
    with pytest.raises(InputError, match=r"keeps its image_size \(64\), but got 128"):
        Search.resume(run, image_size=128)


def test_a_ready_search_takes_settings(place: Path) -> None:
    search = Search(config="quality", trials=3, batch_size=4)
    config = search._session.config
    assert config.trials == 3
    assert config.space.fixed["batch_size"] == 4


def test_the_typed_settings_are_those_of_the_configuration() -> None:
    assert set(get_type_hints(SearchSettings)) == set(SearchConfig.__dataclass_fields__)
