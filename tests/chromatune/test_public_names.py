"""`import chromatune`: every name it promises is there, and another project's packages are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import chromatune
from analysis.results import open_run
from models.bundle.fetch import open_bundle
from models.coloring import colorize_image
from search.api import Search
from search.finetune.train_api import train
from search.run.directory import program_version

ROOT = Path(__file__).parents[2]


def test_each_name_is_what_it_says() -> None:
    assert chromatune.open_run is open_run
    assert chromatune.load is open_bundle
    assert chromatune.colorize is colorize_image
    assert chromatune.Search is Search
    assert chromatune.train is train
    assert chromatune.__version__ == program_version()
    assert {name for name in chromatune.__all__ if getattr(chromatune, name) is None} == set()
    assert dir(chromatune) == sorted(chromatune.__all__)
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = chromatune.serach


def test_open_run_loads_neither_torch_nor_ray() -> None:
    script = "import chromatune, sys; chromatune.open_run; print({'torch', 'ray'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize("regular", [True, False])
def test_a_package_that_hides_ours_is_told(tmp_path: Path, *, regular: bool) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / ("__init__.py" if regular else "of_mine.py")).touch()
    script = f"import sys; sys.path.append({str(ROOT)!r}); import chromatune; chromatune.load"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    # A folder that is no package hides nothing.
    assert (done.returncode != 0) == regular, done.stderr
    if regular:
        last = done.stderr.splitlines()[-1]
        assert last.startswith("ImportError: chromatune must find its package 'models' in")
        assert str(tmp_path / "models") in last


@pytest.mark.parametrize("person", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}])
def test_threads_of_a_command_wait_without_spinning(person: dict[str, str]) -> None:
    script = """
import os, sys
sys.argv[1:] = ["--version"]
from chromatune.__main__ import main
try:
    main()
except SystemExit:
    print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
"""
    environment = {name: text for name, text in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**environment, **person},
        capture_output=True,
        text=True,
    )
    # Torch reads it when it is loaded.
    expected = f"{person.get('OMP_WAIT_POLICY', 'PASSIVE')} False"
    assert done.stdout.splitlines()[-1] == expected, done.stderr
