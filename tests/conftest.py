from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Tests work on tiny arrays, on which a second thread only waits: on a busy machine of two cores one
# thread was 80 times as fast as two. Read by torch and NumPy when they are first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# A shell has what it starts in the background ignore Ctrl-C, and tests send it to themselves.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: the tests that take longest, most of them as they start Ray: they begin first, so that at the
#: end no process of pytest-xdist works at one of them while the others wait
LONGEST = [
    "search/tune/test_cluster.py",
    "search/tune/test_surviving.py",
    "search/tune/test_nodes.py",
    "search/run/test_remote_storage.py",
    "search/tune/test_worker_imports.py",
    "search/tune/test_search_run.py",
    "benchmarks/test_gpu.py",
    "search/test_api.py",
    "search/run/test_storage_errors.py",
    "search/tune/test_ray_session.py",
    "search/tune/test_time_budget.py",
    "benchmarks/test_recordings_resume.py",
    "chromatune/test_notebook.py",
    "search/tune/test_shared_beginnings.py",
    "search/study/test_postgresql.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    place = {here / name: position for position, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
