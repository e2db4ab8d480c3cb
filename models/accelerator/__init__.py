"""What a GPU needs beside the training itself: recorded steps, sharing, checks and diagnosis.

Not here: the choice of a trial's device and precision (`training`); no Ray, no Optuna.
"""
