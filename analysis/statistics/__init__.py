"""Numbers from loss curves and trials: drift, trend, balance, crossing, correlation, Pareto front.

Not here: the order of trials (`leaderboard`), drawing (`report`).
"""
