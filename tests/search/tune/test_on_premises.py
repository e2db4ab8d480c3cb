"""cluster.yaml as it is: `ray up` over ssh, a search and a job on two machines, `ray down`."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import yaml

from search.run.directory import read_json, read_rows

ROOT = Path(__file__).parents[3]
HEAD, WORKER = "10.77.0.2", "10.77.0.3"
TOOLS = ("unshare", "ip", "ssh", "ssh-keygen", "rsync", "sshd")
# Trials of some seconds: else the head has done all before the worker has begun.
SEARCH = (
    "chromatune search --address auto --images synthetic:160 --image-size 64 --batch-size 8 "
    "--trials 4 --max-epochs 4 --concurrency 2"
)
PATIENCE_SEC = 1200
#: what Ray's jobs need besides; apart, since all of Ray behaves differently where it is found
JOBS = Path(sysconfig.get_path("purelib", vars={"base": f"{sys.prefix}/jobs"}))

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if missing := [tool for tool in TOOLS if not shutil.which(tool, path=path)]:
        pytest.skip(f"needs {', '.join(missing)} (apt-get install openssh-server rsync iproute2)")
    if subprocess.run(["unshare", "--net", "--pid", "--fork", "true"], check=False).returncode:
        pytest.skip("needs the right to make namespaces (root)")
    return tmp_path_factory.mktemp("machines")


def _write_config(folder: Path) -> Path:
    """The project's cluster.yaml with our addresses, key and installed packages."""
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text(encoding="utf-8"))
    config["provider"] |= {"head_ip": HEAD, "worker_ips": [WORKER]}
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(folder / "key")}
    install = [command for command in config["setup_commands"] if ".venv/bin/python" in command]
    assert len(install) == 2
    for command in install:
        # The machines reach no package index: they share what the tests run with.
        config["setup_commands"].remove(command)
    config["setup_commands"] += [
        f"ln -sfn {shlex.quote(sys.prefix)} ~/chromatune/.venv",
        f"echo 'export PYTHONPATH=$HOME/chromatune:{JOBS}' >> ~/.bashrc",
    ]
    for key in ("head_start_ray_commands", "worker_start_ray_commands"):
        # A small test of two machines on one.
        config[key][1] += " --num-cpus=1 --object-store-memory=100000000"
    path = folder / "cluster.yaml"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return path


def _steps(config: Path) -> list[str]:
    ray = f"{shlex.quote(sys.prefix)}/bin/ray"
    on_head = f"{ray} exec {config}"
    steps = [
        f"{ray} get-auth-token --generate > /dev/null",
        f"{ray} up --yes {config}",
        f"{on_head} 'timeout 300 bash -c \"until ray status | grep /2.0.CPU; do sleep 1; done\"'",
        # Without the setting that ~/.bashrc has: `auto` finds the token by itself.
        f"{on_head} 'cd ~ && env -u RAY_AUTH_MODE {SEARCH} --name first'",
        f"{ray} dashboard {config} > /dev/null & sleep 10",
        f"export PYTHONPATH={JOBS} RAY_AUTH_MODE=token RAY_API_SERVER_ADDRESS=http://127.0.0.1:8265",
        f"{ray} job submit --working-dir {ROOT} -- bash -c 'cd ~ && {SEARCH} --name second'",
    ]
    # Nobody but the head itself and ssh reaches the dashboard.
    steps += [f"if timeout 3 bash -c ': < /dev/tcp/{HEAD}/8265'; then exit 1; fi"]
    # Workers that lost their head end by themselves after a minute.
    steps += [
        f"{ray} down --yes {config}",
        "for i in $(seq 120); do pgrep --count raylet > /dev/null || break; sleep 1; done",
        "if pgrep --list-full raylet || pgrep --list-full gcs_server; then exit 1; fi",
    ]
    return steps


def test_the_launcher_starts_a_cluster_that_searches(machines: Path) -> None:
    found = importlib.util.find_spec("aiohttp_cors") or (JOBS / "aiohttp_cors").is_dir()
    assert found, "needs what Ray's jobs need: make machines"
    config = _write_config(machines)
    script = machines / "steps.sh"
    lines = ["set -euo pipefail", f"cd {ROOT}"]
    for step in _steps(config):
        lines += [f"printf '\\n$ %s\\n' {shlex.quote(step)}", step]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with (machines / "output.txt").open("w") as output:
        done = subprocess.run(
            [str(ROOT / "tests/search/tune/machines.sh"), str(machines), "bash", str(script)],
            env={**environment, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE_SEC,
            check=False,
        )
    text = (machines / "output.txt").read_text(encoding="utf-8", errors="replace")
    assert done.returncode == 0, text[-6000:]
    for name in ("first", "second"):
        run = machines / "head" / "home" / "runs" / name
        assert read_json(run / "run.json")["status"] == "finished"
        states = {row["trial_id"]: row["state"] for row in read_rows(run / "trials.jsonl")}
        assert len(states) == 4
        assert set(states.values()) <= {"complete", "pruned"}, json.dumps(states)
    for machine in ("head", "worker"):
        logs = list((machines / machine / "ray").glob("session_2*/logs/worker-*.out"))
        assert any("ColorizerTrainable" in log.read_text() for log in logs), machine
        # Each has the photos in its own home.
        assert list((machines / machine / "home/.cache/chromatune").glob("64-crop-*")), machine
