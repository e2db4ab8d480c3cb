"""Adam as the training uses it: learning rates that change, states that move between devices."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

from models.training.device import Compute

_step = unwrap(torch.optim.Adam.step)


class EagerAdam(torch.optim.Adam):
    """PyTorch's own Adam, without the wrappers that keep `torch.compile` from compiling it.

    They import the compiler when the first optimizer is made, which takes as long as `import torch`
    itself (1.1 s) in each process that trains; nothing here is compiled.
    """

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update the weights from their gradients."""
        with torch.no_grad():
            loss: float | None = _step(self, closure)
        return loss


def make_adam(network: nn.Module, lr: float, compute: Compute) -> torch.optim.Adam:
    """Adam for a network that lies on its device already.

    Where steps are captured the learning rate is a tensor, which a recorded step reads anew at
    each replay; elsewhere it is a plain number.
    """
    device = compute.device
    optimizer = EagerAdam(
        network.parameters(),
        lr=lr,
        fused=device.type != "mps",
        capturable=compute.captures and device.type == "cuda",
    )
    if compute.captures:
        # The kernel of CUDA reads float32; that of the CPU takes all digits of a plain number.
        dtype = torch.float32 if device.type == "cuda" else torch.float64
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(lr, dtype=dtype, device=device)
    # Steps before the recording run without a graph, as they should: not worth PyTorch's warning.
    optimizer._warned_capturable_if_run_uncaptured = True
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Train with `lr` from the next step on, also in steps that are recorded already."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimizer's `state_dict`, with its learning rates as plain numbers."""
    state = optimizer.state_dict()
    groups = [{**group, "lr": float(group["lr"])} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Take over moments and step counts from a state of any device and memory layout.

    How to compute (fused, capturable, the rate as a tensor) stays as made for this device:
    PyTorch would take it over too, and would keep the moments' strides, which its fused kernel then
    reads as if they were those of the weights.
    """
    own = optimizer.state_dict()["param_groups"]
    if [len(group["params"]) for group in own] != [
        len(group["params"]) for group in state["param_groups"]
    ]:
        raise ValueError("the optimizer's state must be of networks of the same layers")
    rates = [group["lr"] for group in optimizer.param_groups]
    optimizer.load_state_dict({"state": state["state"], "param_groups": own})
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate
    for weights, moments in optimizer.state.items():
        for name, value in moments.items():
            if isinstance(value, Tensor) and value.shape == weights.shape:
                moments[name] = torch.empty_like(weights).copy_(value)
