"""The Optuna study of a search: storage, journal, sampler, early stopping, start points.

Not here: the rows of a run's folder (`search.run`), Ray (`search.tune`).
"""
