"""Where a cluster is: the host and port that `--address` means, and whether Ray answers there."""

from __future__ import annotations

import os
import re
import socket

from data_pipeline.errors import InputError
from search.tune.cluster import ray_internals

# For each step: to connect (once for each address of a name, mostly IPv6 and IPv4), to hear.
CONNECT_SEC = 5.0
# Ray itself asks a port that is not its own for 40 s. Its ports speak gRPC, which is HTTP/2: a
# client says this first (RFC 9113, section 3.4; here with empty SETTINGS), and the server answers
# with SETTINGS, type 4, or is none.
_HTTP2_HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
_HTTP2_SETTINGS = 4
PORT_RULE = "the port of a cluster is that of `ray start --head`, 6379 unless told otherwise"
_START_ONE = "start the cluster (docs/clusters), or leave --address out to search on this machine"


def find(address: str) -> tuple[str, int]:
    """Host and port of the cluster that `address` means; raises InputError when there is none."""
    if address == "auto":
        address = os.environ.get("RAY_ADDRESS") or address
    if "://" in address:
        raise InputError(
            f"--address must be auto or HOST:PORT, but got {address}, which would take the search "
            "away from its run's folder; use --address auto on a machine of the cluster (ray "
            "attach), or hand the search in from here: ray job submit --working-dir . -- "
            "chromatune search --address auto (docs/clusters/on-premises.md)"
        )
    if address == "auto":
        try:
            address = ray_internals.address_of_this_machine()
        except ConnectionError as error:
            raise InputError(
                f"--address auto must find Ray on this machine, but none runs here; {_START_ONE}"
            ) from error
    match = re.fullmatch(r"\[?([^\s\[\]]+?)\]?:(\d{1,5})", address)
    if not match or not 0 < int(match[2]) < 2**16:
        raise InputError(f"--address must be auto or HOST:PORT, but got {address!r}")
    return match[1], int(match[2])


def check_answer(host: str, port: int) -> None:
    """Raise InputError unless something that may be Ray answers there within seconds."""
    try:
        with socket.create_connection((host, port), timeout=CONNECT_SEC) as connection:
            connection.sendall(_HTTP2_HELLO)
            frame = connection.recv(9)
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise InputError(
            f"a Ray cluster must answer at --address, but at {host}:{port} nobody does ({why}); "
            f"{_START_ONE}"
        ) from error
    if len(frame) < 4 or frame[3] != _HTTP2_SETTINGS:
        raise InputError(
            f"a Ray cluster must answer at --address, but what answers at {host}:{port} is not "
            f"Ray; {PORT_RULE}"
        )
