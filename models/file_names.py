"""What a trial keeps in its folder: the one list of its files' names. Imports nothing."""

from __future__ import annotations

#: what was asked of the trial: its settings
PARAMETERS = "parameters.json"
#: rows of losses, one a window of training steps
CURVES = "curves.jsonl"
#: rows of validation metrics, one an epoch
VALIDATION = "validation.jsonl"
#: what its best generator is worth on the test photos, once all epochs are trained; of a winner
#: that was stopped early once the search has ended
TEST = "test.json"
#: sample grid of the best epoch, and the same photos in their true colours
SAMPLES = "samples.png"
ORIGINALS = "originals.png"
#: latest state, from which the trial resumes
CHECKPOINT = "checkpoint.pt"
#: generator of the best epoch, which is what is exported
BEST = "best.pt"
#: step and losses within the epoch, while it trains
PROGRESS = "progress.json"
#: traceback of a failure that nobody foresaw
ERROR = "error.txt"

#: what the training itself writes, in an order in which a copy is whole at any moment: the
#: checkpoint comes after what belongs to it, so that a trial that goes on from it finds the rest
OF_TRAINING = (BEST, SAMPLES, ORIGINALS, CHECKPOINT)
