"""Losses gathered over a window of steps without waiting for the device at each step."""

from __future__ import annotations

import math
from typing import Any

import torch

from models.training.step import StepKind, StepLosses

AVERAGED = (
    "reconstruction",
    "adversarial",
    "total",
    "discriminator_real",
    "discriminator_fake",
    "discriminator",
)


class NonFiniteLossError(RuntimeError):
    """A loss became infinite or NaN; the training is a recorded failure from here on."""


class LossWindow:
    """Collects `StepLosses`; `close` turns a window into one row of the curves.

    The moving averages are over steps, as in the report: m <- s * m + (1 - s) * loss, started at
    the first loss.
    """

    def __init__(self, *, smoothing: float) -> None:
        self.smoothing = smoothing
        self.averages: dict[str, float] = {}
        self._steps: list[torch.Tensor] = []
        self._kinds: list[StepKind] = []

    def __len__(self) -> int:
        return len(self._steps)

    def add(self, losses_7: torch.Tensor, kind: StepKind) -> None:
        """Keep the losses of a step (those of `StepLosses`, stacked), unread, and its kind."""
        self._steps.append(losses_7)
        self._kinds.append(kind)

    def close(self, *, step: int) -> dict[str, Any]:
        """Return means and moving averages of the window that ends at `step`, and empty it.

        Raises NonFiniteLossError if a loss that took part is not finite.
        """
        # The only place where the host waits for the device.
        rows = torch.stack(self._steps).tolist()
        first_step = step - len(rows) + 1
        sums: dict[str, list[float]] = {}
        for offset, (values, kind) in enumerate(zip(rows, self._kinds, strict=True)):
            losses = _taken_part(values, kind)
            for name, value in losses.items():
                if not math.isfinite(value):
                    raise NonFiniteLossError(f"{name} was {value} at step {first_step + offset}")
                sums.setdefault(name, []).append(value)
                if name in AVERAGED:
                    past = self.averages.get(name, value)
                    self.averages[name] = self.smoothing * past + (1 - self.smoothing) * value
        self._steps.clear()
        self._kinds.clear()
        names = (*StepLosses._fields[:3], *AVERAGED[3:], *StepLosses._fields[5:])
        row: dict[str, Any] = {
            name: math.fsum(sums[name]) / len(sums[name]) if name in sums else None
            for name in names
        }
        row |= {f"{name}_ema": self.averages.get(name) for name in AVERAGED}
        return row


def _taken_part(values: list[float], kind: StepKind) -> dict[str, float]:
    named = dict(zip(StepLosses._fields, values, strict=True))
    if not (kind.adversarial and kind.train_discriminator):
        for name in StepLosses._fields[3:]:
            del named[name]
    else:
        named["discriminator"] = 0.5 * (named["discriminator_real"] + named["discriminator_fake"])
    if not kind.adversarial:
        # A sum without its adversarial part is no point of the same curve.
        del named["adversarial"], named["total"]
    return named
