"""Requests to a search: small files in the folder of its run, which the driver reads.

    requests/stop.json          {"action": "stop"}
    requests/stop-0003.json     {"action": "stop_trial", "trial_id": "0003"}
    requests/point-....json     {"action": "ask", "parameters": {"generator_complexity": 32}}

Each is removed when it is done, so that none is lost when a driver is killed. They are durable.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path

from data_pipeline.durable import make_folder, replace_file
from search.space import Point

FOLDER = "requests"


@dataclass(frozen=True)
class StopSearch:
    """End the search as a time budget ends it."""

    @property
    def name(self) -> str:
        """Of its file."""
        return "stop"


@dataclass(frozen=True)
class StopTrial:
    """End a trial after its present epoch."""

    trial_id: str

    @property
    def name(self) -> str:
        """Of its file."""
        return f"stop-{self.trial_id}"


def _new_name() -> str:
    # Sorted by their names, points are asked in the order of their requests.
    return f"point-{time.time_ns():020d}-{secrets.token_hex(4)}"


@dataclass(frozen=True)
class AskPoint:
    """Train a configuration that a person has named; what it does not name is drawn."""

    parameters: Point
    #: of its file, and of the request in the study
    name: str = field(default_factory=_new_name)


Request = StopSearch | StopTrial | AskPoint


class RequestFolder:
    """The requests to the search in a run's folder."""

    def __init__(self, run: Path) -> None:
        self._path = run / FOLDER

    def write(self, request: Request) -> None:
        """Ask for something; durable. Asking twice to stop the same is asking once."""
        make_folder(self._path)
        replace_file(self._path / f"{request.name}.json", json.dumps(_to_plain(request)).encode())

    def read(self) -> list[Request]:
        """What is asked for, in the order of the names; what is no request is passed over."""
        try:
            paths = sorted(self._path.glob("*.json"))
        except OSError:
            return []
        return [request for path in paths if (request := _read(path)) is not None]

    def remove(self, request: Request) -> None:
        """It is done, or nobody wants it any more."""
        (self._path / f"{request.name}.json").unlink(missing_ok=True)


def _to_plain(request: Request) -> dict[str, object]:
    match request:
        case StopSearch():
            return {"action": "stop"}
        case StopTrial(trial_id):
            return {"action": "stop_trial", "trial_id": trial_id}
        case AskPoint(parameters):
            return {"action": "ask", "parameters": dict(parameters)}


def _read(path: Path) -> Request | None:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    match values:
        case {"action": "stop"}:
            return StopSearch()
        case {"action": "stop_trial", "trial_id": str(trial_id)} if re.fullmatch(
            r"\d{4,}", trial_id
        ):
            return StopTrial(trial_id)
        case {"action": "ask", "parameters": dict(parameters)}:
            return AskPoint(parameters, path.stem)
    return None
