"""Optuna's own published test classes, run against our sampler and our storages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from optuna.samplers import BaseSampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.testing.pytest_samplers import (
    BasicSamplerTestCase,
    MultiObjectiveSamplerTestCase,
    RelativeSamplerTestCase,
)
from optuna.testing.pytest_storages import StorageTestCase

from search.config import SearchConfig
from search.run.directory import RunFolder
from search.study.sampler import sampler_for
from search.study.storage import open_storage

pytestmark = pytest.mark.filterwarnings("default")


class TestSampler(BasicSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: sampler_for(SearchConfig(name="a"), 0)


class TestSamplerAfterItsStart(RelativeSamplerTestCase):
    """All parameters together, which the first trials, drawn at random, are not."""

    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        def make() -> BaseSampler:
            sampler: Any = sampler_for(SearchConfig(name="a"), 0)
            sampler._n_startup_trials = 0
            return sampler

        return make


class TestSamplerOfSeveralObjectives(MultiObjectiveSamplerTestCase):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        config = SearchConfig(name="a", second_objectives=("grey_skill",))
        return lambda: sampler_for(config, 0)


class TestJournal(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> BaseStorage:
        return open_storage(RunFolder(tmp_path).study_path, None)


class TestDatabase(StorageTestCase):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> Iterator[BaseStorage]:
        storage = open_storage(RunFolder(tmp_path).study_path, f"sqlite:///{tmp_path}/study.db")
        yield storage
        cast(RDBStorage, storage).engine.dispose()
