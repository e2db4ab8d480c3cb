"""A Ray cluster that runs already: find it, join it, check that it fits, watch its head.

Not here: Ray on this machine alone (`tune.ray_session`) and files of trials (`tune.file_server`).
"""
