"""The winners of a search on its test photos, where no trial has measured them.

The process of a trial measures its best generator there once all epochs are trained. The best
colours may also be those of a trial that was stopped before. To measure every such trial would
take longer than it is worth: the winners, which people look at, are measured when the search ends.
"""

from __future__ import annotations

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.winners import winners
from analysis.stored_run.run import open_run
from data_pipeline.errors import InputError
from models.file_names import TEST
from models.metrics.unseen import from_columns, to_columns
from search.finetune.stored_generator import load_generator, measure_unseen, open_run_photos
from search.run.directory import RunFolder, write_json


def measure_winners(folder: RunFolder) -> list[str]:
    """Write what the winners are worth on the test photos, where nothing says so yet.

    For the only writer of the run, after its trials. The trial's row stays as it is: what was
    found goes to the file that a trial writes, too, and the leaderboard looks there for winners.
    One whose generator or photos are gone or damaged stays without.

    Returns:
        The trials that were measured, two at most.

    Raises OSError when the run's folder cannot be written.
    """
    run = open_run(folder.path)
    if not run.data.get("test"):
        return []
    board = build_leaderboard(run)
    chosen = winners(board, run.objective).labels
    measured = []
    for row in board[board["trial_id"].isin(chosen)].to_dict("records"):
        trial_id: str = row["trial_id"]
        if from_columns({str(name): value for name, value in row.items()}):
            continue
        try:
            stored = load_generator(run, trial_id)
        except InputError:
            # What the search has found stands without it.
            continue
        photos = open_run_photos(run, stored.settings.image_size)
        if figures := measure_unseen(stored.generator, photos):
            write_json(folder.trial_folder(trial_id) / TEST, to_columns(figures))
            measured.append(trial_id)
    return measured
