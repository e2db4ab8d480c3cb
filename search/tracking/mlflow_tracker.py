"""A search in MLflow: a run for the search, and one below it for each trial.

Ray's own callback would begin a new run whenever a search is resumed, take paths and file names of
the trial's job for its parameters, keep no pictures, and let the driver wait for the server.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run, RunTag

from search.tracking.tracker import (
    PROJECT,
    Scalar,
    TrackedEnd,
    TrackedEpoch,
    TrackedSearch,
    TrackedTrial,
)

#: tag by which a run is found again
ENTRY = "chromatune.entry"
#: what a server takes at once, and of a parameter's value
MAX_PARAMETERS, MAX_TEXT = 100, 6000
_STATUS = {"complete": "FINISHED", "pruned": "KILLED", "failed": "FAILED"}


class MlflowTracker:
    """Sends to the server that MLFLOW_TRACKING_URI names.

    The experiment is that of MLFLOW_EXPERIMENT_NAME, else "chromatune". All that is sent is the
    same whenever it is sent, so that the server keeps it once.
    """

    def connect(self, search: TrackedSearch) -> None:
        """Go on with the run of the search, or make it."""
        self._client = MlflowClient()
        self._search = search
        self._experiment = self._find_experiment()
        self._search_run = self._open(search.identity, search.name, search.parameters)
        #: trial -> its run
        self._runs: dict[str, str] = {}

    def start(self, trial: TrackedTrial) -> None:
        """Go on with the run of a trial, or make it."""
        self._runs[trial.trial_id] = self._open(
            f"{self._search.identity}-{trial.trial_id}",
            f"{self._search.name} {trial.trial_id}",
            trial.parameters,
            parent=self._search_run,
            started_ms=trial.started_ms,
        )

    def epoch(self, trial_id: str, epoch: TrackedEpoch) -> None:
        """Keep an epoch of a trial that was started."""
        self._log(trial_id, epoch.values, epoch.step, epoch.at_ms)

    def end(self, trial_id: str, end: TrackedEnd) -> None:
        """Keep how a trial that was started has ended."""
        run = self._runs[trial_id]
        self._log(trial_id, end.values, end.step, end.at_ms)
        self._client.log_batch(run, tags=[RunTag(*text) for text in end.texts.items()])
        for path in end.pictures:
            self._client.log_artifact(run, str(path))
        self._client.set_terminated(run, _STATUS[end.state], end.at_ms)
        del self._runs[trial_id]

    def bundle(self, folder: Path) -> None:
        """Keep the search's best generator, in place of an earlier one."""
        self._client.log_artifacts(self._search_run, str(folder), "bundle")

    def close(self, *, finished: bool) -> None:
        """End the run of the search, and those of trials that are to go on another time."""
        for run in self._runs.values():
            self._client.set_terminated(run, "KILLED")
        self._client.set_terminated(self._search_run, "FINISHED" if finished else "KILLED")

    def _find_experiment(self) -> str:
        if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
            return given
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        found = self._client.get_experiment_by_name(name)
        return str(found.experiment_id if found else self._client.create_experiment(name))

    def _open(
        self,
        entry: str,
        name: str,
        parameters: Mapping[str, Scalar],
        *,
        parent: str | None = None,
        started_ms: int | None = None,
    ) -> str:
        """The id of the run with that entry, which is running from now on."""
        found = self._client.search_runs([self._experiment], f"tags.`{ENTRY}` = '{entry}'")
        if found:
            run: Run = found[0]
            self._client.update_run(run.info.run_id, "RUNNING")
        else:
            tags = {ENTRY: entry} | ({"mlflow.parentRunId": parent} if parent else {})
            run = self._client.create_run(
                self._experiment, start_time=started_ms, tags=tags, run_name=name
            )
        # A parameter keeps its first value; a search that goes on may have got more trials.
        new = [
            Param(key, str(value)[:MAX_TEXT])
            for key, value in parameters.items()
            if key not in run.data.params
        ]
        for i in range(0, len(new), MAX_PARAMETERS):
            self._client.log_batch(run.info.run_id, params=new[i : i + MAX_PARAMETERS])
        return str(run.info.run_id)

    def _log(self, trial_id: str, values: Mapping[str, float], step: int, at_ms: int) -> None:
        metrics = [Metric(key, value, at_ms, step) for key, value in values.items()]
        self._client.log_batch(self._runs[trial_id], metrics=metrics)
