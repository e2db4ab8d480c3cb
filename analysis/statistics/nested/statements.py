"""The answers in plain words: a question, a verdict and one sentence each."""

from __future__ import annotations

from typing import NamedTuple

from analysis.statistics.balance import ratio_words
from analysis.statistics.nested.answers import BalanceAnswers
from analysis.statistics.nested.cross_validation import Prediction, Skill
from analysis.statistics.nested.drift_model import DRIFT_REACH, SLOPE_REACH, DriftSlope
from analysis.statistics.nested.measured import Measured
from analysis.statistics.stagnation import TOLERANCE_PERCENT

NOT_DETERMINED = "not determined"
#: seeds of one configuration differed by so many points of drift (docs/complexity-study.md), and
#: the variance of log2 ratio in a study of 0.2, 0.4, 0.8, 1.6 and 3.2
_USUAL_DEVIATION, _USUAL_SPREAD = 29.0, 2.0
_QUANTILE = 1.645
#: more trainings than this are no advice
_MOST = 20_000


class Statement(NamedTuple):
    """One answer."""

    question: str
    #: a word or two
    verdict: str
    sentence: str


def statements(answers: BalanceAnswers) -> list[Statement]:
    """All answers, in the order in which people ask."""
    return [
        _slope(answers.ratio_slope, "At a fixed generator width", "parameter ratio D/G"),
        _slope(answers.width_slope, "At a fixed parameter ratio", "generator's width"),
        _crossing(answers),
        _equivalence(answers),
        _prediction(
            answers.drift_prediction, "What predicts the drift of a training best?", "drift"
        ),
        _prediction(
            answers.quality_prediction, "What predicts its colours best?", "quality of the colours"
        ),
        _correlation(answers),
    ]


def caveat(answers: BalanceAnswers) -> str:
    """What early stopping does to all of them; empty without it."""
    n = answers.balance.n_pruned
    if not n:
        return ""
    trials = "1 trial" if n == 1 else f"{n} trials"
    return (
        f"Early stopping ended {trials}, not at random: the answers hold for trainings that it "
        f"lets finish; a run with early_stopping: {{enabled: false}} answers for all."
    )


def _slope(slope: DriftSlope, held: str, what: str) -> Statement:
    question = f"Does the drift depend on the {what}?"
    found = slope.per_doubling
    if found is None:
        advice = ""
        if slope.name == "parameter ratio":
            needed = (_USUAL_DEVIATION * _QUANTILE / SLOPE_REACH) ** 2 / _USUAL_SPREAD
            advice = (
                f"; with seeds that differ by {_USUAL_DEVIATION:.0f} points, as in "
                f"docs/complexity-study.md, about {_rounded(needed)} trainings with ratios from "
                f"0.2 to 3.2 would tell it to ±{SLOPE_REACH:g} points a doubling"
            )
        return Statement(question, NOT_DETERMINED, f"This run cannot tell: {slope.reason}{advice}.")
    change = f"each doubling of the {what} moves the drift by {_points(found)}"
    if slope.determined:
        little = ", too little to matter" if slope.negligible else ""
        return Statement(question, "yes", f"{held}, {change}{little}.")
    if slope.negligible:
        return Statement(question, "hardly", f"{held}, {change}: too little to matter.")
    reach = min(SLOPE_REACH, found.reach() / 2)
    return Statement(
        question,
        NOT_DETERMINED,
        f"{held}, {change}, which may be chance; {_trainings(slope.more)} would tell it to "
        f"±{_short(reach)} points.",
    )


def _crossing(answers: BalanceAnswers) -> Statement:
    question = "Does the drift cross zero, and where?"
    crossing, samples = answers.balance.crossing, answers.samples
    if crossing.ratio is not None and crossing.low is not None and crossing.high is not None:
        return Statement(
            question,
            "crosses",
            f"It does, at a parameter ratio of {ratio_words(crossing.ratio)} (90 % interval "
            f"{ratio_words(crossing.low)} to {ratio_words(crossing.high)}).",
        )
    if answers.crossing == "does not cross":
        tried = [ratio_words(2 ** float(f(samples.log2_ratio))) for f in (min, max)]
        side = (
            "above zero: the discriminator gains"
            if answers.sign > 0
            else "below zero: the generator gains"
        )
        return Statement(
            question,
            "does not cross",
            f"At every ratio tried, {tried[0]} to {tried[1]}, the drift lies {side}.",
        )
    slope = answers.ratio_slope
    advice = ""
    if "beyond the ratios" in crossing.reason or "the ratios tried" in crossing.reason:
        advice = "; a wider range of ratios would tell"
    elif slope.per_doubling is not None and not slope.determined:
        advice = f"; {_trainings(slope.more)} would tell whether it changes at all"
    return Statement(question, NOT_DETERMINED, f"This run cannot tell: {crossing.reason}{advice}.")


def _equivalence(answers: BalanceAnswers) -> Statement:
    found = answers.equivalence
    ratio, bound = ratio_words(found.target_ratio), f"±{TOLERANCE_PERCENT:g}"
    question = f"Is a parameter ratio of {ratio} balanced (drift within {bound} points)?"
    if found.drift is None:
        needed = (_USUAL_DEVIATION * _QUANTILE / DRIFT_REACH) ** 2
        return Statement(
            question,
            NOT_DETERMINED,
            f"This run cannot tell: {found.reason}; with seeds that differ by "
            f"{_USUAL_DEVIATION:.0f} points it takes about {_rounded(needed)} trainings at ratios "
            f"around {ratio} to tell it to ±{DRIFT_REACH:g} points.",
        )
    drift = f"At {ratio} the drift is {_points(found.drift)}"
    match found.verdict:
        case "yes":
            return Statement(question, "yes", f"{drift}, all of it within {bound}.")
        case "no":
            return Statement(question, "no", f"{drift}, all of it beyond {bound}.")
    reach = min(DRIFT_REACH, found.drift.reach() / 2)
    return Statement(
        question,
        NOT_DETERMINED,
        f"{drift}, which reaches across {bound}; {_trainings(found.more)} would tell it to "
        f"±{_short(reach)} points.",
    )


def _prediction(found: Prediction, question: str, what: str) -> Statement:
    if not found.skills:
        return Statement(question, NOT_DETERMINED, f"This run cannot tell: {found.reason}.")
    first = found.skills[0]
    if first.value <= 0:
        return Statement(
            question,
            NOT_DETERMINED,
            f"Nothing predicts the {what} better than the generator's width alone "
            f"({found.n_configurations} configurations).",
        )
    known = (
        f"takes away {_share(first)} of the error that remains when only the generator's width is "
        f"known, for configurations that it has not seen"
    )
    if found.best:
        return Statement(
            question, "determined", f"The {first.name} predicts the {what} best: it {known}."
        )
    if not first.determined:
        more = _advice(found.more, "if it is as useful as it looks")
        return Statement(
            question,
            NOT_DETERMINED,
            f"Nothing predicts the {what} beyond doubt; the {first.name} comes nearest and {known}"
            f"{more}.",
        )
    rivals = _listed([f"the {name}" for name in found.rivals])
    alone = f", but {found.reason}" if found.reason else ""
    more = _advice(found.more, "if the differences are as they look") if found.rivals else ""
    doubt = f", but it is not beyond doubt that it is better than {rivals}" if rivals else alone
    return Statement(question, NOT_DETERMINED, f"The {first.name} {known}{doubt}{more}.")


def _correlation(answers: BalanceAnswers) -> Statement:
    question = "Does balance go with better colours?"
    known = [each for each in answers.correlations if each.rho is not None]
    if not known:
        return Statement(
            question,
            NOT_DETERMINED,
            "This run cannot tell: it takes at least 8 configurations with a validation metric.",
        )
    listed = "; ".join(
        f"{each.name} {each.rho:+.2f} ({each.low:+.2f} to {each.high:+.2f})" for each in known
    )
    sure = [
        f"the {'smaller' if (each.rho or 0.0) < 0 else 'larger'} the {each.name}"
        for each in known
        if each.determined
    ]
    listed = f"rank correlations, 90 % intervals: {listed}"
    if sure:
        return Statement(
            question,
            "determined",
            f"At a fixed generator width, {_listed(sure)}, the better the colours ({listed}).",
        )
    first = max(known, key=lambda each: abs(each.rho or 0.0))
    more = _advice(first.more, "if the strongest is as strong as it looks")
    return Statement(
        question,
        NOT_DETERMINED,
        f"At a fixed generator width no measure of balance goes with the quality of the colours "
        f"beyond doubt ({listed}){more}.",
    )


def _points(found: Measured) -> str:
    low, high = found.interval()
    return f"{_signed(found.value)} points (90 % interval {_signed(low)} to {_signed(high)})"


def _signed(value: float) -> str:
    return f"{value:+z.0f}" if abs(value) >= 10 else f"{value:+z.1f}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value == round(value) else f"{value:.2g}"


def _share(skill: Skill) -> str:
    return f"{skill.value:.0%} ({skill.low:.0%} to {skill.high:.0%})".replace("%", " %")


def _trainings(n: int | None) -> str:
    if n is None or n > _MOST:
        return f"more than {_MOST:,} further trainings"
    return f"about {_rounded(n)} more trainings of new configurations like these"


def _advice(n: int | None, condition: str) -> str:
    if n is None:
        return ""
    return f"; {_trainings(n)} would tell, {condition}"


def _rounded(n: float) -> str:
    """To two digits."""
    return f"{float(f'{n:.2g}'):,.0f}"


def _listed(names: list[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
