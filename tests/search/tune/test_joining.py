"""A search on a real cluster: it runs there, or is told what does not fit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from search.run.directory import read_json
from search.tune.cluster.packed_code import pack_code
from tests.search.tune.clusters import SEARCH, Head, command, refused, run_script


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    head = Head()
    try:
        head.wait()
        yield head
    finally:
        head.stop()


def test_a_search_runs_on_the_cluster_with_the_code_of_its_driver(
    head: Head, tmp_path: Path
) -> None:
    # The machines have another chromatune installed, or none: this one says who it is.
    code = tmp_path / "code"
    pack_code(code)
    trainable = code / "search" / "tune" / "trainable.py"
    said = tmp_path / "said.txt"
    text = trainable.read_text()
    assert text.count("\nimport torch\n") == 1
    # Torch reads the variable when it is imported.
    saying = f"""
import os, sys
fallback = os.environ.get("PYTORCH_ENABLE_MPS_FALLBACK")
with open({str(said)!r}, "a") as said:
    print(__file__, fallback, "torch" in sys.modules, file=said)
import torch
"""
    trainable.write_text(text.replace("\nimport torch\n", saying))
    done = command(
        f"{SEARCH} --name there --address auto",
        tmp_path,
        {"PYTHONPATH": str(code), "RAY_ADDRESS": f"127.0.0.1:{head.port}", **head.token},
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "runs" / "there"
    assert read_json(run / "run.json")["status"] == "finished"
    lines = [line.rsplit(maxsplit=2) for line in said.read_text().splitlines()]
    there = [line for line in lines if line[0] != str(trainable)]
    assert there
    assert all("working_dir_files" in path for path, _, _ in there)
    assert all(rest == ["1", "False"] for _, *rest in there)
    # The cluster goes on without the search.
    assert head.process.poll() is None


def test_the_working_directory_of_a_job_hides_none_of_our_packages(
    head: Head, tmp_path: Path
) -> None:
    (tmp_path / "project" / "models").mkdir(parents=True)
    (tmp_path / "project" / "models" / "__init__.py").write_text("MINE = True\n")
    (tmp_path / "project" / "mine.py").write_text("MINE = True\n")
    # As in a job: it has a working directory, to which we add.
    program = """
import os, sys
from pathlib import Path
import ray
from search.tune.cluster.packed_code import make_runtime_env

os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"] = '{"runtime_env": {"working_dir": "gcs://"}}'
ours = make_runtime_env({}, Path(sys.argv[2]))
del os.environ["RAY_JOB_CONFIG_JSON_ENV_VAR"]
ray.init(sys.argv[1], runtime_env={"working_dir": sys.argv[3], **ours}, log_to_driver=False)

@ray.remote(num_cpus=0)
def found():
    import mine, models.networks.generator
    return hasattr(models, "MINE"), mine.MINE

print(ray.get(found.remote()))
"""
    arguments = f"127.0.0.1:{head.port} {tmp_path / 'code'} {tmp_path / 'project'}"
    done = run_script(program, arguments, tmp_path, head)
    assert done.stdout == "(False, True)\n", done.stderr


def test_a_cluster_without_the_asked_device_is_refused(head: Head, tmp_path: Path) -> None:
    done = command(f"{SEARCH} --device cuda --address 127.0.0.1:{head.port}", tmp_path, head.token)
    error = refused(done, tmp_path)
    assert "'cuda'" in error
    assert "--device auto" in error


def test_a_cluster_with_gpus_of_another_kind_is_refused(head: Head, tmp_path: Path) -> None:
    # A GPU to Ray, none to PyTorch: the machine itself is asked.
    program = """
import sys
import ray
from search.cli import main as cli
nodes = ray.nodes
ray.nodes = lambda: [{**n, "Resources": {**n["Resources"], "GPU": 1.0}} for n in nodes()]
sys.exit(cli.main(sys.argv[1:]))
"""
    done = run_script(
        program, f"{SEARCH} --device mps --address 127.0.0.1:{head.port}", tmp_path, head
    )
    error = refused(done, tmp_path)
    assert "'mps' where " in error
    assert "cpu; use --device auto" in error


def test_a_cluster_with_other_versions_is_refused(head: Head, tmp_path: Path) -> None:
    program = """
import sys
from search.cli import main as cli
from search.tune.cluster import joining
ask = joining.ask_machines
def of_last_year():
    return {machine: {**versions, "torch": "2.9.1"} for machine, versions in ask().items()}
joining.ask_machines = of_last_year
sys.exit(cli.main(sys.argv[1:]))
"""
    done = run_script(program, f"{SEARCH} --address 127.0.0.1:{head.port}", tmp_path, head)
    assert "has torch 2.9.1 (here 2." in refused(done, tmp_path)


def test_a_cluster_that_asks_for_its_token_is_refused(head: Head, tmp_path: Path) -> None:
    wrong = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 32}
    none = {"RAY_AUTH_MODE": "token", "HOME": str(tmp_path)}
    for environment in ({"RAY_AUTH_MODE": "disabled"}, wrong, none):
        done = command(f"{SEARCH} --address 127.0.0.1:{head.port}", tmp_path, environment)
        assert "RAY_AUTH_MODE=token" in refused(done, tmp_path)
