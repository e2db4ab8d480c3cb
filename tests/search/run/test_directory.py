"""The folder of a run: when it exists, and what a kill while it is made leaves behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from data_pipeline.errors import InputError
from search.run.directory import RunFolder, read_json, resume_command


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it runs."""


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("half", [False, True])
def test_killed_while_it_is_made_a_run_is_whole_or_its_name_is_free(
    writes: int, half: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder(tmp_path / "runs" / "first")
    left = writes
    write_bytes = Path.write_bytes

    def guarded(path: Path, content: bytes) -> int:
        nonlocal left
        if left == 0:
            if half:
                write_bytes(path, content[:4])
                monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)
            raise Killed
        left -= 1
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", guarded)
    try:
        run.create({"name": "first"}, command=[], data={"photos": 3})
        born = True
    except Killed:
        born = False
    monkeypatch.undo()
    assert born == (writes == 3)
    if born:
        run.check_present()
        assert read_json(run.path / "data.json") == {"photos": 3}
        with pytest.raises(InputError, match="--resume"):
            run.check_absent()
    else:
        run.check_absent()
        run.create({"name": "second"}, command=[], data={"photos": 4})
        run.check_present()
        assert run.read_config() == {"name": "second"}


@pytest.mark.parametrize("name", ["notes.txt", "trials/0000/checkpoint.pt", "study.journal"])
def test_a_folder_with_something_else_in_it_is_not_taken(name: str, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "first")
    kept = run.path / name
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    with pytest.raises(InputError, match="new name"):
        run.create({}, command=[])
    assert [path for path in run.path.rglob("*") if path.is_file()] == [kept]


def test_the_command_that_goes_on_is_fit_for_a_shell_and_names_the_cluster() -> None:
    run = Path("my runs/first; or second")
    assert resume_command(run) == (
        "chromatune search --resume --name 'first; or second' --runs-dir 'my runs'"
    )
    assert resume_command(Path("runs/a"), "head:6379") == (
        "chromatune search --resume --name a --runs-dir runs --address head:6379"
    )
