"""The study of the objective: its statistics, its rule and its table."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import torch

from benchmarks.recordings import agreement, objective, set_size
from benchmarks.recordings.agreement import (
    mean_regret,
    relative_noise,
    resamples,
    spearman,
    spearman_interval,
    within,
)
from benchmarks.recordings.candidates import (
    SINGLE,
    candidates,
    grey_penalty,
    n_terms,
    speckle_penalty,
)
from benchmarks.recordings.ladder import RUNGS
from benchmarks.recordings.rows import append_rows


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    monkeypatch.setattr(agreement, "N_BOOTSTRAP", 40)
    monkeypatch.setattr(agreement, "N_PICKS", 40)


SETS = ["choose_a", "choose_b", "choose", "test"]


def _groups(value: float, kid: float, noise: float = 0.0) -> dict:
    def over_sets(x: float) -> list[float]:
        return [x - noise, x + noise, x, x]

    names = {**SINGLE, "ab_hf_ratio": 1.0}
    # Everything but set_swd says the opposite.
    metrics = {name: over_sets(10.0 + SINGLE.get(name, 1.0) * -value) for name in names}
    metrics["set_swd"] = over_sets(value)
    return {"metrics": metrics, "judge": {"kid": over_sets(kid), "feature_distance": [kid] * 4}}


def _rows(n: int = 30) -> list[dict]:
    random = np.random.default_rng(0)
    rows = []
    for i, value in enumerate(random.uniform(1.0, 5.0, n)):
        settings = {
            "generator_complexity": i % 5,
            "generator_lr": 1e-4,
            "smooth_upsampling": False,
            "seed": 0,
            "discriminator_lr": 1e-4 * i,
            "image_size": 32,
        }
        head = {
            "key": str(i),
            "kind": "branch",
            "end": 1,
            "last": True,
            "settings": settings,
            "sets": SETS,
        }
        rows.append(head | _groups(value, 10.0 * value, noise=0.01 * random.normal()))
    return rows


def _ladder() -> dict:
    order = ("truth", "chroma x0.75", "hue 15", "speckle", "another photo's", "chroma x0.5")
    values = {name: 0.1 * i for i, name in enumerate(order)}
    values |= {"hue 40": 1.0, "grey": 2.0, "sepia": 3.0}
    rungs = {name: _groups(1.0 + values[name], 0.0) for name in RUNGS}
    return {"sets": SETS, "rungs": rungs}


def test_the_study_finds_the_planted_candidate():
    found = objective.study(_rows(), _ladder())
    assert len(found) == len(candidates())
    planted = next(standing for standing in found if standing.name == "set_swd")
    assert planted.correlation.value == pytest.approx(1.0)
    assert planted.regret == 0.0
    assert not planted.violations
    chosen = objective.winner(found)
    assert chosen is not None
    assert chosen.name == "set_swd"
    opposite = next(standing for standing in found if standing.name == "ab_swd")
    assert opposite.correlation.value == pytest.approx(-1.0)
    assert "truth < hue 15" in opposite.violations


def test_of_equals_the_one_with_fewer_terms_wins():
    found = objective.study(_rows(), _ladder())
    assert [n_terms(name) for name in ("a", "a + 0.25 b")] == [1, 2]
    sums = [standing for standing in found if n_terms(standing.name) > 1]
    assert objective.winner([s._replace(violations=()) for s in sums]) is not None
    assert objective.winner([s._replace(violations=("x",)) for s in found]) is None


def test_the_command_prints_the_tables(tmp_path, monkeypatch, capsys):
    rows, ladder = tmp_path / "rows.jsonl", tmp_path / "ladder.json"
    failed = {**_rows()[0], "key": "f", "failed": "loss"}
    failed["settings"] = {**failed["settings"], "seed": 1}
    append_rows(rows, [*_rows(), failed])
    ladder.write_text(json.dumps(_ladder()))
    monkeypatch.setattr(
        sys, "argv", ["objective", str(rows), "--ladder", str(ladder), "--judge", "128"]
    )
    objective.main()
    output = capsys.readouterr().out
    assert "30 generators" in output
    assert "By the rule: set_swd." in output
    table = [line for line in output.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in table[: len(candidates()) + 2]}) == 1


def test_a_training_counts_once_as_far_as_it_got_and_a_beginning_at_each_snapshot():
    first, *_ = _rows(1)
    later = {**first, "key": "later", "end": 6}
    begun = [{**first, "kind": "beginning", "end": end} for end in (4, 8)]
    kinds = objective.KINDS
    found = objective.last_epochs([first, *begun, later], image_size=32, kinds=kinds)
    assert found == [later, *begun]
    assert objective.last_epochs([first], image_size=64, kinds=kinds) == []
    assert objective.last_epochs(begun, image_size=32, kinds=["branch"]) == []


def test_penalties_start_before_the_bound_and_grow_straight():
    def grey(skill: float) -> float:
        return grey_penalty({"grey_skill": skill})

    def speckle(ratio: float) -> float:
        return speckle_penalty({"ab_hf_ratio": ratio})

    assert grey(0.05) == speckle(1.0) == speckle(0.3) == 0.0
    assert grey(0.0) == pytest.approx(0.5)
    assert speckle(2.0) == pytest.approx(0.5)
    assert 0.0 < grey(0.049) < 1e-3
    assert grey(-1.0) - grey(-0.95) == pytest.approx(1.0, rel=0.01)


def test_statistics_of_agreement():
    random = np.random.default_rng(0)
    x = random.normal(size=60)
    groups = [str(i % 6) for i in range(60)]
    shift = np.array([float(group) for group in groups])
    assert spearman(x, np.exp(x)) == pytest.approx(1.0)
    # Only within beginnings does x say anything, only between them does the shift.
    assert within(x, x + 100.0 * shift, groups) > 0.5
    assert abs(spearman(x, x + 100.0 * shift)) < 0.4
    interval = spearman_interval(x, x + random.normal(size=60), resamples(groups))
    assert interval.low < interval.value < interval.high
    assert relative_noise(x + 0.1, x - 0.1) == pytest.approx(0.0)
    noisy = relative_noise(x + 0.3 * random.normal(size=60), x + 0.3 * random.normal(size=60))
    assert noisy == pytest.approx(0.3, abs=0.1)
    assert mean_regret(x, x) == 0.0
    assert mean_regret(-x, x) > 2.0


def test_objectives_of_a_set_are_those_of_its_measures():
    random = torch.Generator().manual_seed(0)
    L_N1HW = torch.zeros(6, 1, 32, 32)
    real, fake = 0.2 * torch.randn(2, 6, 2, 32, 32, generator=random)
    same = dict(zip(set_size.NAMES, set_size.values(L_N1HW, real, real), strict=True))
    other = dict(zip(set_size.NAMES, set_size.values(L_N1HW, real, 0.5 * fake), strict=True))
    assert same["set_swd_detail"] == same["ab_swd"] == 0.0
    assert same["set_swd_detail + 0.25 delta_e + speckle"] == pytest.approx(0.0, abs=1e-6)
    assert all(other[name] > same[name] for name in set_size.NAMES)
