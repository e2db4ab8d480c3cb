"""Which package may know which, and that importing them does nothing (docs/architecture.md)."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision

from tests.conftest import LONGEST

ROOT = Path(__file__).parents[1]
#: package -> those of ours that it may import
MAY_IMPORT = {
    "data_pipeline": set(),
    "models": {"data_pipeline"},
    "analysis": set(),
    "search": {"data_pipeline", "models", "analysis"},
    "chromatune": {"data_pipeline", "models", "analysis", "search"},
}
#: modules without Torch that packages may import which must do without the rest of theirs
SHARED = {
    "analysis": {
        "data_pipeline.durable",
        "models.file_names",
        "models.metrics.names",
        "models.metrics.objective",
        "models.metrics.unseen",
        "data_pipeline.errors",
    }
}
#: package -> engines that it must do without
FOREIGN = {
    "data_pipeline": {"ray", "optuna"},
    "models": {"ray", "optuna"},
    "analysis": {"ray", "torch", "torchvision"},
    "search": set(),
    "chromatune": {"ray", "torch", "torchvision"},
}
#: files that each folder may have
OPENERS = ("__init__", "__main__")
FILES = [
    pytest.param(package, path, id=str(path.relative_to(ROOT)))
    for package in MAY_IMPORT
    for path in sorted((ROOT / package).rglob("*.py"))
]


def test_the_packages_are_those_that_are_installed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    # A folder within a package needs its own line in that list.
    folders = {path.parent.relative_to(ROOT) for _, path in (p.values for p in FILES)}
    found = sorted(".".join(folder.parts) for folder in folders)
    assert sorted(project["tool"]["setuptools"]["packages"]) == found


#: folders below the top of a package, where an `__init__` says what belongs there
FOLDERS = sorted(
    {path.parent for _, path in (p.values for p in FILES)} - {ROOT / name for name in MAY_IMPORT}
)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_answers_where(folder: Path) -> None:
    modules = [path.stem for path in folder.glob("*.py") if path.stem not in OPENERS]
    assert 3 <= len(modules) <= 12
    assert not [name for name in modules if folder.name in name.split("_")]
    belongs, not_here = (
        ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    ).split("\n\n")
    assert "\n" not in belongs
    assert not_here.startswith("Not here: ")
    assert len((folder / "__init__.py").read_text().splitlines()) <= 5


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Also where an import stands in a function; those for the type checker do not count."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for _, path in (p.values for p in FILES)
        if path.stem not in OPENERS
    }
    graph = {}
    for module, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in [n for n in ast.walk(tree) if isinstance(n, ast.If)]:
            if ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = [ast.Pass()]
        imported = {
            f"{node.module}.{alias.name}"
            if f"{node.module}.{alias.name}" in modules
            else node.module
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        graph[module] = imported & modules.keys()
    TopologicalSorter(graph).prepare()


def test_no_two_files_or_classes_have_one_name() -> None:
    paths = [path for _, path in (p.values for p in FILES)]
    names = Counter(path.stem for path in paths if path.stem not in OPENERS)
    names.update(
        node.name
        for path in paths
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


def test_tests_mirror_the_packages() -> None:
    ours = {folder.relative_to(ROOT) for folder in FOLDERS} | {Path(name) for name in MAY_IMPORT}
    for package in MAY_IMPORT:
        for path in (ROOT / "tests" / package).rglob("test_*.py"):
            assert path.parent.relative_to(ROOT / "tests") in ours, path


@pytest.mark.parametrize(("package", "path"), FILES)
def test_imports_are_absolute_and_point_one_way(package: str, path: Path) -> None:
    forbidden = (set(MAY_IMPORT) | {"tests", "benchmarks"}) - MAY_IMPORT[package] - {package}
    forbidden |= FOREIGN[package]
    imported = set(imports_of(ast.parse(path.read_text(encoding="utf-8"))))
    assert "" not in imported, "relative import"
    imported -= SHARED.get(package, set())
    assert not {name.split(".")[0] for name in imported} & forbidden


def imports_of(tree: ast.Module) -> Iterator[str]:
    """The modules of all imports, also inside functions; '' for a relative one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "" if node.level else (node.module or "")


@pytest.mark.parametrize(("package", "path"), FILES)
def test_modules_only_define(package: str, path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        match node:
            case (
                ast.Import()
                | ast.ImportFrom()
                | ast.FunctionDef()
                | ast.ClassDef()
                | ast.Assign()
                | ast.AnnAssign()
                | ast.Expr(value=ast.Constant(value=str()))
            ):
                pass
            case ast.If():
                condition = ast.unparse(node.test)
                assert condition in ("TYPE_CHECKING", "__name__ == '__main__'")
            case _:
                pytest.fail(f"{path.name} line {node.lineno} does something when imported")


IMPORT_ALL = """
import importlib, json, logging, pkgutil, sys, threading

for name in sys.argv[2:]:
    sys.modules[name] = None  # so that importing it fails

modules = [
    module.name
    for package in sys.argv[1].split(",")
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + ".")
]
for module in modules:
    importlib.import_module(module)

torch = sys.modules.get("torch")
print(json.dumps({
    "modules": len(modules),
    "loaded": sorted({name.split(".")[0] for name, module in sys.modules.items() if module}),
    "all": sorted(name for name, module in sys.modules.items() if module),
    "handlers": len(logging.getLogger().handlers),
    "threads": threading.active_count(),
    "cuda": bool(torch and torch.cuda.is_initialized()),
}))
"""


def import_all(packages: str, folder: Path, *, without: set[str]) -> dict[str, Any]:
    """Import every module of `packages` in a process of its own; return what that did."""
    before = sorted(folder.rglob("*"))
    command = [sys.executable, "-c", IMPORT_ALL, packages, *sorted(without)]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder),
        "XDG_CACHE_HOME": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert sorted(folder.rglob("*")) == before
    (line,) = done.stdout.splitlines()
    report: dict[str, Any] = json.loads(line)
    for package in packages.split(","):
        assert package in report["loaded"]
    assert report["handlers"] == 0
    assert report["threads"] == 1
    assert not report["cuda"]
    return report


def test_analysis_needs_neither_ray_nor_torch(tmp_path: Path) -> None:
    # Not hidden from it: libraries that it uses could bring them in, too.
    report = import_all("analysis", tmp_path, without=set())
    assert report["modules"] > 35
    assert not {"ray", "torch", "torchvision"} & set(report["loaded"])
    shared = SHARED["analysis"]
    packages = {
        ".".join(name.split(".")[:n]) for name in shared for n in range(1, name.count(".") + 1)
    }
    others = {name for name in report["all"] if name.split(".")[0] in MAY_IMPORT}
    assert {name for name in others if not name.startswith("analysis")} == shared | packages


def test_photos_and_networks_need_neither_ray_nor_optuna(tmp_path: Path) -> None:
    report = import_all("data_pipeline,models", tmp_path, without={"ray", "optuna"})
    assert report["modules"] > 70
    assert not {"analysis", "search"} & set(report["loaded"])


def test_the_public_door_opens_without_ray_and_torch(tmp_path: Path) -> None:
    report = import_all("chromatune", tmp_path, without=set())
    assert not {"ray", "torch", "torchvision", "analysis", "models"} & set(report["loaded"])


def test_torch_and_torchvision_fit_together() -> None:
    # Some builds of torch have no torchvision that fits; its operators then do not exist.
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    kept = torchvision.ops.nms(boxes, torch.tensor([0.5, 0.9, 0.1]), iou_threshold=0.5)
    assert kept.tolist() == [1, 2]


def test_the_tests_that_begin_first_are_there() -> None:
    assert [name for name in LONGEST if not (ROOT / "tests" / name).is_file()] == []
