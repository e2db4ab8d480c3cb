"""The report of a run: one HTML file that opens offline and asks nothing of the network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from analysis.leaderboard.ranked_trials import build_leaderboard
from analysis.leaderboard.ranking import REPORT_TARGET_RATIO, Weights
from analysis.leaderboard.winners import winners
from analysis.report.drawing import FIGURES, ReportFigures
from analysis.report.figures.parallel_coordinates import AXIS_WIDTH_PIXELS
from analysis.report.figures.search_history import MIN_TRIALS_FOR_IMPORTANCE, SLICE_WIDTH_PIXELS
from analysis.report.live_state import LiveParts, LiveState
from analysis.report.pictures import pictures_of
from analysis.report.tables import (
    headline,
    leaderboard_columns,
    loss_records,
    ratio_rows,
    unfinished_groups,
    winner_facts,
)
from analysis.statistics.nested.statements import caveat, statements
from analysis.stored_run.columns import ENDED
from analysis.stored_run.run import Run
from data_pipeline.durable import replace_file

N_PICTURES = 6
#: what run by themselves, in this order; the page of a running search has `live.js` before them
_SCRIPTS = ("report.js", "board.js")


def write_report(
    run: Run,
    out: Path,
    *,
    target_ratio: float = REPORT_TARGET_RATIO,
    weights: Weights | None = None,
) -> Path:
    """Write the report of a run, finished or not, to `out` and return its path.

    The file appears whole or not at all; it is not synced, for it is soon written again.

    Raises:
        RunFolderError: the target ratio or a weight is out of range, or a file cannot be read.
    """
    page = render_report(run, target_ratio=target_ratio, weights=weights)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, page.encode(), durable=False)
    return out


def render_report(
    run: Run, *, target_ratio: float, weights: Weights | None, live: LiveParts | None = None
) -> str:
    """Render the report as one HTML page.

    With `live` it is the page of a running search: it asks its server for `state`, `page` and
    `plotly.js` (`live_server`), and for nothing else.
    """
    board = build_leaderboard(run, target_ratio=target_ratio, weights=weights)
    chosen = winners(board, run.objective)
    labels = chosen.labels
    ranked = board["trial_id"].tolist()
    drawing = ReportFigures(run, board, chosen, target_ratio=target_ratio)
    figures = {name: drawing.draw(name) for name in FIGURES}
    contours = drawing.contours()
    ended = set(run.trials.loc[run.trials["state"].isin(ENDED), "trial_id"])
    shown = [trial_id for trial_id in dict.fromkeys((*labels, *ranked)) if trial_id in ended]
    return _template("report.html").render(
        run=run,
        live=live,
        headline=headline(run),
        chosen=chosen,
        winners=winner_facts(run, board, chosen),
        balance=drawing.balance,
        target_ratio=target_ratio,
        statements=statements(drawing.answers),
        caveat=caveat(drawing.answers),
        ratios=ratio_rows(drawing.balance),
        columns=leaderboard_columns(board, run.objective),
        n_rows=len(board),
        unfinished=unfinished_groups(board),
        pictures=pictures_of(run, shown, n_trials=N_PICTURES),
        labels=labels,
        figures={name: figure is not None for name, figure in figures.items()},
        has_contours=bool(contours),
        min_importance=MIN_TRIALS_FOR_IMPORTANCE,
        widths={
            "slice": SLICE_WIDTH_PIXELS * len(drawing.parameters),
            "parallel": AXIS_WIDTH_PIXELS * (len(drawing.parameters) + 3),
        },
        settings={
            name: json.dumps(content, indent=2, ensure_ascii=False)
            for name, content in (
                ("config.json", run.config),
                ("data.json", run.data),
                ("run.json", run.info),
            )
        },
        figure_json={
            **{name: _script_json(_plotly(figure)) for name, figure in figures.items() if figure},
            "contour": _script_json({name: _plotly(f) for name, f in contours.items()}),
        },
        losses_json=_script_json(loss_records(run, board, drawing.losses, drawing.validations)),
        plotly_js="" if live else Markup(get_plotlyjs()),
        style=_page_file("report.css"),
        scripts=[_page_file(name) for name in (*(("live.js",) if live else ()), *_SCRIPTS)],
    )


def render_state(state: LiveState, problem: str | None) -> str:
    """What stands at the top of a live page; `problem` is why its report cannot be newer."""
    return _template("live.html").render(state=state, problem=problem)


def _template(name: str) -> Template:
    loader = PackageLoader("analysis.report", "page")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined)
    return environment.get_template(name)


def _plotly(figure: go.Figure) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(figure.to_json())
    content["layout"].pop("template", None)
    return content


def _script_json(value: object) -> Markup:
    """JSON that may stand inside a script element: nothing in it can close the element."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escaped)
    return Markup(text)


def _page_file(name: str) -> Markup:
    return Markup((Path(__file__).parent / "page" / name).read_text(encoding="utf-8"))
