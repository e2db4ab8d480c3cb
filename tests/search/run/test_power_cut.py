"""Power cuts at any moment: a search goes on with what it was asked for, none twice, none lost."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from optuna.trial import TrialState

from data_pipeline import durable
from data_pipeline.errors import InputError
from models.file_names import BEST, CHECKPOINT, CURVES, PARAMETERS, SAMPLES, VALIDATION
from models.training.checkpoint import encode_checkpoint, load_checkpoint, save_checkpoint
from models.training.report import EpochReport
from search.config import EarlyStopping
from search.run.directory import RunFolder, read_json, read_rows
from search.run.ledger import Ledger
from search.run.trial_rows import OpenTrial
from search.study.creation import open_study
from tests.search.ledgers import WINDOWS, make_config, make_report
from tests.search.power_cut import Disk

TRIALS, REPEATS, SLOTS = 4, 1, 2
CONFIG = make_config(
    trials=TRIALS,
    finalists=1,
    repeats=REPEATS,
    early_stopping=EarlyStopping(grace_epochs=1, reduction_factor=2),
    points=({"generator_complexity": 16},),
)
STATES = {
    "complete": TrialState.COMPLETE,
    "pruned": TrialState.PRUNED,
    "failed": TrialState.FAIL,
}


class FakeTraining:
    """Keeps what a `TrialTraining` keeps, in its order, and learns nothing."""

    def __init__(self, folder: Path, opened: OpenTrial) -> None:
        self.trial_id = opened.trial_id
        self._folder, self._told = folder, opened.reported_epoch
        durable.make_folder(folder)
        durable.remove_leftovers(folder)
        path = folder / CHECKPOINT
        self._last: EpochReport | None = None
        if path.exists():
            self._last = EpochReport.from_dict(load_checkpoint(path)["last_report"])

    def run_epoch(self) -> EpochReport:
        if self._last is None or self._last.epoch <= self._told:
            self._last = self._train(self._last.epoch + 1 if self._last else 1)
        self._told = self._last.epoch
        return self._last

    def _train(self, epoch: int) -> EpochReport:
        values = [self._value(n) for n in range(1, epoch + 1)]
        best = values.index(min(values)) + 1
        report = make_report(epoch, value=values[-1], best=best)
        best_metrics = {**report.metrics, "set_swd": values[best - 1]}
        report = replace(report, best_metrics=best_metrics)
        if best == epoch:
            content = encode_checkpoint({"epoch": epoch})
            durable.replace_files(self._folder, {BEST: content, SAMPLES: f"epoch {epoch}".encode()})
        save_checkpoint(
            self._folder / CHECKPOINT,
            {"last_report": report.to_dict(), "training": {"generator_optimizer": epoch}},
        )
        return report

    def _value(self, epoch: int) -> float:
        return 1.0 + Random(f"{self.trial_id} {epoch}").random()


@dataclass
class Session:
    """One process of a search: what it was given, and what it was told to be done with."""

    asked: set[str] = field(default_factory=set)
    #: epochs that were recorded, and ends that were written, before the power failed
    epochs: dict[str, int] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)

    def search(self, root: Path, rng: Random) -> None:
        run = RunFolder(root / "runs" / "first")
        if (run.path / "run.json").exists():
            run.check_present()
        else:
            run.create(CONFIG.to_dict(), command=["chromatune"], data={"photos": 3})
        run.lock()
        try:
            run.configure(CONFIG.to_dict(), {"photos": 3})
            run.set_status("running")
            study = open_study(run.study_path, CONFIG)
            self._run_trials(Ledger(run, study, CONFIG), rng)
            run.set_status("finished")
        finally:
            run.close()

    def _run_trials(self, ledger: Ledger, rng: Random) -> None:
        self.ended |= set(ledger.ended)
        slots: list[FakeTraining] = []
        while True:
            while len(slots) < SLOTS and (opened := ledger.ask()):
                self.asked.add(opened.trial_id)
                slots.append(FakeTraining(ledger.run.trial_folder(opened.trial_id), opened))
            if not slots:
                return
            training = rng.choice(slots)
            report = training.run_epoch()
            stop = ledger.report(training.trial_id, report, device="cpu")
            self.epochs[training.trial_id] = report.epoch
            if stop:
                slots.remove(training)
                ledger.finish(training.trial_id)
                self.ended.add(training.trial_id)


def search_with_power_cuts(place: Path, seed: int) -> int:
    """Search until all is done, with a power cut or several; return how many there were."""
    rng = Random(seed)
    disk_folder, cuts = place / "0", 0
    disk_folder.mkdir(parents=True)
    before = Session()
    while True:
        session = Session()
        # An undisturbed search has some 700 moments.
        moment = rng.randint(1, 700) if cuts < 3 else -1
        disk = Disk(disk_folder, place / str(cuts + 1), rng, moment)
        with disk.powered():
            session.search(disk_folder, rng)
        assert not before.ended & session.asked, "trained again"
        if not disk.failed:
            break
        cuts += 1
        disk_folder = disk.after
        check_kept(disk_folder / "runs" / "first", session)
        before = session
    check_all(disk_folder / "runs" / "first")
    return cuts


def check_kept(run: Path, session: Session) -> None:
    """What a session had done with is there."""
    ended = {row["trial_id"] for row in read_rows(run / "trials.jsonl") if row.get("ended_at")}
    assert session.ended <= ended
    for trial_id, epochs in session.epochs.items():
        validations = read_rows(run / "trials" / trial_id / VALIDATION)
        assert len(validations) >= epochs


def check_all(run: Path) -> None:
    """The asked number of trials, each with one end, and all of its files from the same epoch."""
    history: dict[str, list[dict[str, Any]]] = {}
    for row in read_rows(run / "trials.jsonl"):
        history.setdefault(row["trial_id"], []).append(row)
    assert sorted(history) == [f"{number:04d}" for number in range(TRIALS + REPEATS)]
    assert sum(rows[-1]["phase"] == "repeat" for rows in history.values()) == REPEATS
    trials = open_study(RunFolder(run).study_path, CONFIG).trials
    assert len(trials) == TRIALS + REPEATS
    for trial, (trial_id, rows) in zip(trials, sorted(history.items()), strict=True):
        assert [row["state"] == "running" for row in rows] == [True, False]
        last, folder = rows[-1], run / "trials" / trial_id
        assert trial.state is STATES[last["state"]]
        assert last["state"] in ("complete", "pruned"), last["reason"]
        if last["state"] == "complete":
            assert trial.value == last["set_swd"]
        assert last["generator_complexity"] == trial.params["generator_complexity"]
        assert read_json(folder / PARAMETERS).items() <= last.items()
        epochs = [row["epoch"] for row in read_rows(folder / VALIDATION)]
        assert epochs == list(range(1, last["epochs"] + 1))
        assert len(read_rows(folder / CURVES)) == WINDOWS * len(epochs)
        assert load_checkpoint(folder / CHECKPOINT)["last_report"]["epoch"] == last["epochs"]
        assert load_checkpoint(folder / BEST)["epoch"] == last["best_epoch"]
        assert (folder / SAMPLES).read_text() == f"epoch {last['best_epoch']}"
    pictures = [path for path in (run / "artifacts").iterdir() if path.read_bytes()]
    assert len(pictures) >= len(trials)
    assert read_json(run / "run.json")["status"] == "finished"
    assert not list(run.rglob("*.tmp"))


@pytest.mark.parametrize("seed", range(24))
def test_a_search_goes_on_after_power_cuts(seed: int, tmp_path: Path) -> None:
    search_with_power_cuts(tmp_path, seed)


@pytest.mark.slow
def test_a_search_goes_on_after_300_power_cuts(tmp_path: Path) -> None:
    cuts = seed = 0
    while cuts < 300:
        seed += 1
        cuts += search_with_power_cuts(tmp_path / str(seed), 1000 + seed)


@pytest.mark.parametrize("left_out", ["append", "sync_file", "sync_folder"])
def test_a_sync_that_is_left_out_is_found(
    left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def append_without_sync(path: Path, content: bytes) -> None:
        with path.open("ab") as file:
            file.write(content)

    stand_in = append_without_sync if left_out == "append" else lambda path: None
    monkeypatch.setattr(durable, left_out, stand_in)

    def survives(seed: int) -> bool:
        try:
            search_with_power_cuts(tmp_path / str(seed), seed)
        except (AssertionError, InputError):
            return False
        return True

    assert not all(survives(seed) for seed in range(8))


@pytest.mark.parametrize("lost", ["end", "start and end", "end and epochs", "all"])
def test_what_the_study_alone_knows_is_written_again(lost: str, tmp_path: Path) -> None:
    whole = Session()
    whole.search(tmp_path, Random(0))
    run = tmp_path / "runs" / "first"
    rows = read_rows(run / "trials.jsonl")
    before = {row["trial_id"]: row for row in rows}
    if lost == "all":
        (run / "trials.jsonl").unlink()
        shutil.rmtree(run / "trials" / "0001")
    else:
        kept_states = () if lost == "start and end" else ("running",)
        kept = [row for row in rows if row["trial_id"] != "0001" or row["state"] in kept_states]
        text = "".join(json.dumps(row) + "\n" for row in kept)
        (run / "trials.jsonl").write_text(text)
    if lost == "end and epochs":
        (run / "trials" / "0001" / VALIDATION).unlink()
        (run / "trials" / "0001" / CURVES).unlink()
    again = Session()
    again.search(tmp_path, Random(0))
    assert again.asked == set()
    assert again.ended == whole.ended
    after = {row["trial_id"]: row for row in read_rows(run / "trials.jsonl")}
    assert after.keys() == before.keys()
    unknown = {"ended_at", "started_at"}
    if lost in ("end and epochs", "all"):
        # Of losses and time, the study keeps less than a row does.
        unknown |= {"seconds", "images", "adversarial_drift_low", "adversarial_drift_high"}
        unknown |= {"probability_real", "probability_fake", "discriminator_verdict"}
    for key in before["0001"].keys() - unknown:
        assert after["0001"][key] == before["0001"][key], key
    assert len(open_study(RunFolder(run).study_path, CONFIG).trials) == TRIALS + REPEATS
