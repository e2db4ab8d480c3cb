"""A head that is gone is noticed, and one that stumbles is forgiven."""

from __future__ import annotations

import socket
import threading
import time

from search.tune.cluster.head_watch import watch_head


def test_a_head_that_is_gone_is_told_once() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{server.getsockname()[1]}"
    told: list[str] = []
    lost = threading.Event()

    def on_lost(reason: str) -> None:
        told.append(reason)
        lost.set()

    with watch_head(address, on_lost, patience_sec=0.6):
        assert not lost.wait(1.5)  # while it answers
        server.close()
        assert lost.wait(20)
        time.sleep(1)
    assert len(told) == 1
    assert address in told[0]
    assert "start the cluster again" in told[0]


def test_a_head_that_comes_back_in_time_is_not_lost() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    lost = threading.Event()
    with watch_head(f"127.0.0.1:{port}", lambda _: lost.set(), patience_sec=6):
        server.close()
        assert not lost.wait(2.5)
        with socket.create_server(("127.0.0.1", port)):
            assert not lost.wait(7)


def test_nothing_is_told_after_the_end() -> None:
    lost = threading.Event()
    with watch_head("127.0.0.1:1", lambda _: lost.set(), patience_sec=1.0):
        pass
    assert not lost.wait(2)
