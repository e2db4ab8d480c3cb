"""Configuration, search space, Optuna searcher, Ray Tune driver and the command line."""
