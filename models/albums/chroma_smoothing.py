"""Chroma that does not flicker from one frame of a film to the next.

A network colours each frame for itself, so the grain of the film moves its colours. They are
averaged over time, with weights that fall exponentially (Brown, "Smoothing, Forecasting and
Prediction of Discrete Time Series", 1963), where lightness stands still; where something moves, its
new colour counts, so that nothing draws a trail; at a cut the average begins anew.

Shapes: h and w are the network's pixels of a frame.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

#: weight of a new frame where nothing moves: five frames are remembered
NEW_FRAME = 0.2
#: a change of L* after which a pixel shows something else; as the mean of a frame, a cut. Of 80
#: pairs of landscapes at 128 x 96 pixels 79 differed by 14 or more and one by 11.5; of 160 that
#: moved by one pixel none differed by more than 8.7
OTHER_LIGHTNESS = 12.0
#: frames after which what was before makes a difference of less than a thousandth
MEMORY = 32
_NEIGHBOURS = (3, 3)


class ChromaAverage:
    """The average over the frames so far; frames are added in their order."""

    def __init__(self) -> None:
        self._L_hw: FloatArray | None = None
        self._ab_2hw: FloatArray | None = None

    def reset(self) -> None:
        """Forget all frames: the next one stands for itself."""
        self._L_hw = self._ab_2hw = None

    def add(self, L_hw: FloatArray, ab_2hw: FloatArray) -> FloatArray:
        """Take a frame's lightness in [0, 100] and chroma; return the chroma to show, (2, h, w)."""
        smooth = ab_2hw
        if self._L_hw is not None and self._ab_2hw is not None and self._L_hw.shape == L_hw.shape:
            change_hw = np.abs(L_hw - self._L_hw)
            if change_hw.mean() < OTHER_LIGHTNESS:
                near_hw = cv2.blur(change_hw, _NEIGHBOURS, borderType=cv2.BORDER_REFLECT)
                # A lone pixel that changes may be grain: it must change by twice as much.
                moved_hw = np.maximum(near_hw, change_hw / 2)
                weight_hw = np.clip(moved_hw / np.float32(OTHER_LIGHTNESS), NEW_FRAME, 1)
                smooth = self._ab_2hw + weight_hw.astype(np.float32) * (ab_2hw - self._ab_2hw)
        self._L_hw, self._ab_2hw = L_hw, smooth
        return smooth
