"""`chromatune report --watch` as a person has it: in a terminal, beside a search that runs."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from models.training.epoch_progress import EpochProgress
from search.cli.main import main
from search.run.ledger import Ledger
from tests.search.ledgers import make_config, make_report, open_ledger

ROOT = Path(__file__).parents[3]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A search of 4 trials: one has ended, one is in the middle of its second epoch."""
    ledger = open_ledger(tmp_path, make_config(trials=4, max_epochs=3))
    ledger.run.lock()
    ledger.run.set_status("running")
    for _ in range(2):
        assert ledger.ask() is not None
    for epoch in (1, 2, 3):
        ledger.report("0000", make_report(epoch, value=5.0))
    ledger.finish("0000")
    ledger.report("0001", make_report(1, value=4.0))
    progress = EpochProgress(epoch=1, step=5, steps=10, reconstruction=0.125, adversarial=None)
    (ledger.run.trial_folder("0001") / "progress.json").write_bytes(progress.to_json())
    yield ledger
    ledger.run.close()


def test_it_serves_until_ctrl_c(ledger: Ledger) -> None:
    command = [sys.executable, "-m", "chromatune", "report", str(ledger.run.path)]
    server = subprocess.Popen(
        [*command, "--watch", "--port", "0"], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert server.stderr is not None
    try:
        address, *_ = server.stderr.readline().split()
        assert address.startswith("http://127.0.0.1:")
        with urlopen(address) as answer:
            page = answer.read().decode()
        with urlopen(f"{address}state") as answer:
            state = json.load(answer)["html"]
        server.send_signal(signal.SIGINT)
        assert server.wait(timeout=60) == 130
        assert server.stderr.read() == "chromatune: interrupted\n"
    finally:
        server.kill()
        server.wait()
    for text in (page, state):
        assert "running, 1/4 trials have ended" in text
        assert "<b>0001</b>" in text
        assert "epoch 2/3  step 5/10  reconstruction 0.125" in text
        assert "about 5 s to its end" in text
        assert 'value="0.500"' in text
    # The port is free again.
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", int(address.rstrip("/").rpartition(":")[2])))


def test_a_port_that_is_taken_is_one_line(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert main(["report", str(ledger.run.path), "--watch", "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"127.0.0.1:{port} cannot be bound" in error
    assert "choose another with --port" in error
