"""A local search can be reached from this machine alone."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PATIENCE_SEC = 240
LISTENING = "0A"  # linux/include/net/tcp_states.h: TCP_LISTEN


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_nothing_of_a_local_search_listens_beyond_this_machine(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = "search --images synthetic:60 --image-size 32 --trials 4 --max-epochs 50 --name one"
    search = subprocess.Popen(
        [sys.executable, "-m", "search.cli.main", *command.split()],
        cwd=tmp_path,
        env=environment | {"PYTHONPATH": str(ROOT), "CHROMATUNE_CACHE": str(tmp_path / "cache")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + PATIENCE_SEC
        while not list((tmp_path / "runs").glob("one/trials/*/validation.jsonl")):
            assert search.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # So that it cannot end while we look.
        search.send_signal(signal.SIGSTOP)
        addresses = _listening(_family(search.pid))
    finally:
        search.send_signal(signal.SIGCONT)
        search.send_signal(signal.SIGINT)
        _, error = search.communicate(timeout=PATIENCE_SEC)
    # Ray's head and this machine's share of it, at least.
    assert len(addresses) >= 3, error
    assert all(address.is_loopback for address in addresses), addresses


def _family(parent: int) -> set[int]:
    """Process ids of a process and all that it started."""
    children: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(status.parent.name))
    family, stack = set(), [parent]
    while stack:
        pid = stack.pop()
        family.add(pid)
        stack += children.get(pid, [])
    return family


def _listening(pids: set[int]) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The addresses at which these processes take TCP connections."""
    sockets = set()
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                sockets.add(str(descriptor.readlink()))
            except OSError:
                continue
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and f"socket:[{fields[9]}]" in sockets:
                found.append(_address(fields[1].split(":")[0]))
    return found


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address of /proc/net/tcp: words of 32 bits, each in the machine's byte order."""
    words = [bytes.fromhex(text[i : i + 8]) for i in range(0, len(text), 8)]
    if sys.byteorder == "little":
        words = [word[::-1] for word in words]
    address = ipaddress.ip_address(b"".join(words))
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
