"""The writer of a run's folder. Its layout is in docs/architecture.md; `analysis` reads it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import shlex
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import IO, Any, Literal

from analysis.stored_run import rows as json_rows
from data_pipeline import durable
from data_pipeline.errors import InputError

FORMAT = 1
#: folder of a run with the epochs of pre-training that its trials share
BEGINNINGS = "beginnings"
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
            names = {path.name.lstrip(".").split(".json.")[0] for path in self.path.iterdir()}
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
            durable.make_folder(self.path)
            for folder in (self.path / "trials", self.artifacts_path):
                folder.mkdir(exist_ok=True)
            self.begin(config, command=command, data=data)
        except OSError as error:
            raise InputError(
                f"the run folder must be writable, but {self.path}: {error.strerror}; "
                "use another --runs-dir"
            ) from error

    def begin(
        self,
        config: Mapping[str, Any],
        *,
        command: list[str],
        data: Mapping[str, Any] | None,
        name: str | None = None,
    ) -> None:
        """Write all that says what the run is, run.json last; `name`: if not the folder's."""
        self.configure(config, data)
        self._write_run(
            {
                "format": FORMAT,
                "name": name or self.path.name,
                "version": program_version(),
                "created_at": utc_now(),
                "status": "running",
                "command": command,
            }
        )

    def configure(self, config: Mapping[str, Any], data: Mapping[str, Any] | None) -> None:
        """Write config.json and, if something is known of the photos, data.json."""
        files = {"config.json": encode_json(config)}
        if data is not None:
            files["data.json"] = encode_json(data)
        durable.replace_files(self.path, files)

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
        trials, beginnings = self.path.glob("trials/*"), self.path.glob(f"{BEGINNINGS}/*")
        for folder in (self.path, *trials, *beginnings):
            durable.remove_leftovers(folder)

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
        began = {"session_started_at": utc_now()} if status == "running" else {}
        self._write_run({**read_json(self.path / "run.json"), "status": status, **began})

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
    """Rewrite a JSON file whole; durable."""
    durable.replace_file(path, encode_json(values))


def encode_json(values: Mapping[str, Any]) -> bytes:
    """The content of a JSON file; NaN and infinity become null."""
    return (json.dumps(_finite(values), indent=2) + "\n").encode()


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
    """Append JSON rows; durable. NaN and infinity become null."""
    text = "".join(json.dumps(_finite(row), separators=(",", ":")) + "\n" for row in rows)
    durable.append(path, text.encode())


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Read JSON rows; what a kill or a power cut left of one is not a row."""
    return json_rows.read_rows(path.read_bytes()) if path.exists() else []


def cut_rows(path: Path, *, keep: int) -> None:
    """Keep the first `keep` rows and nothing else, so that later ones follow whole lines."""
    if not path.exists():
        return
    content = path.read_bytes()
    lines = [line for line in json_rows.whole_lines(content) if json_rows.decode_row(line)]
    kept = "".join(f"{line}\n" for line in lines[:keep]).encode()
    if kept != content:
        durable.replace_file(path, kept)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def resume_command(run_path: Path, address: str | None = None) -> str:
    """The command line that goes on with an interrupted run, on the cluster at `address`."""
    words = ["chromatune", "search", "--resume", "--name", run_path.name]
    words += ["--runs-dir", str(run_path.parent)]
    return shlex.join([*words, "--address", address] if address else words)
