"""Sample grids of the best trials, small enough for a page: grey input, output and original."""

from __future__ import annotations

import base64
import io
from typing import NamedTuple

from PIL import Image

from analysis.stored_run.run import Run
from models.file_names import ORIGINALS, SAMPLES

#: side of a 3x3 grid on the page, in pixels
MAX_SIDE = 720
_MAX_PIXELS = 100_000_000
_QUALITY = 88


class TrialPictures(NamedTuple):
    """Three 3x3 grids of a trial as data URIs; a part that cannot be read is None."""

    trial_id: str
    grey: str | None
    output: str | None
    original: str | None


def pictures_of(run: Run, trial_ids: list[str], *, n_trials: int) -> list[TrialPictures]:
    """Read the pictures of the first `n_trials` of the given trials that have some."""
    found: list[TrialPictures] = []
    for trial_id in trial_ids:
        if len(found) == n_trials:
            break
        samples = _decoded(run.picture(trial_id, SAMPLES))
        if samples is None:
            continue
        # The sample grid is 3 rows x 6 columns, grey inputs left and outputs right.
        middle = samples.width // 2
        original = _decoded(run.picture(trial_id, ORIGINALS))
        found.append(
            TrialPictures(
                trial_id=trial_id,
                grey=_data_uri(samples.crop((0, 0, middle, samples.height)).convert("L")),
                output=_data_uri(samples.crop((middle, 0, samples.width, samples.height))),
                original=None if original is None else _data_uri(original),
            )
        )
    return found


def _decoded(content: bytes | None) -> Image.Image | None:
    """Decode a picture; None where it is missing, damaged or unreasonably large."""
    if not content:
        return None
    try:
        picture = Image.open(io.BytesIO(content))
        if picture.width * picture.height > _MAX_PIXELS or picture.width < 2:
            return None
        return picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _data_uri(picture: Image.Image) -> str:
    picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    # Colour is what the pictures are about: no subsampling of chroma.
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
