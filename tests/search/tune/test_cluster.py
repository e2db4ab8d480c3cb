"""A search on a cluster: what it is told when the cluster is not there or does not fit."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from data_pipeline.errors import InputError
from search.config import SearchConfig
from search.tune.cluster import address, compatibility, packed_code
from search.tune.cluster.compatibility import check_device, check_versions, own_versions
from search.tune.cluster.packed_code import make_runtime_env, pack_code
from search.tune.resources import plan_slots
from search.tune.worker_imports import PACKAGES
from tests.search.tune.clusters import SEARCH, command, refused


@contextmanager
def _listener(answer: bytes | None) -> Iterator[int]:
    """A port that answers whoever connects, or takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        held = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                held.append(connection)
                if answer is not None:
                    connection.recv(1024)
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def test_a_closed_port_is_refused_at_once(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = command(f"{SEARCH} --address 127.0.0.1:{port}", tmp_path)
    error = refused(done, tmp_path)
    assert f"127.0.0.1:{port}" in error
    assert "nobody" in error
    assert "--address" in error


def test_a_stale_address_of_the_environment_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = command(f"{SEARCH} --address auto", tmp_path, {"RAY_ADDRESS": f"127.0.0.1:{port}"})
    assert f"127.0.0.1:{port}" in refused(done, tmp_path)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(address, "CONNECT_SEC", 0.3)


@pytest.mark.usefixtures("impatient")
def test_a_black_hole_is_given_up() -> None:
    # A full queue of connections: the kernel drops whoever knocks next, as a firewall does.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        waiting = []
        for _ in range(3):
            waiting.append(socket.socket())
            waiting[-1].setblocking(False)
            waiting[-1].connect_ex(("127.0.0.1", port))
        try:
            with pytest.raises(InputError, match=r"nobody does \(timed out"):
                address.check_answer("127.0.0.1", port)
        finally:
            for connection in waiting:
                connection.close()


@pytest.mark.usefixtures("impatient")
def test_a_silent_port_is_given_up() -> None:
    with _listener(None) as port, pytest.raises(InputError, match=r"nobody does \(timed out"):
        address.check_answer("127.0.0.1", port)


def test_nobody_is_waited_for_longer_than_20_s(monkeypatch: pytest.MonkeyPatch) -> None:
    # No clock: whatever may be waited for is, in full.
    waited = []

    class Silent(socket.socket):
        def connect(self, address: object) -> None:
            waited.append(self.gettimeout())
            if len(waited) == 1:
                raise TimeoutError("timed out")

        def sendall(self, data: object, flags: int = 0) -> None:
            waited.append(self.gettimeout())

        def recv(self, size: int, flags: int = 0) -> bytes:
            waited.append(self.gettimeout())
            raise TimeoutError("timed out")

    def two_addresses(host: str, port: int, *_: object) -> list[object]:
        stream = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, stream, 0, "", ("::1", port, 0, 0)),
            (socket.AF_INET, stream, 0, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "socket", Silent)
    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    with pytest.raises(InputError, match=r"nobody does \(timed out"):
        address.check_answer("head", 6379)
    assert len(waited) == 4
    assert sum(seconds or float("inf") for seconds in waited) <= 20.0


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"no"])
def test_a_port_of_something_else_is_refused(answer: bytes) -> None:
    with _listener(answer) as port, pytest.raises(InputError, match=r"is not Ray.*6379"):
        address.check_answer("127.0.0.1", port)


@pytest.mark.parametrize("text", ["somewhere", "host:", "host:0", "host:70000", "", "a b:1"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="auto or HOST:PORT"):
        address.find(text)


def test_addresses_are_taken_apart() -> None:
    assert address.find("192.168.1.10:6379") == ("192.168.1.10", 6379)
    assert address.find("[fe80::1]:6379") == ("fe80::1", 6379)


@pytest.mark.parametrize("text", ["ray://head:10001", "http://head:8265"])
def test_the_client_port_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(InputError, match=r"--address auto on a machine .* ray job submit --work"):
        address.find(text)


def test_only_the_packages_travel(tmp_path: Path) -> None:
    root = tmp_path / "checkout"
    kept = [
        "search/cli/main.py",
        "models/networks/blocks.py",
        "data_pipeline/lab.py",
        "analysis/page/page.css",
        "chromatune/py.typed",
    ]
    left = [
        ".git/config",
        ".venv/pyvenv.cfg",
        "data/photo.jpg",
        "runs/first/run.json",
        "results/table.csv",
        "search/runs/first/run.json",
        "models/__pycache__/blocks.cpython-311.pyc",
        "models/.cache/photos.u8",
        "tests/test_layout.py",
    ]
    for name in kept + left:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    pack_code(tmp_path / "packed", root)
    packed = tmp_path / "packed"
    assert sorted(str(p.relative_to(packed)) for p in packed.rglob("*") if p.is_file()) == sorted(
        kept
    )


def test_the_packages_that_travel_are_those_that_are_installed(tmp_path: Path) -> None:
    pack_code(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", "import search.cli.main, search; print(search.__file__)"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str(tmp_path / "search" / "__init__.py")


def test_large_code_stays_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "checkout"
    for package in PACKAGES:
        (root / package).mkdir(parents=True)
    (root / "models" / "weights.pt").write_bytes(bytes(3_000_000))
    monkeypatch.setattr(packed_code, "MAX_CODE_BYTES", 2_000_000)
    with pytest.raises(InputError, match=r"at most 2 MB, but .* have 3 MB"):
        pack_code(tmp_path / "packed", root)


def test_nothing_that_a_job_has_set_is_set_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "RAY_JOB_CONFIG_JSON_ENV_VAR",
        '{"runtime_env": {"working_dir": "gcs://code.zip", "env_vars": {"A": "1"}}}',
    )
    found = make_runtime_env({"A": "2", "B": "3"}, tmp_path / "code")
    modules = [str(tmp_path / "code" / package) for package in PACKAGES]
    assert found == {"env_vars": {"B": "3"}, "py_modules": modules}
    monkeypatch.setenv(
        "RAY_JOB_CONFIG_JSON_ENV_VAR",
        '{"runtime_env": {"working_dir": "gcs://code.zip", "py_modules": ["gcs://more.zip"]}}',
    )
    assert make_runtime_env({}, tmp_path / "none") == {"env_vars": {}}
    assert not (tmp_path / "none").exists()


def test_versions_that_differ_are_refused() -> None:
    ours = {"python": "3.11.7", "torch": "2.15.0", "chromatune": "0.1.0"}
    check_versions(ours, {"10.0.0.1": dict(ours), "10.0.0.2": {**ours, "chromatune": None}})
    for wrong, words in [
        ({"torch": "2.14.1"}, r"10\.0\.0\.2 has torch 2\.14\.1 \(here 2\.15\.0\)"),
        ({"torch": None}, "torch not at all"),
        ({"chromatune": "0.2.0"}, "chromatune 0.2.0"),
    ]:
        with pytest.raises(InputError, match=words):
            check_versions(ours, {"10.0.0.1": ours, "10.0.0.2": {**ours, **wrong}})


def test_packages_of_a_trial_are_compared_by_release(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"torch": "2.15.0+cu128", "numpy": "2.4.6", "pillow": "12.3.0"}

    def version(name: str) -> str:
        if name in installed:
            return installed[name]
        raise compatibility.PackageNotFoundError(name)

    monkeypatch.setattr(compatibility, "version", version)
    ours = own_versions()
    assert (ours["torch"], ours["pyarrow"]) == ("2.15.0", None)
    installed["numpy"] = "2.4.1"
    check_versions(ours, {"10.0.0.2": own_versions()})
    installed["numpy"] = "2.3.6"
    with pytest.raises(InputError, match=r"10\.0\.0\.2 has numpy 2\.3 \(here 2\.4\)"):
        check_versions(ours, {"10.0.0.2": own_versions()})


def test_gpus_of_another_kind_are_refused() -> None:
    nvidia, apple = ["cuda", "cpu"], ["mps", "cpu"]
    check_device("cuda", {"10.0.0.1": nvidia, "10.0.0.2": nvidia}, machines=3)
    for found, words in [
        ({}, "none of its 3 machines has a GPU"),
        ({"10.0.0.1": apple}, r"'cuda' where 10\.0\.0\.1 has mps, cpu; use --device auto"),
        # A trial may come to either.
        ({"10.0.0.1": nvidia, "10.0.0.2": apple}, r"where 10\.0\.0\.2 has mps, cpu;"),
        # PyTorch without CUDA, or `ray start --num-gpus` on a machine with none.
        ({"10.0.0.1": ["cpu"]}, r"where 10\.0\.0\.1 has cpu;"),
    ]:
        with pytest.raises(InputError, match=words):
            check_device("cuda", found, machines=3)


def test_a_trial_fits_on_one_machine() -> None:
    config = SearchConfig(name="one", concurrency=1)
    slots = plan_slots(config, cpus=8.0, gpus=0.0, largest=2.0, trials=1)
    assert slots.cpus_per_trial == 2.0
    slots = plan_slots(config, cpus=9.0, gpus=2.0, largest=1.0, trials=1)
    assert (slots.cpus_per_trial, slots.gpus_per_trial) == (1.0, 1.0)
