from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from search.tune.ray_session import ray_session
from tests.search.trained import (
    EPOCHS,
    make_trial,
    search_without_ray,
    settings_of,
    train,
    workshop,
)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("searched")


@pytest.fixture(scope="session")
def searched(workplace: Path) -> Path:
    """The folder of a run; see `search_without_ray`."""
    with workshop(workplace):
        return search_without_ray(workplace)


@pytest.fixture(scope="session")
def straight(searched: Path, workplace: Path) -> Path:
    """The folder of a training that nothing interrupted."""
    with workshop(workplace):
        assert train(searched, workplace / "straight") == 0
    return workplace / "straight"


@pytest.fixture(scope="session")
def reference(searched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a trial that was given all epochs of the training from the start."""
    run = tmp_path_factory.mktemp("reference")
    for name in ("config.json", "data.json"):
        shutil.copy(searched / name, run)
    settings = settings_of(searched / "trials/0000")
    trial = make_trial(run, "0000", settings, max_epochs=EPOCHS)
    while not trial.done:
        trial.run_epoch()
    return trial.folder


@pytest.fixture(scope="module")
def run(searched: Path, workplace: Path) -> Iterator[Path]:
    """The folder of the run, while its photos are at hand and bundles are quick to write."""
    with workshop(workplace):
        yield searched


@pytest.fixture(scope="module")
def open_ray() -> Iterator[None]:
    """Ray on this machine for all searches that a module's tests run in this process."""
    with pytest.MonkeyPatch.context() as patch:
        # Ray is nice to other programs: on a busy machine its trials would hardly move.
        patch.setenv("RAY_worker_niceness", "0")
        with ray_session(None, "cpu"):
            yield
