"""A Ray cluster of several nodes on this machine that share no folder."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_SEC = 240


class Cluster:
    """A head without trials, whose files are in `home`, and nodes that do not see them.

    Where namespaces may be made (as root), the folder `home` is empty for the nodes; elsewhere they
    have at least a cache, a TMPDIR and a working directory of their own.
    """

    def __init__(self, base: Path) -> None:
        self.base = base
        self.home = base / "home"
        self.home.mkdir()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(16),
            # Ray is nice to other programs: on a busy machine its trials would hardly move.
            "RAY_worker_niceness": "0",
            "OMP_NUM_THREADS": "1",
            # A lost node is noticed within seconds instead of half a minute.
            "RAY_health_check_period_ms": "1000",
            "RAY_health_check_failure_threshold": "3",
        }
        self.nodes: dict[str, subprocess.Popen[bytes]] = {}
        self.n_nodes = 1
        self.start_head()

    def start_head(self) -> None:
        """Start a head, the first or the next one: a new cluster, with the files of the old one."""
        # Short: the path of a socket has at most 107 characters.
        self.session = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        head = f"--head --port={port} --temp-dir={self.session} --num-cpus=0"
        self._start("head", f"{head} --include-dashboard=false", [])

    def add_node(self, *, cpus: int = 1) -> str:
        """Start a node and wait until it is there; return its name."""
        self.n_nodes += 1
        number = self.n_nodes
        name = f"node-{number}"
        # Addresses of their own, so that the driver joins the head and not the first that it finds.
        arguments = f"--address={self.address} --node-ip-address=127.0.0.{number}"
        hide = ["unshare", "--mount", "sh", "-c"]
        hide += [f'mount -t tmpfs tmpfs {shlex.quote(str(self.home))} && exec "$@"', "sh"]
        allowed = subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True)
        self._start(name, f"{arguments} --num-cpus={cpus}", [] if allowed.returncode else hide)
        return name

    def _start(self, name: str, arguments: str, prefix: list[str]) -> None:
        folder = self.base / name
        (folder / "tmp").mkdir(parents=True, exist_ok=True)
        output = folder / "output.txt"
        with output.open("w") as file:
            self.nodes[name] = subprocess.Popen(
                [
                    *prefix,
                    *(str(Path(sys.executable).with_name("ray")), "start", "--block"),
                    "--object-store-memory=80000000",
                    *("--disable-usage-stats", *arguments.split()),
                ],
                cwd=folder,
                env={
                    **self.environment,
                    "CHROMATUNE_CACHE": str(folder / "cache"),
                    "TMPDIR": str(folder / "tmp"),
                },
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SEC
        while "Ray runtime started" not in output.read_text():
            assert self.nodes[name].poll() is None, output.read_text()
            assert time.monotonic() < deadline, output.read_text()
            time.sleep(0.2)

    def kill(self, name: str) -> None:
        """End all processes of a node at once, as a power cut does."""
        process = self.nodes[name]
        for pid in [*descendants(process.pid), process.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        process.wait()

    def kill_raylet(self, name: str) -> None:
        """End a node's raylet, which holds its object store; its trials' processes find out."""
        raylets = [
            pid
            for pid in descendants(self.nodes[name].pid)
            if Path(f"/proc/{pid}/comm").read_text().strip() == "raylet"
        ]
        assert len(raylets) == 1
        os.kill(raylets[0], signal.SIGKILL)

    def stop(self) -> None:
        """End all that was started; `ray stop` would end all Ray on this machine."""
        for name in reversed(list(self.nodes)):
            self.kill(name)
        self.nodes.clear()
        shutil.rmtree(self.session, ignore_errors=True)

    def search(self, arguments: str) -> subprocess.Popen[str]:
        """Start a search on the head's machine."""
        root = Path(__file__).parents[3]
        words = [*arguments.split(), "--address", self.address]
        return subprocess.Popen(
            [sys.executable, "-m", "search.cli.main", *words],
            cwd=self.home,
            env={
                **self.environment,
                "PYTHONPATH": str(root),
                "CHROMATUNE_CACHE": str(self.home / "cache"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


def descendants(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                status = (folder / "stat").read_text(errors="replace")
            except OSError:
                continue
            parent = int(status.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    found, stack = [], [pid]
    while stack:
        below = children.get(stack.pop(), [])
        found += below
        stack += below
    return found
