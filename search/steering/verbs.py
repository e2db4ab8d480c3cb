"""What people may ask of a search, checked before it is written down for the driver."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from analysis.stored_run.run import Run, open_run
from data_pipeline.errors import InputError
from search.config import SearchConfig
from search.finetune.origin import ORIGIN_NAME
from search.run.directory import is_being_written
from search.space import Choice, Point, Range, Scalar
from search.steering.requests import AskPoint, Request, RequestFolder, StopSearch, StopTrial


def stop_search(run: Path) -> None:
    """End a running search, which stays resumable; InputError when it does not run."""
    _open_running(run)
    _write(run, StopSearch())


def stop_trial(run: Path, trial: str) -> str:
    """End a running trial as pruned, after its present epoch; returns its id.

    Raises InputError when the search or the trial does not run.
    """
    stored = _open_running(run)
    trial_id = trial.zfill(4) if trial.isascii() and trial.isdigit() else trial
    states = dict(zip(stored.trials["trial_id"], stored.trials["state"], strict=True))
    if states.get(trial_id) != "running":
        running = [name for name, state in states.items() if state == "running"]
        is_now = states.get(trial_id, "not there")
        raise InputError(
            f"a trial must run to be stopped ({', '.join(running) or 'none does'}), but trial "
            f"{trial_id} is {is_now}"
        )
    _write(run, StopTrial(trial_id))
    return trial_id


def enqueue(run: Path, values: Mapping[str, object]) -> Point:
    """Let a search ask a configuration next; what `values` does not name is drawn.

    It is one of the search's trials. If none is left, the search gets one more, also when it has
    ended: it is asked when the search is resumed. Numbers may be given as texts. Returns the
    values as they will be asked.

    Raises InputError for names and values that the search space does not hold.
    """
    config = SearchConfig.from_dict(_open_search(run).config)
    point = _checked(config, values)
    _write(run, AskPoint(point))
    return point


def _checked(config: SearchConfig, values: Mapping[str, object]) -> Point:
    sampled = config.space.sampled
    if not values:
        raise InputError(
            f"a configuration must name values of {', '.join(sampled)}, but got none; "
            "give some, such as generator_complexity=32"
        )
    point: dict[str, Scalar] = {}
    for name, value in values.items():
        if name not in sampled:
            raise InputError(
                f"a configuration must name values of {', '.join(sampled)}, but got {name}, which "
                "this search does not vary"
            )
        parameter = sampled[name]
        scalar = _scalar(parameter, value)
        if scalar is None:
            raise InputError(
                f"{name} must be {_allowed(parameter)}, as the search space has it, but got {value}"
            )
        point[name] = scalar
    return point


def _scalar(parameter: Range | Choice, value: object) -> Scalar | None:
    """The value of the space that is meant, if there is one."""
    if isinstance(parameter, Choice):
        by_text = {str(each): each for each in parameter.values}
        return by_text.get(str(value))
    try:
        number = float(str(value))
    except ValueError:
        return None
    if isinstance(parameter.low, int) and isinstance(parameter.high, int):
        if not number.is_integer():
            return None
        number = int(number)
    return number if parameter.contains(number) else None


def _allowed(parameter: Range | Choice) -> str:
    if isinstance(parameter, Choice):
        return f"one of {', '.join(map(str, parameter.values))}"
    whole = isinstance(parameter.low, int) and isinstance(parameter.high, int)
    step = f" in steps of {parameter.step:g}" if parameter.step is not None else ""
    kind = "a whole number" if whole else "a number"
    return f"{kind} from {parameter.low:g} to {parameter.high:g}{step}"


def _open_search(run: Path) -> Run:
    stored = open_run(run)
    if (run / ORIGIN_NAME).is_file():
        raise InputError(
            f"RUN must be the folder of a search, but {run} is that of a training, which has one "
            "trial"
        )
    return stored


def _open_running(run: Path) -> Run:
    stored = _open_search(run)
    if not is_being_written(run):
        status = "interrupted" if stored.status == "running" else stored.status
        raise InputError(f"a search must run to be stopped, but {run} is {status}")
    return stored


def _write(run: Path, request: Request) -> None:
    try:
        RequestFolder(run).write(request)
    except OSError as error:
        raise InputError(
            f"the run folder must be writable, but {run}: {error.strerror or error}; "
            "make it writable"
        ) from error
