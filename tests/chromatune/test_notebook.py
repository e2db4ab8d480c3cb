"""The notebook of the docs runs from its first cell to its last."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[2]
PATIENCE_SEC = 240


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("CHROMATUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RAY_worker_niceness", "0")
    notebook = nbformat.read(ROOT / "docs" / "python.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    client = NotebookClient(
        notebook, timeout=PATIENCE_SEC, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    shown = [
        {kind for output in cell.outputs for kind in output.get("data", {})}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]
    _, searched, leaderboard, samples, figure, curves, study, coloured = shown
    assert not searched
    for table in (leaderboard, study):
        assert "text/html" in table
    for picture in (samples, coloured):
        assert "image/png" in picture
    for plot in (figure, curves):
        assert "application/vnd.plotly.v1+json" in plot
    stdout = [output for output in notebook.cells[3].outputs if output.get("name") == "stdout"]
    heard = "".join(output["text"] for output in stdout).splitlines()
    assert sorted(line[:6] for line in heard)[:2] == ["0000 1", "0000 2"]
    assert (tmp_path / "runs" / "from-python" / "run.json").is_file()
