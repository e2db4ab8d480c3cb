"""The times of day and the kinds of country that synthetic landscapes are drawn from.

Lengths are in units of about a person's height near the camera. Colours are sRGB in [0, 1]. Pairs
are ranges; tuples of colours are choices.
"""

from __future__ import annotations

from dataclasses import dataclass

Color = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Light:
    """Sky and light of a time of day."""

    zenith: Color
    horizon: Color
    #: colour of the sky around the sun
    glow: Color
    sun: Color
    ambient: Color
    #: sine of the sun's height above the horizon
    sun_height: float
    #: how far one sees, in units: the air takes on the horizon's colour beyond
    visibility: float
    cloud_light: Color
    cloud_shade: Color
    #: range of the clouds' cover, 0 none to 1 overcast
    cover: tuple[float, float]
    stars: bool = False


@dataclass(frozen=True, kw_only=True)
class Land:
    """Shapes and colours of a kind of country."""

    #: height of the camera over the ground
    camera: tuple[float, float]
    #: height of near hills, and of the mountains behind them
    hills: tuple[float, float]
    mountains: tuple[float, float]
    #: how much of the sky's height the highest peak takes; None leaves it to the land
    peak: tuple[float, float] | None = None
    #: where mountains begin and where they are at their full height
    mountains_from: tuple[float, float] = (15.0, 70.0)
    #: height of the water's surface relative to the lowest hills; below 0 is dry
    water: tuple[float, float] = (-1.0, -1.0)
    #: share of the low ground under trees
    forest: tuple[float, float] = (0.0, 0.0)
    #: heights above which trees stop and snow lies, as shares of the mountains' height
    tree_line: float = 0.35
    snow_line: float = 2.0
    ground: tuple[Color, ...]
    #: second colour, in patches
    patches: tuple[Color, ...]
    wood: tuple[Color, ...] = ((0.13, 0.24, 0.10),)
    rock: tuple[Color, ...] = ((0.42, 0.38, 0.35),)
    deep_water: tuple[Color, ...] = ((0.05, 0.22, 0.32),)
    shallow_water: tuple[Color, ...] = ((0.22, 0.50, 0.50),)
    sand: tuple[Color, ...] = ((0.76, 0.67, 0.50),)
    #: flowers in the grass, if any
    flowers: tuple[Color, ...] = ()
    #: 1 for dunes in place of hills
    dunes: float = 0.0
    #: number of steps of a table mountain; 0 for none
    terraces: int = 0


#: each with how often it is drawn
LIGHTS: dict[str, tuple[float, Light]] = {
    "noon": (
        0.38,
        Light(
            zenith=(0.14, 0.36, 0.70), horizon=(0.66, 0.81, 0.93), glow=(1.0, 0.97, 0.90),
            sun=(1.0, 0.96, 0.88), ambient=(0.46, 0.56, 0.70), sun_height=0.75, visibility=260.0,
            cloud_light=(1.0, 1.0, 1.0), cloud_shade=(0.66, 0.72, 0.80), cover=(0.0, 0.62),
        ),
    ),
    "morning": (
        0.16,
        Light(
            zenith=(0.26, 0.48, 0.76), horizon=(0.90, 0.87, 0.80), glow=(1.0, 0.92, 0.74),
            sun=(1.0, 0.88, 0.68), ambient=(0.44, 0.53, 0.68), sun_height=0.38, visibility=170.0,
            cloud_light=(1.0, 0.97, 0.92), cloud_shade=(0.64, 0.68, 0.78), cover=(0.0, 0.6),
        ),
    ),
    "golden": (
        0.16,
        Light(
            zenith=(0.30, 0.46, 0.70), horizon=(0.97, 0.80, 0.56), glow=(1.0, 0.82, 0.48),
            sun=(1.0, 0.80, 0.56), ambient=(0.42, 0.48, 0.62), sun_height=0.22, visibility=180.0,
            cloud_light=(1.0, 0.88, 0.70), cloud_shade=(0.60, 0.56, 0.62), cover=(0.05, 0.65),
        ),
    ),
    "sunset": (
        0.12,
        Light(
            zenith=(0.20, 0.26, 0.50), horizon=(0.98, 0.58, 0.30), glow=(1.0, 0.74, 0.32),
            sun=(1.0, 0.66, 0.44), ambient=(0.38, 0.40, 0.56), sun_height=0.08, visibility=160.0,
            cloud_light=(1.0, 0.56, 0.38), cloud_shade=(0.38, 0.30, 0.42), cover=(0.1, 0.7),
        ),
    ),
    "dusk": (
        0.07,
        Light(
            zenith=(0.11, 0.15, 0.36), horizon=(0.72, 0.46, 0.52), glow=(0.92, 0.56, 0.48),
            sun=(0.44, 0.32, 0.38), ambient=(0.27, 0.32, 0.46), sun_height=0.05, visibility=150.0,
            cloud_light=(0.76, 0.46, 0.52), cloud_shade=(0.22, 0.21, 0.38), cover=(0.05, 0.6),
        ),
    ),
    "overcast": (
        0.07,
        Light(
            zenith=(0.50, 0.60, 0.70), horizon=(0.76, 0.82, 0.87), glow=(0.84, 0.87, 0.90),
            sun=(0.40, 0.42, 0.44), ambient=(0.62, 0.66, 0.70), sun_height=0.8, visibility=130.0,
            cloud_light=(0.84, 0.88, 0.92), cloud_shade=(0.52, 0.59, 0.67), cover=(0.8, 1.0),
        ),
    ),
    "night": (
        0.04,
        Light(
            zenith=(0.03, 0.06, 0.18), horizon=(0.14, 0.24, 0.44), glow=(0.40, 0.50, 0.70),
            sun=(0.26, 0.34, 0.52), ambient=(0.12, 0.17, 0.32), sun_height=0.5, visibility=140.0,
            cloud_light=(0.24, 0.32, 0.50), cloud_shade=(0.06, 0.09, 0.20), cover=(0.0, 0.4),
            stars=True,
        ),
    ),
}  # fmt: skip

MEADOWS: tuple[Color, ...] = ((0.36, 0.52, 0.16), (0.30, 0.50, 0.20), (0.46, 0.55, 0.22))
HEATHS: tuple[Color, ...] = ((0.50, 0.54, 0.24), (0.26, 0.42, 0.14), (0.60, 0.56, 0.30))

FLOWERS: tuple[Color, ...] = (
    (0.86, 0.20, 0.16), (0.94, 0.84, 0.22), (0.62, 0.42, 0.80), (0.95, 0.95, 0.92),
    (0.90, 0.50, 0.66),
)  # fmt: skip

LANDS: dict[str, tuple[float, Land]] = {
    "alpine": (
        0.20,
        Land(
            camera=(1.0, 3.0), hills=(1.5, 5.0), mountains=(24.0, 42.0), forest=(0.2, 0.7),
            snow_line=0.5, peak=(0.35, 0.8), ground=MEADOWS, patches=HEATHS, flowers=FLOWERS,
            rock=((0.44, 0.40, 0.37), (0.38, 0.38, 0.42), (0.50, 0.43, 0.36)),
        ),
    ),
    "lake": (
        0.16,
        Land(
            camera=(1.0, 2.5), hills=(3.0, 7.0), mountains=(16.0, 36.0), water=(0.40, 0.62),
            forest=(0.4, 0.9), snow_line=0.6, peak=(0.3, 0.7), ground=MEADOWS, patches=HEATHS,
            deep_water=((0.04, 0.22, 0.36), (0.05, 0.30, 0.36)),
        ),
    ),
    "forest": (
        0.14,
        Land(
            camera=(3.0, 8.0), hills=(7.0, 13.0), mountains=(4.0, 20.0), forest=(0.75, 1.0),
            tree_line=2.0, ground=MEADOWS, patches=HEATHS,
            wood=((0.12, 0.25, 0.09), (0.16, 0.29, 0.10), (0.09, 0.22, 0.12)),
        ),
    ),
    "autumn": (
        0.06,
        Land(
            camera=(2.0, 6.0), hills=(5.0, 11.0), mountains=(6.0, 26.0), forest=(0.6, 0.95),
            tree_line=2.0, snow_line=0.85, ground=((0.56, 0.50, 0.22), (0.50, 0.44, 0.20)),
            patches=((0.44, 0.46, 0.18),),
            wood=((0.62, 0.34, 0.08), (0.58, 0.24, 0.08), (0.66, 0.46, 0.12)),
        ),
    ),
    "meadow": (
        0.14,
        Land(
            camera=(1.0, 3.0), hills=(3.0, 7.0), mountains=(0.0, 12.0), forest=(0.0, 0.45),
            ground=MEADOWS, flowers=FLOWERS,
            patches=(
                (0.74, 0.68, 0.18), (0.66, 0.60, 0.30), (0.50, 0.36, 0.56), (0.30, 0.46, 0.14),
            ),
        ),
    ),
    "desert": (
        0.10,
        Land(
            camera=(1.5, 4.0), hills=(4.0, 8.0), mountains=(0.0, 10.0), dunes=1.0,
            ground=((0.82, 0.58, 0.32), (0.86, 0.68, 0.44), (0.76, 0.46, 0.24)),
            patches=((0.80, 0.56, 0.32),), rock=((0.56, 0.36, 0.24),),
        ),
    ),
    "canyon": (
        0.06,
        Land(
            camera=(2.0, 5.0), hills=(2.0, 5.0), mountains=(14.0, 28.0),
            mountains_from=(10.0, 45.0), terraces=4, peak=(0.3, 0.75),
            ground=((0.70, 0.48, 0.32), (0.74, 0.56, 0.40)),
            patches=((0.50, 0.48, 0.28), (0.64, 0.46, 0.32)),
            rock=((0.68, 0.38, 0.25), (0.64, 0.42, 0.32)),
        ),
    ),
    "sea": (
        0.14,
        Land(
            camera=(1.2, 4.0), hills=(5.0, 10.0), mountains=(0.0, 16.0), water=(0.62, 0.9),
            forest=(0.0, 0.6), ground=MEADOWS, patches=HEATHS,
            deep_water=((0.03, 0.24, 0.40), (0.04, 0.32, 0.44)),
            shallow_water=((0.20, 0.60, 0.60), (0.26, 0.56, 0.52)),
        ),
    ),
}  # fmt: skip
