from __future__ import annotations

import re

import pytest
import torch

from models.accelerator import self_check
from search.cli.main import main


def test_the_doctor_says_what_a_trial_will_use_and_that_it_computes_rightly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--device", "cpu", "--precision", "float32"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^versions: chromatune \S+, Python 3\.\d+\.\d+, torch \d", out)
    assert "a trial will use: cpu, float32, channels_last, steps called" in out
    assert out.count("agrees with the CPU") == 5
    if not torch.cuda.is_available() and not torch.backends.mps.is_available():
        assert len(re.findall("^no GPU: .+$", out, re.MULTILINE)) == 1


def test_a_device_that_computes_wrongly_ends_in_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(self_check, "_metrics", lambda device: (False, "differ: l1"))
    assert main(["doctor", "--device", "cpu"]) == 1
    assert "check: metrics DIFFERS: differ: l1" in capsys.readouterr().out


def test_a_device_that_is_not_there_is_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert main(["doctor", "--device", "mps"]) == 2
    assert "device must be present on this machine" in capsys.readouterr().err
