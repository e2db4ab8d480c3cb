"""What an Apple GPU lacks runs on the CPU, and a person hears of it once."""

from __future__ import annotations

import io
import os
import warnings
from types import SimpleNamespace

import pytest
import ray
from rich.console import Console

from models.training.report import EpochReport
from search.progress.display import Progress
from search.tune.messages import EpochDone, from_result
from search.tune.ray_session import ray_session
from search.tune.trainable import ColorizerTrainable
from tests.search.ledgers import make_report

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


def _step(*said: str) -> EpochDone:
    def run_epoch(*, on_step: object) -> EpochReport:
        for text in said:
            warnings.warn(text, UserWarning, stacklevel=1)
        return make_report(1)

    trainable = ColorizerTrainable.__new__(ColorizerTrainable)
    trainable.setup({})
    trainable._trial = SimpleNamespace(  # type: ignore[assignment]
        last_report=None, run_epoch=run_epoch, training=SimpleNamespace(compute="mps")
    )
    trainable._directory = SimpleNamespace(  # type: ignore[assignment]
        deliver=lambda: None, progress_file=lambda: None
    )
    message = from_result(trainable.step())
    assert isinstance(message, EpochDone)
    return message


def test_a_message_tells_of_the_operator() -> None:
    assert _step(SAID + WHERE, SAID.replace("::x", "::y")).note == SAID


def test_other_warnings_stay_what_they_are() -> None:
    with pytest.warns(UserWarning, match="something else"):
        message = _step("something else")
    assert message.note is None
    assert message.device == "mps"


def test_it_is_said_once_a_search() -> None:
    output = io.StringIO()
    progress = Progress(Console(file=output, soft_wrap=True))
    for trial_id in ("0000", "0001"):
        progress.on_epoch(trial_id, EpochDone(report=make_report(1), device="mps", note=SAID))
    assert output.getvalue() == f"trial 0000: {SAID}\n"
