"""What a generator's colours are worth: validation metrics, the objective and its guards.

Not here: statistics of loss curves (`analysis.statistics`).
"""
