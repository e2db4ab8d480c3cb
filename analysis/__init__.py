"""Reads a stored run (no Ray, no Torch): stagnation, balance, leaderboard and the HTML report."""
