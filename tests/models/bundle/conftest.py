"""One bundle for all tests, which takes seconds to write, and copies to damage."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from models.bundle.store import write_bundle
from tests.models.local_hub import LocalHub
from tests.models.trained_bundle import CONFIG, trained_generator


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "winner"
    write_bundle(folder, generator=trained_generator(), config=CONFIG, samples_png=b"png")
    return folder


@pytest.fixture
def copied(bundle_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle_folder, tmp_path / "copy"))


@pytest.fixture
def hub() -> Iterator[LocalHub]:
    hub = LocalHub()
    yield hub
    hub.close()
