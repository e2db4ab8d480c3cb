"""Tell a colour photo from one without colours of its own."""

from __future__ import annotations

import numpy as np

from data_pipeline.lab import FloatArray

MINIMUM_CHROMA = 2.0


def grey_reason(lab: FloatArray, minimum_chroma: float = MINIMUM_CHROMA) -> str | None:
    """Say why a photo, Lab (H, W, 3), has no colours of its own; None if it has."""
    chroma = float(np.hypot(lab[..., 1], lab[..., 2]).mean())
    if chroma < minimum_chroma:
        return f"grey: mean chroma {chroma:.1f} is below {minimum_chroma:g}"
    return None
