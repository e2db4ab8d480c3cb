"""An installed chromatune works in a folder whose packages bear the names of its own."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.photos import prepare_photos
from search.tune.messages import TrialStart
from search.tune.trial_directory import RunFiles
from search.tune.worker_imports import PACKAGES
from tests.search.ledgers import make_job

ROOT = Path(__file__).parents[3]
PATIENCE_SEC = 240
SEARCH = "search --images synthetic:60 --image-size 32 --batch-size 8 --trials 1 --max-epochs 1"
#: a caller whose workers have imported the packages of this folder
PROGRAM = """
import sys
sys.path.remove("")
import ray
ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False)

@ray.remote
def theirs():
    import models
    return models.__file__

print(ray.get(theirs.remote()))
from chromatune.__main__ import main
sys.exit(main())
"""


#: what a trial's process does, apart from Ray's own part in it
TRIAL = """
import sys
from search.tune import trainable
trainable._gpu_share = lambda: 1.0  # it would start Ray to ask
actor = trainable.ColorizerTrainable.__new__(trainable.ColorizerTrainable)
actor.setup(CONFIG)
assert "report" in actor.step()
print(*sorted({name.split(".")[0] for name in sys.modules} | {"torch._dynamo"} & set(sys.modules)))
"""
#: what only the driver, the report or a benchmark needs, and PyTorch's compiler. (Pandas comes with
#: Ray Tune, which refuses to be imported without it.)
NOT_FOR_TRIALS = """cv2 jinja2 matplotlib mlflow onnx onnxscript optuna plotly scipy skimage sympy
tensorboardX torch._dynamo torchvision wandb""".split()  # noqa: SIM905


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of its own with the built wheel, beside the libraries that we run with."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    # Building leaves files behind.
    names = ["pyproject.toml", "README.md", "LICENSE", *PACKAGES]
    subprocess.run(
        ["cp", "-r", *(str(ROOT / name) for name in names), "--target-directory", _made(source)],
        check=True,
    )
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    subprocess.run(
        [*pip, "wheel", *offline, "--no-build-isolation", "--wheel-dir", str(folder), str(source)],
        check=True,
    )
    (wheel,) = folder.glob("chromatune-*.whl")
    venv.create(folder / "venv", symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    subprocess.run([*pip, "install", *offline, "--target", str(packages), str(wheel)], check=True)
    libraries = [path for path in site.getsitepackages() if Path(path).is_dir()]
    (packages / "libraries.pth").write_text("\n".join(libraries) + "\n", encoding="utf-8")
    return folder / "venv" / "bin" / "python"


def _made(folder: Path) -> str:
    folder.mkdir()
    return str(folder)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with packages of somebody else's that break whoever takes them for ours."""
    for name in PACKAGES:
        if name != "chromatune":
            (tmp_path / name).mkdir()
            (tmp_path / name / "__init__.py").write_text("MINE = True\n", encoding="utf-8")
    return tmp_path


def test_a_trial_imports_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    photos = prepare_photos(SearchConfig(name="x", images="synthetic:40", image_size=32))
    files = RunFiles(trials=str(tmp_path), caches={32: str(photos.caches[32])})
    start = TrialStart(
        job=make_job(tmp_path, files=files, max_epochs=1),
        trial_id="0000",
        settings=TrainingSettings(
            image_size=32, batch_size=8, generator_complexity=4, discriminator_complexity=4
        ),
        reported_epoch=0,
    )
    done = subprocess.run(
        [sys.executable, "-c", f"CONFIG = {start.to_config()!r}\n{TRIAL}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not set(NOT_FOR_TRIALS) & set(done.stdout.split())
    assert {"ray", "torch"} <= set(done.stdout.split())


def _run(command: list[str], folder: Path, *, path: str = "") -> None:
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("RAY_") and name != "PYTHONPATH"
    }
    done = subprocess.run(
        [*command, *SEARCH.split(), "--name", "x"],
        cwd=folder,
        env=environment | {"CHROMATUNE_CACHE": str(folder / "cache"), "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SEC,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = (folder / "runs/x/trials.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(row)["state"] for row in rows] == ["running", "complete"]


def test_a_search_in_a_project_with_packages_of_the_same_names(
    installed: Path, project: Path
) -> None:
    # The project on PYTHONPATH, as many have it, comes even before what is installed.
    _run([str(installed), "-m", "chromatune"], project, path=str(project))


def test_a_search_in_the_session_of_a_caller_whose_workers_have_imported_them(
    installed: Path, project: Path
) -> None:
    _run([str(installed), "-c", PROGRAM], project)
