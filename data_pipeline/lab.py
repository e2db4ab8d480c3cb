"""Exact sRGB <-> CIELAB (D65, 2 degree observer) on NumPy arrays.

Formulas: sRGB transfer curve and matrix of IEC 61966-2-1; CIELAB of CIE 15:2004, section 8.2.1,
with delta = 6/29. The matrix and white point are those of scikit-image, against which the tests
compare. `lab_tensor` has the same conversions for torch tensors.

Ranges: L* in [0, 100]; for colours inside sRGB a* in [-86.2, 98.3] and b* in [-107.9, 94.5].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE_D65 = np.array([0.95047, 1.0, 1.08883])
DELTA = 6.0 / 29.0

# The 8-bit code of a photo has 256 values, so linearising is a look-up, not a power.
_CODES = np.arange(256) / 255.0
SRGB_TO_LINEAR_8BIT: FloatArray = np.where(
    _CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4
).astype(np.float32)

_LINEAR_RGB_TO_WHITE_SCALED_XYZ: FloatArray = (RGB_TO_XYZ / WHITE_D65[:, None]).astype(np.float32)


def linear_to_lab(linear: FloatArray) -> FloatArray:
    """Convert linear-light RGB (..., 3) in [0, 1] to Lab (..., 3), float32."""
    xyz = linear @ _LINEAR_RGB_TO_WHITE_SCALED_XYZ.T
    f = np.where(
        xyz > DELTA**3, np.cbrt(xyz), xyz / np.float32(3 * DELTA**2) + np.float32(4.0 / 29.0)
    )
    lab = np.empty_like(f)
    lab[..., 0] = 116.0 * f[..., 1] - 16.0
    lab[..., 1] = 500.0 * (f[..., 0] - f[..., 1])
    lab[..., 2] = 200.0 * (f[..., 1] - f[..., 2])
    return lab


def rgb_to_lab(rgb: npt.NDArray[np.uint8]) -> FloatArray:
    """Convert 8-bit sRGB (..., 3) to Lab (..., 3), float32."""
    return linear_to_lab(SRGB_TO_LINEAR_8BIT[rgb])
