"""Tells a study how a trial ended, with what is known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.artifacts import get_all_artifact_meta, upload_artifact
from optuna.trial import Trial, TrialState

from search.study.artifacts import LinkingArtifactStore
from search.study.journal import written_together


def tell_end(
    study: optuna.Study,
    trial: Trial,
    state: TrialState,
    values: Sequence[float] | None,
    *,
    attributes: Mapping[str, object],
    samples: Path,
    artifacts: Path,
) -> None:
    """Tell the study the end of a trial; also one that an earlier process half told.

    Args:
        study: that asked for the trial.
        trial: that ended.
        state: how it ended.
        values: of the objectives; None unless it is complete.
        attributes: of the trial; None is left out.
        samples: its sample grid, which becomes an artifact if it exists.
        artifacts: the folder of the study's artifacts.
    """
    with written_together(trial.storage):
        for key, value in attributes.items():
            if value is not None:
                trial.set_user_attr(key, value)
        if samples.exists() and not get_all_artifact_meta(trial):
            upload_artifact(
                artifact_store=LinkingArtifactStore(artifacts),
                file_path=str(samples),
                study_or_trial=trial,
            )
    study.tell(trial, values, state=state)
