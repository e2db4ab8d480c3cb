"""A run's Optuna study for reading: optuna-dashboard, Optuna's visualisations, stored studies.

Not here: the study that a search writes (`search.study`).
"""
