"""The study in a database: passwords stay out of the folder, names are not shared by accident."""

from __future__ import annotations

import json
from pathlib import Path

import optuna
import pytest

from data_pipeline.errors import InputError
from search.addresses import database_url, without_password
from search.cli.main import main
from search.cli.storage_flag import without_secrets
from search.config import SearchConfig
from search.run.directory import RunFolder, read_json
from search.study.creation import open_study
from search.study.storage import check_free

SECRET = "postgresql://me:s3cret@db.example/studies"
SMALL = [
    "search",
    "--images",
    "synthetic:40",
    "--image-size",
    "32",
    "--batch-size",
    "8",
    "--trials",
    "2",
    "--max-epochs",
    "1",
    "--concurrency",
    "1",
    "--name",
    "shared",
]


@pytest.mark.parametrize(
    "address", ["postgresql", "redis://host", "folder/runs", "s3://bucket", "sqlite", ""]
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InputError, match="must be a database's address"):
        database_url(address)


def test_a_password_is_never_stored() -> None:
    assert without_password(SECRET) == "postgresql://me@db.example/studies"
    config = SearchConfig(name="a", storage=SECRET)
    assert "s3cret" not in json.dumps(config.to_dict())
    words = ["search", "--storage", SECRET, f"--storage={SECRET}", "--name", "a:b@c"]
    assert "s3cret" not in " ".join(without_secrets(words))
    assert without_secrets(words)[-1] == "a:b@c"
    with pytest.raises(InputError) as error:
        database_url("nosql://me:s3cret@db.example/studies")
    assert "s3cret" not in str(error.value)


def test_a_database_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a database that answers") as error:
        check_free(f"sqlite:///{tmp_path}/absent/study.db", "a")
    assert "\n" not in str(error.value)


def test_a_missing_driver_is_named() -> None:
    pytest.importorskip("sqlalchemy")
    with pytest.raises(InputError, match="needs its driver"):
        check_free("mysql+pymysql://me@localhost/studies", "a")


def test_a_study_is_never_appended_to_by_accident(tmp_path: Path) -> None:
    address = f"sqlite:///{tmp_path}/study.db"
    check_free(address, "a")
    run = RunFolder(tmp_path)
    open_study(run.study_path, SearchConfig(name="a", storage=address)).ask()
    check_free(address, "b")
    with pytest.raises(InputError, match="'a'; use another --name"):
        check_free(address, "a")


def test_a_search_with_its_study_in_a_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    address = f"sqlite:///{tmp_path}/study.db"
    assert main([*SMALL, "--storage", address]) == 0
    run = tmp_path / "runs" / "shared"
    assert not (run / "study.journal").exists()
    assert read_json(run / "config.json")["storage"] == address
    study = optuna.load_study(study_name="shared", storage=address)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 2
    capsys.readouterr()
    # The name is taken in the database, also for another folder.
    assert main([*SMALL, "--storage", address, "--runs-dir", "other"]) == 2
    assert "use another --name" in capsys.readouterr().err
    # A resumed search finds its study by itself, and keeps it.
    resume = ["search", "--resume", "--name", "shared", "--trials", "3"]
    assert main([*resume, "--storage", "sqlite:///elsewhere.db"]) == 2
    assert "keeps its storage" in capsys.readouterr().err
    assert main(resume) == 0
    study = optuna.load_study(study_name="shared", storage=address)
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 3
