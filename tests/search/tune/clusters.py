"""A real cluster of one machine, and searches that are sent to clusters."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[3]
SEARCH = "search --images synthetic:60 --image-size 32 --batch-size 8 --trials 2 --max-epochs 1"
PATIENCE_SEC = 240


def command(
    arguments: str, cwd: Path, environment: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-m", "search.cli.main", *arguments.split()],
        cwd=cwd,
        env=clean
        | {"PYTHONPATH": str(ROOT), "CHROMATUNE_CACHE": str(cwd / "cache")}
        | (environment or {}),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SEC,
        check=False,
    )


def refused(done: subprocess.CompletedProcess[str], cwd: Path) -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith("chromatune: ")
    assert not (cwd / "runs").exists()
    return done.stderr


class Head:
    """A real cluster of one small machine, with a token."""

    def __init__(self) -> None:
        # Short: the path of a socket has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.port = server.getsockname()[1]
        self.token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        with (self.folder / "output.txt").open("w") as output:
            self.process = subprocess.Popen(
                [
                    *(str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"),
                    *(f"--port={self.port}", f"--temp-dir={self.folder}", "--num-cpus=1"),
                    *("--object-store-memory=80000000", "--include-dashboard=false"),
                    "--disable-usage-stats",
                ],
                env={**os.environ, **self.token},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SEC
        while "Ray runtime started" not in (self.folder / "output.txt").read_text():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def stop(self) -> None:
        # `ray stop` would end all Ray on this machine.
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def run_script(
    script: str, arguments: str, cwd: Path, head: Head
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments.split()],
        cwd=cwd,
        env={**os.environ, **head.token, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SEC,
        check=False,
    )
