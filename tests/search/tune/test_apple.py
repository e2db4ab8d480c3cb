"""What an Apple GPU lacks runs on the CPU, and a person hears of it once."""

from __future__ import annotations

import io
import os
import warnings
from types import SimpleNamespace
from typing import Any

import pytest
import ray
from rich.console import Console

from search.cli.progress import Progress
from search.tune.ray_session import ray_session
from search.tune.trainable import ColorizerTrainable

# As PyTorch says it (aten/src/ATen/mps/MPSFallback.mm).
SAID = (
    "The operator 'aten::x' is not currently supported on the MPS backend and will fall back to "
    "run on the CPU. This may have performance implications."
)
WHERE = " (Triggered internally at MPSFallback.mm:11.)"


def test_workers_of_a_local_search_inherit_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", {})
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda *_, **__: seen.update(os.environ))
    monkeypatch.setattr(ray, "shutdown", lambda: None)
    with ray_session(None, "mps"):
        pass
    assert seen["PYTORCH_ENABLE_MPS_FALLBACK"] == "1"


def _step(*said: str) -> dict[str, Any]:
    def run_epoch() -> dict[str, Any]:
        for text in said:
            warnings.warn(text, UserWarning, stacklevel=1)
        return {"epoch": 1, "done": True}

    trainable = ColorizerTrainable.__new__(ColorizerTrainable)
    trainable.setup({"trial": {"trial_id": "0000", "reported_epoch": 0}})
    trainable._trial = SimpleNamespace(  # type: ignore[assignment]
        last_report=None, run_epoch=run_epoch, training=SimpleNamespace(compute="mps")
    )
    trainable._place = SimpleNamespace(deliver=lambda: None)  # type: ignore[assignment]
    report: dict[str, Any] = trainable.step()["report"]
    return report


def test_a_report_tells_of_the_operator() -> None:
    assert _step(SAID + WHERE, SAID.replace("::x", "::y"))["note"] == SAID


def test_other_warnings_stay_what_they_are() -> None:
    with pytest.warns(UserWarning, match="something else"):
        report = _step("something else")
    assert "note" not in report
    assert report["device"] == "mps"


def test_it_is_said_once_a_search() -> None:
    output = io.StringIO()
    progress = Progress(Console(file=output, soft_wrap=True))
    for trial_id in ("0000", "0001"):
        progress.on_report(trial_id, {"epoch": 1, "note": SAID})
    assert output.getvalue() == f"trial 0000: {SAID}\n"
