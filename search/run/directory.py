"""The writer of a run's folder. Its layout is in docs/architecture.md; `analysis` reads it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, Literal

from data_pipeline.errors import InputError

FORMAT = 1
#: what `RunFolder.create` makes before the run exists
_BEFORE_RUN_JSON = {"trials", "artifacts", "config.json", "data.json", "config", "data", "run"}
Status = Literal["running", "finished", "interrupted", "failed"]


def utc_now() -> str:
    """The present moment, UTC, ISO 8601 with seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def program_version() -> str:
    """The installed version of chromatune, or that of a plain checkout."""
    try:
        return version("chromatune")
    except PackageNotFoundError:
        return "0+checkout"


class RunFolder:
    """Creates or reopens a run's folder and writes its files; at most one writer at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[bytes] | None = None

    @property
    def study_path(self) -> Path:
        """The Optuna journal."""
        return self.path / "study.journal"

    @property
    def artifacts_path(self) -> Path:
        """Where the study keeps its artifacts."""
        return self.path / "artifacts"

    def trial_folder(self, trial_id: str) -> Path:
        """The folder of a trial."""
        return self.path / "trials" / trial_id

    def check_absent(self) -> None:
        """Raise InputError if the run exists; one that was killed before it began does not."""
        if self.path.exists() and not self._never_began():
            raise InputError(
                f"a new run must have a new name, but {self.path} exists; "
                "use another --name, or --resume to go on with it"
            )

    def check_present(self) -> None:
        """Raise InputError if this is not the folder of a run."""
        if not (self.path / "run.json").is_file() or not (self.path / "config.json").is_file():
            raise InputError(
                f"--resume needs the folder of a run, but {self.path} has no run.json and "
                "config.json; leave --resume out to start it"
            )

    def _never_began(self) -> bool:
        # run.json is written last: what is there without it is what `create` had got to.
        try:
            names = {path.name.split(".json.")[0] for path in self.path.iterdir()}
            return names <= _BEFORE_RUN_JSON and not any((self.path / "trials").glob("*"))
        except OSError:
            return False

    def create(
        self,
        config: Mapping[str, Any],
        *,
        command: list[str],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Make the folder, resumable from the moment that it has its run.json.

        Args:
            config: as `SearchConfig.to_dict` gives it.
            command: that the run was started with.
            data: what is known of the photos.

        Raises:
            InputError: the run exists, or cannot be written.
        """
        try:
            self.check_absent()
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / "trials").mkdir(exist_ok=True)
            self.artifacts_path.mkdir(exist_ok=True)
            write_json(self.path / "config.json", config)
            if data is not None:
                write_json(self.path / "data.json", data)
            self._write_run(
                {
                    "format": FORMAT,
                    "name": self.path.name,
                    "version": program_version(),
                    "created_at": utc_now(),
                    "status": "running",
                    "command": command,
                }
            )
        except OSError as error:
            raise InputError(
                f"the run folder must be writable, but {self.path}: {error.strerror}; "
                "use another --runs-dir"
            ) from error

    def lock(self) -> None:
        """Become the only writer until `close`; raises InputError if there is another."""
        try:
            self._lock = (self.path / ".lock").open("wb")
        except OSError as error:
            raise InputError(
                f"the run folder must be writable, but {self.path}: {error.strerror}; "
                "make it writable"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            self._lock = None
            raise InputError(
                f"a run must have one driver at a time, but another process runs {self.path}; "
                "wait for it or stop it"
            ) from error

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def read_config(self) -> dict[str, Any]:
        """The configuration that the run was started with."""
        return read_json(self.path / "config.json")

    def set_status(self, status: Status) -> None:
        """Rewrite run.json with a new status."""
        self._write_run({**read_json(self.path / "run.json"), "status": status})

    def note_status(self, status: Status) -> None:
        """Set the status if the folder can be written: the last words of a search that ends."""
        with contextlib.suppress(OSError, InputError):
            self.set_status(status)

    def _write_run(self, values: Mapping[str, Any]) -> None:
        write_json(self.path / "run.json", values)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object; raises InputError when it is damaged."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a JSON file, but: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold a JSON object, but got {type(values).__name__}")
    return values


def write_json(path: Path, values: Mapping[str, Any]) -> None:
    """Rewrite a JSON file whole, through a temporary name."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(json.dumps(_finite(values), indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_being_written(path: Path) -> bool:
    """Whether a process holds the lock of the run's folder `path`."""
    try:
        with (path / ".lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def append_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Append JSON rows and flush them; NaN and infinity become null."""
    text = "".join(json.dumps(_finite(row), separators=(",", ":")) + "\n" for row in rows)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON rows; a half-written last line, left by a kill, is not a row."""
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    return [json.loads(line) for line in lines]


def cut_rows(path: Path, *, keep: int) -> None:
    """Keep the first `keep` rows, so that later ones are appended to whole lines."""
    if not path.exists():
        return
    lines = path.read_bytes().split(b"\n")[:-1][:keep]
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(b"".join(line + b"\n" for line in lines))
    temporary.replace(path)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
