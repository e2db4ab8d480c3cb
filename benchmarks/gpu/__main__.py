"""What a GPU does with our training: rightly, how fast, how many at once.

    python -m benchmarks.gpu check|step|pack|epoch|precision [--device cuda] --json FILE

Needs neither Ray nor Optuna, nor photos. Each takes less than three minutes on a GPU; `--tiny`
runs the same in seconds on any machine, to see that it runs.
"""

from __future__ import annotations

import argparse
import json
import platform
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import agreement, epochs, precisions, sharing, steps
from models.training.device import DEVICES, resolve_compute

MEASUREMENTS = {
    "check": agreement.measure,
    "step": steps.measure,
    "pack": sharing.measure,
    "epoch": epochs.measure,
    "precision": precisions.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu", description=__doc__.split("\n", maxsplit=1)[0]
    )
    parser.add_argument("measurement", choices=list(MEASUREMENTS))
    parser.add_argument("--device", choices=DEVICES, default="cuda")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--json", type=Path, required=True, metavar="FILE")
    options = parser.parse_args()
    device = str(resolve_compute(options.device))
    rows = []
    for row in MEASUREMENTS[options.measurement](device, tiny=options.tiny):
        print(json.dumps(row), flush=True)
        rows.append(row)
    document = {"measurement": options.measurement, **environment(device), "rows": rows}
    options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def environment(device: str) -> dict[str, Any]:
    """What the figures hold for."""
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return {
        "device": device,
        "name": name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
