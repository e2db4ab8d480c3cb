"""optuna-dashboard on a run: reads everything, writes nothing."""

from __future__ import annotations

import io
import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.optuna_view.dashboard import dashboard_app, serve
from analysis.stored_run.run import open_run
from analysis.stored_run.run_folder_error import RunFolderError
from tests.analysis.fabricate import Plan, fabricate_run

pytest.importorskip("optuna_dashboard")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    plan = Plan(n_trials=5, n_windows=10, study=True, failed=0, pruned=0)
    return fabricate_run(tmp_path / "first", plan)


def ask(
    app: Any, path: str, method: str = "GET", host: str = "127.0.0.1:8080"
) -> tuple[str, bytes]:
    status: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "HTTP_HOST": host,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "http",
    }
    parts = app(environ, lambda line, headers, exc_info=None: status.append(line))
    return status[0], b"".join(parts)


def test_the_study_is_served_with_the_pictures(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    app = dashboard_app(open_run(folder))
    status, body = ask(app, "/api/studies/0")
    assert status == "200 OK"
    trials = json.loads(body)["trials"]
    assert [trial["state"] for trial in trials] == ["Complete"] * 4 + ["Running"]
    names = [artifact["filename"] for artifact in trials[2]["artifacts"]]
    assert names == ["0002 samples.png", "0002 originals.png"]
    artifact = trials[2]["artifacts"][0]["artifact_id"]
    status, picture = ask(app, f"/artifacts/0/{trials[2]['trial_id']}/{artifact}")
    assert picture == (folder / "trials/0002/samples.png").read_bytes()
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_the_best_trial_is_what_the_leaderboard_calls_best_colours(folder: Path) -> None:
    """Here the lowest value belongs to a trial that breaks a guard by far."""
    rows = [json.loads(line) for line in (folder / "trials.jsonl").read_text().splitlines()]
    lowest = min((row for row in rows if row["state"] == "complete"), key=lambda r: r["ab_swd"])
    lowest |= {"feasible": False, "grey_skill": -3.0}
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    run = open_run(folder)
    chosen = winners(build_leaderboard(run), run.objective).best_colours
    assert chosen != lowest["trial_id"]
    _, body = ask(dashboard_app(run), "/api/studies/0")
    assert [f"{t['number']:04d}" for t in json.loads(body)["best_trials"]] == [chosen]


def test_trials_that_come_later_are_seen(folder: Path) -> None:
    from optuna import load_study
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    from analysis.optuna_view.read_only_storage import RunStorage

    storage = RunStorage(folder)
    assert len(storage.get_all_trials(0)) == 5
    writer = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    load_study(study_name="first", storage=writer).ask()
    assert len(storage.get_all_trials(0)) == 6
    # A row that is being written is not there yet.
    with (folder / "study.journal").open("a") as file:
        file.write('{"op_code": 4, "wor')
    assert len(storage.get_all_trials(0)) == 6


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_written(folder: Path, method: str) -> None:
    status, body = ask(dashboard_app(open_run(folder)), "/api/studies/0", method=method)
    assert status == "403 Forbidden"
    assert b"only reads" in body


def test_other_host_names_are_refused(folder: Path) -> None:
    app = dashboard_app(open_run(folder))
    assert ask(app, "/api/studies", host="evil.example")[0] == "403 Forbidden"
    assert ask(app, "/api/studies", host="localhost:8080")[0] == "200 OK"


@pytest.mark.parametrize("artifact", ["ff-0", "0-7", "zz", "0", "..-0", "-1-0"])
def test_unknown_pictures_are_not_found(folder: Path, artifact: str) -> None:
    from optuna.artifacts.exceptions import ArtifactNotFound

    from analysis.optuna_view.read_only_storage import PictureStore

    with pytest.raises(ArtifactNotFound):
        PictureStore(folder).open_reader(artifact)


def test_a_missing_or_newer_study_is_one_line(folder: Path) -> None:
    journal = folder / "study.journal"
    journal.write_text(journal.read_text() + '{"op_code": 99, "worker_id": "x"}\n')
    with pytest.raises(RunFolderError, match="written by a newer Optuna; upgrade optuna"):
        dashboard_app(open_run(folder))
    journal.unlink()
    with pytest.raises(RunFolderError, match=r"study\.journal is missing"):
        dashboard_app(open_run(folder))
    assert not journal.exists()


def test_a_remote_run_is_refused(folder: Path) -> None:
    with pytest.raises(RunFolderError, match="on this machine"):
        dashboard_app(open_run(folder.as_uri()))


def test_a_missing_package_names_the_remedy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(RunFolderError, match=r"pip install 'chromatune\[dashboard\]'"):
        dashboard_app(open_run(folder))


def test_a_taken_port_is_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(RunFolderError, match="choose another port"):
            serve(open_run(folder), port=taken.getsockname()[1])


def test_a_study_in_a_database_is_shown_alone(tmp_path: Path) -> None:
    import optuna
    from optuna.artifacts import FileSystemArtifactStore, upload_artifact

    folder = fabricate_run(tmp_path / "first", Plan(n_trials=2, n_windows=5))
    address = f"sqlite:///{tmp_path}/studies.db"
    config = json.loads((folder / "config.json").read_text())
    absent = f"sqlite:///{tmp_path}/absent/studies.db"
    (folder / "config.json").write_text(json.dumps({**config, "storage": absent}))
    run = open_run(folder)
    with pytest.raises(RunFolderError, match="does not answer"):
        dashboard_app(run)
    (folder / "config.json").write_text(json.dumps({**config, "storage": address}))
    optuna.create_study(study_name="of somebody else", storage=address)
    study = optuna.create_study(study_name=open_run(folder).name, storage=address)
    trial = study.ask()
    (folder / "artifacts").mkdir(exist_ok=True)
    upload_artifact(
        study_or_trial=trial,
        file_path=str(folder / "trials" / "0000" / "samples.png"),
        artifact_store=FileSystemArtifactStore(str(folder / "artifacts")),
    )
    app = dashboard_app(open_run(folder))
    status, body = ask(app, "/api/studies")
    assert [s["study_name"] for s in json.loads(body)["study_summaries"]] == [study.study_name]
    status, body = ask(app, f"/api/studies/{study._study_id}")
    (artifact,) = json.loads(body)["trials"][0]["artifacts"]
    status, picture = ask(
        app, f"/artifacts/{study._study_id}/{trial._trial_id}/{artifact['artifact_id']}"
    )
    assert picture == (folder / "trials/0000/samples.png").read_bytes()
    status, _ = ask(app, "/api/studies", method="POST")
    assert status == "403 Forbidden"
