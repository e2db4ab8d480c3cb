from __future__ import annotations

from dataclasses import replace

from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.trial_rows import TrialRecord, started_row


def configuration_id(settings: TrainingSettings) -> object:
    record = TrialRecord(trial_id="0000", settings=settings, started_at="")
    return started_row(record, SearchConfig(name="run"))["configuration_id"]


def test_newer_settings_do_not_change_the_identities_of_older_runs() -> None:
    settings = TrainingSettings()
    assert configuration_id(settings) == "8fd2efa3a7cd"
    assert configuration_id(replace(settings, seed=7)) == "8fd2efa3a7cd"
    others = [replace(settings, crop_area=0.4), replace(settings, ema_share=0.2)]
    assert len({configuration_id(each) for each in [settings, *others]}) == 3
