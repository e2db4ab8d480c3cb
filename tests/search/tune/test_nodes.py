"""A search on nodes that share no folder: photos go there, results come back, nodes may die."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_pipeline.cache.reader import PIXELS
from models.training.checkpoint import load_checkpoint
from search.run.directory import read_json, read_rows
from tests.search.driving import EPOCHS, TRIALS, check, ended, wait_for_rows
from tests.search.tune.nodes import PATIENCE_SEC, Cluster

# Epochs of about a second: with shorter ones a fast machine is done before a node can be lost.
SEARCH = (
    f"search --images synthetic:160 --image-size 64 --batch-size 8 --trials {TRIALS} "
    f"--max-epochs {EPOCHS} --concurrency 2 --name killed"
)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path)
    try:
        yield cluster
    finally:
        cluster.stop()


def _lose_a_node(cluster: Cluster, *, epochs: int, pause_sec: float = 0.0) -> None:
    lost = cluster.add_node(cpus=2)
    run = cluster.home / "runs" / "killed"
    process = cluster.search(SEARCH)
    try:
        wait_for_rows(run, epochs, process)
        time.sleep(pause_sec)
        assert process.poll() is None, process.communicate()
        cluster.kill(lost)
        before = ended(run)
        epochs_before = {
            path.parent.name: len(read_rows(path)) for path in run.glob("trials/*/validation.jsonl")
        }
        late = cluster.add_node(cpus=2)
        kept_epochs = _watch_checkpoints(run, process)
        out, error = process.communicate(timeout=PATIENCE_SEC)
    finally:
        process.kill()
    assert process.returncode == 0, error
    assert out == ""
    check(run, before)
    assert {row["state"] for row in ended(run).values()} <= {"complete", "pruned"}
    assert read_json(run / "run.json")["status"] == "finished"
    for trial, row in ended(run).items():
        folder = run / "trials" / trial
        kept = {path.name for path in folder.iterdir()}
        assert {"best.pt", "checkpoint.pt", "samples.png", "originals.png"} <= kept
        assert not [name for name in kept if name.endswith(".tmp")]
        # A trial that began anew would send the checkpoint of its first epoch again.
        epochs = kept_epochs.get(trial, [])
        assert epochs == sorted(epochs)
        assert row["epochs"] >= epochs_before.get(trial, 0)
    (cache,) = (cluster.home / "cache").glob("64-crop-*")
    for node in (lost, late):
        (copy,) = (cluster.base / node / "cache").iterdir()
        assert copy.name == cache.name
        assert (copy / PIXELS).read_bytes() == (cache / PIXELS).read_bytes()
    # What the trials worked in is gone with them.
    assert list((cluster.base / late / "tmp").glob("chromatune-0*")) == []


def _watch_checkpoints(run: Path, process: subprocess.Popen[str]) -> dict[str, list[int]]:
    """The epochs that the checkpoints in the run's folder had, one after the other."""
    seen: dict[str, list[int]] = {}
    deadline = time.monotonic() + PATIENCE_SEC
    while process.poll() is None:
        assert time.monotonic() < deadline
        for path in run.glob("trials/*/checkpoint.pt"):
            epoch = load_checkpoint(path)["training"]["epoch"]
            epochs = seen.setdefault(path.parent.name, [])
            if epoch not in epochs[-1:]:
                epochs.append(epoch)
        time.sleep(0.1)
    return seen


def test_trials_of_a_lost_node_go_on_elsewhere(cluster: Cluster) -> None:
    _lose_a_node(cluster, epochs=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_nodes_are_lost_at_any_moment(cluster: Cluster, seed: int) -> None:
    rng = random.Random(seed)
    _lose_a_node(cluster, epochs=rng.randint(1, 5), pause_sec=rng.random())


@pytest.mark.slow
def test_a_lost_head_halts_the_search_which_resumes_on_another(cluster: Cluster) -> None:
    cluster.add_node(cpus=2)
    run = cluster.home / "runs" / "killed"
    process = cluster.search(SEARCH)
    try:
        wait_for_rows(run, 2, process)
        assert process.poll() is None, process.communicate()
        cluster.kill("head")
        _, error = process.communicate(timeout=PATIENCE_SEC)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "the head of the cluster must answer" in error
    assert "chromatune search --resume --name killed" in error
    assert "Traceback" not in error
    assert read_json(run / "run.json")["status"] == "interrupted"
    before = ended(run)
    cluster.stop()
    cluster.start_head()
    cluster.add_node(cpus=2)
    process = cluster.search("search --resume --name killed")
    try:
        _, error = process.communicate(timeout=PATIENCE_SEC)
    finally:
        process.kill()
    assert process.returncode == 0, error
    check(run, before)


@pytest.mark.slow
def test_a_killed_object_store_is_a_lost_node(cluster: Cluster) -> None:
    """Ray keeps its object store in the raylet: whoever kills it loses the node, and no trial."""
    node = cluster.add_node(cpus=2)
    run = cluster.home / "runs" / "killed"
    process = cluster.search(SEARCH)
    try:
        wait_for_rows(run, 2, process)
        assert process.poll() is None, process.communicate()
        cluster.kill_raylet(node)
        before = ended(run)
        cluster.add_node(cpus=2)
        _, error = process.communicate(timeout=PATIENCE_SEC)
    finally:
        process.kill()
    assert process.returncode == 0, error
    check(run, before)
    assert {row["state"] for row in ended(run).values()} <= {"complete", "pruned"}
