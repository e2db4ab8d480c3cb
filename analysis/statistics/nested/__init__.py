"""Trainings whose seeds are nested in configurations: slopes, equivalence, prediction, correlation.

Not here: where the drift crosses zero (`zero_crossing`), which trials count (`balance`).
"""
