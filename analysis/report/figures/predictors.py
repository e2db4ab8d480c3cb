"""How well each predictor tells drift and colours of configurations that it has not seen."""

from __future__ import annotations

from typing import NamedTuple

import plotly.graph_objects as go

from analysis.report.figures.style import BLUE, GREY, ORANGE, compact, styled
from analysis.statistics.nested.answers import BalanceAnswers
from analysis.statistics.nested.cross_validation import Skill

#: skills are drawn from here to 1
_LEAST = -1.0
_STYLES = {"drift": (BLUE, "circle"), "quality of the colours": (ORANGE, "diamond")}


class PredictorsInfo(NamedTuple):
    """Skills by what they predict, each best first."""

    skills: dict[str, tuple[Skill, ...]]


def predictors_info(answers: BalanceAnswers) -> PredictorsInfo:
    """Collect the skills of all predictors."""
    predictions = (answers.drift_prediction, answers.quality_prediction)
    return PredictorsInfo(
        {what: found.skills for what, found in zip(_STYLES, predictions, strict=True)}
    )


def predictors_figure(info: PredictorsInfo) -> go.Figure | None:
    """Draw a line for each predictor, the best of the drift on top; None where there are none."""
    names = list(dict.fromkeys(s.name for skills in info.skills.values() for s in skills))
    if not names:
        return None
    figure = go.Figure()
    figure.add_vline(x=0, line={"color": GREY, "width": 1.5, "dash": "dash"})
    for (what, skills), place in zip(info.skills.items(), (0.13, -0.13), strict=True):
        if not skills:
            continue
        colour, symbol = _STYLES[what]
        figure.add_scatter(
            x=compact([s.value for s in skills]),
            y=compact([-names.index(s.name) + place for s in skills]),
            error_x={
                "type": "data",
                "symmetric": False,
                "array": compact([s.high - s.value for s in skills]),
                "arrayminus": compact([s.value - s.low for s in skills]),
                "thickness": 1.5,
                "width": 0,
                "color": colour,
            },
            mode="markers",
            marker={"color": colour, "symbol": symbol, "size": 10},
            name=what,
            text=[f"{s.name}: {s.value:+.0%} ({s.low:+.0%} to {s.high:+.0%})" for s in skills],
            hovertemplate="%{text}<extra></extra>",
        )
    lowest = min(s.low for skills in info.skills.values() for s in skills)
    figure.update_xaxes(
        title_text="share of the error taken away",
        tickformat=".0%",
        range=[max(_LEAST, min(lowest, 0.0) - 0.05), 1.02],
    )
    figure.update_yaxes(showticklabels=False, range=[-len(names) + 0.5, 0.7])
    # Above the lines, not beside them: a phone has no room there.
    for i, name in enumerate(names):
        figure.add_annotation(
            x=0, xref="paper", y=0.4 - i, text=name, showarrow=False, xanchor="left"
        )
    return styled(figure, height=140 + 62 * len(names)).update_layout(margin={"l": 20})
