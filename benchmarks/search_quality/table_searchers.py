"""The searchers that are compared on tables: ours, plain TPE and random search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import Trial

from benchmarks.search_quality.tables import Table
from models.training.report import EpochReport
from models.training.settings import TrainingSettings
from search.config import SearchConfig
from search.run.directory import RunFolder
from search.run.ledger import Ledger

#: more than any search here asks for
MANY = 100_000


class Searcher(Protocol):
    """Asks for configurations and hears their results; several may be open at a time."""

    def ask(self) -> tuple[Any, dict[str, int]]: ...

    def tell(self, asked: Any, result: float) -> None: ...


class Ours:
    """The ledger of a search, as the driver uses it, in a folder of its own.

    Its study is kept in memory, which saves the writes of a journal and changes no decision.
    """

    def __init__(self, table: Table, seed: int, folder: Path) -> None:
        config = SearchConfig(
            name="search", trials=MANY, max_epochs=1, seed=seed, guards=(), known_points=False
        )
        run = RunFolder(folder / config.name)
        run.create(config.to_dict(), command=["benchmarks.search_quality"])
        self.ledger = _TableLedger(run, optuna.create_study(), config)
        self.ledger.distributions = table.distributions

    def ask(self) -> tuple[Any, dict[str, int]]:
        opened = self.ledger.ask()
        assert opened is not None
        return opened.trial_id, opened.trial.params

    def tell(self, asked: Any, result: float) -> None:
        metrics = {self.ledger.objective.metric: result}
        report = EpochReport(
            epoch=1,
            step=1,
            images=1,
            seconds=0.0,
            windows=[],
            metrics=metrics,
            feasible=True,
            best_epoch=1,
            best_metrics=metrics,
            done=True,
        )
        self.ledger.report(asked, report)
        self.ledger.finish(asked)


class _TableLedger(Ledger):
    def settings_of(self, trial: Trial) -> TrainingSettings:
        # The table's parameters are no settings of a training: rows name the defaults instead.
        return self.config.space.settings({}, seed=trial.number)


class Plain:
    """An Optuna study with a sampler, as in Optuna's own examples."""

    def __init__(self, table: Table, sampler: BaseSampler) -> None:
        self._distributions = table.distributions
        self._study = optuna.create_study(sampler=sampler)

    def ask(self) -> tuple[Any, dict[str, int]]:
        trial = self._study.ask(fixed_distributions=self._distributions)
        return trial, trial.params

    def tell(self, asked: Any, result: float) -> None:
        self._study.tell(asked, result)


#: added to plain TPE's seeds. With random search's own seed it would begin with the very ten
#: trainings of random search, and find its best at the same moment whenever that is among them.
APART = 10_000

SEARCHERS: dict[str, Callable[[Table, int, Path], Searcher]] = {
    "random": lambda table, seed, _: Plain(table, RandomSampler(seed=seed)),
    "plain TPE": lambda table, seed, _: Plain(table, TPESampler(seed=seed + APART)),
    "ours": Ours,
}
