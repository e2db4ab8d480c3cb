"""The objective over two parameters at a time.

Optuna's contour grows with the square of the trials (12 MB for 1,000); here a grid of fixed size
holds the average of the trials near each point, weighted by a Gaussian of their distance (Nadaraya
1964, Theory Probab. Appl. 9, 141-142), and stays empty where no trial is near.
"""

from __future__ import annotations

from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from analysis.report.figures.style import (
    GREY,
    SEQUENTIAL,
    compact,
    is_logarithmic,
    label_of,
    styled,
)
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run

FloatArray = npt.NDArray[np.float64]

MIN_TRIALS = 8
_N_GRID = 32
#: width of the Gaussian and distance to the nearest trial, as shares of an axis
_BANDWIDTH = 0.08
_REACH = 0.16


class ContourInfo(NamedTuple):
    """One pair of parameters."""

    x_name: str
    y_name: str
    #: the trials (n_trials,)
    x: FloatArray
    y: FloatArray
    objective: FloatArray
    #: axes (n_grid,) and smoothed objective (n_grid, n_grid), rows along y, NaN where unknown
    grid_x: FloatArray
    grid_y: FloatArray
    smoothed: FloatArray
    log_x: bool
    log_y: bool


def contour_infos(run: Run, parameters: list[str]) -> list[ContourInfo]:
    """Smooth the objective of the trials that ended over each pair of numeric parameters."""
    if run.objective not in run.trials:
        return []
    trials = run.trials[run.trials["state"].isin(ENDED)]
    numeric = [name for name in parameters if trials[name].dtype.kind in "if"]
    trials = trials.dropna(subset=[*numeric, run.objective])
    if len(trials) < MIN_TRIALS:
        return []
    values = {name: trials[name].to_numpy(dtype=np.float64) for name in [*numeric, run.objective]}
    numeric = [name for name in numeric if np.ptp(values[name]) > 0]
    return [_smooth(x, y, values, run.objective) for x, y in combinations(numeric, 2)]


def contour_figure(info: ContourInfo, *, objective: str) -> go.Figure:
    """Draw the smoothed objective with the trials on it."""
    figure = go.Figure()
    low, high = np.quantile(info.objective, [0.02, 0.9])
    figure.add_contour(
        x=compact(info.grid_x),
        y=compact(info.grid_y),
        z=compact(info.smoothed),
        zmin=float(low),
        zmax=float(high),
        colorscale=SEQUENTIAL,
        reversescale=True,
        ncontours=12,
        line={"width": 0.5},
        colorbar={"title": objective, "thickness": 12},
        hovertemplate=f"%{{x:.3g}}, %{{y:.3g}}: {objective} %{{z:.4g}}<extra></extra>",
    )
    figure.add_scatter(
        x=compact(info.x),
        y=compact(info.y),
        mode="markers",
        marker={"color": "white", "size": 5, "line": {"color": GREY, "width": 1}},
        hoverinfo="skip",
    )
    for axis, name, log in (("x", info.x_name, info.log_x), ("y", info.y_name, info.log_y)):
        update = figure.update_xaxes if axis == "x" else figure.update_yaxes
        update(title_text=label_of(name), type="log" if log else "linear", showgrid=False)
    return styled(figure, height=440, legend=False)


def _smooth(x_name: str, y_name: str, values: dict[str, FloatArray], objective: str) -> ContourInfo:
    z = values[objective]
    log_x, log_y = (is_logarithmic(values[name], name) for name in (x_name, y_name))
    unit_x, grid_x = _unit(values[x_name], log=log_x)
    unit_y, grid_y = _unit(values[y_name], log=log_y)
    places = np.linspace(0, 1, _N_GRID)
    distance_x = (places[:, None] - unit_x) ** 2
    distance_y = (places[:, None] - unit_y) ** 2
    weights_x = np.exp(-distance_x / (2 * _BANDWIDTH**2))
    weights_y = np.exp(-distance_y / (2 * _BANDWIDTH**2))
    nearest = np.array([(distance_x + row).min(axis=1) for row in distance_y])
    smoothed = (weights_y * z) @ weights_x.T / np.maximum(weights_y @ weights_x.T, 1e-300)
    smoothed[nearest > _REACH**2] = np.nan
    return ContourInfo(
        x_name=x_name,
        y_name=y_name,
        x=values[x_name],
        y=values[y_name],
        objective=z,
        grid_x=grid_x,
        grid_y=grid_y,
        smoothed=smoothed,
        log_x=log_x,
        log_y=log_y,
    )


def _unit(values: FloatArray, *, log: bool) -> tuple[FloatArray, FloatArray]:
    """Positions in [0, 1] and the grid's values."""
    scale = np.log10(values) if log else values
    low, high = scale.min(), scale.max()
    grid = np.linspace(low, high, _N_GRID)
    return (scale - low) / (high - low), 10**grid if log else grid
