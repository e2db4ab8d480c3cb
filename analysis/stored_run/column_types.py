"""One type for each column of the trials table, whether its values come from JSON or from text."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.stored_run.columns import FLOAT_COLUMNS, INTEGER_COLUMNS, TEXT_COLUMNS

_LARGEST_EXACT_INTEGER = 2**53
_TRUTH = {True: True, False: False, "True": True, "False": False}


def typed_column(name: str, values: Sequence[object]) -> pd.Series[Any]:
    """Give a column (n,) the type that its name asks for.

    Text columns are `str`; whole numbers are int64, but float64 where one is missing; other numbers
    are float64 with NaN for missing; `feasible` is bool, unknown counts as False. A column that
    this version does not know is whole numbers, numbers, bool (none missing) or else text.
    """
    if name in TEXT_COLUMNS:
        return _text(values)
    if name == "feasible":
        return pd.Series([value in (True, "True") for value in values], dtype="bool")
    if name in INTEGER_COLUMNS or name in FLOAT_COLUMNS:
        return _numeric(values, whole=name in INTEGER_COLUMNS)
    return _inferred(values)


def _inferred(values: Sequence[object]) -> pd.Series[Any]:
    present = [value for value in values if not _is_missing(value)]
    if present and len(present) == len(values) and all(_is_truth(value) for value in present):
        return pd.Series([_TRUTH[value] for value in present], dtype="bool")
    if all(not math.isnan(_number(value)) for value in present):
        return _numeric(values, whole=not any(_is_fraction(value) for value in present))
    return _text(values)


def _numeric(values: Sequence[object], *, whole: bool) -> pd.Series[Any]:
    try:
        numbers = np.array(values, dtype=np.float64)  # None becomes NaN
        numbers[np.isinf(numbers)] = math.nan
    except (TypeError, ValueError, OverflowError):
        numbers = np.array([_number(value) for value in values], dtype=np.float64)
    exact = np.abs(numbers) < _LARGEST_EXACT_INTEGER
    if whole and bool(np.all(exact & (numbers % 1 == 0))):
        return pd.Series(numbers.astype(np.int64))
    return pd.Series(numbers)


def _text(values: Sequence[object]) -> pd.Series[Any]:
    lines = [
        value if type(value) is str and _is_tidy(value) else _one_line(value) for value in values
    ]
    return pd.Series(lines, dtype="str")


def _is_tidy(text: str) -> bool:
    return text.isprintable() and text != "" and text[0] != " " and text[-1] != " "


def _one_line(value: object) -> str | None:
    """Printable text on one line without outer blanks, None where nothing is left."""
    if _is_missing(value):
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else " " for c in text)
    return text.strip() or None


def _number(value: object) -> float:
    """The finite number that a value is or spells, otherwise NaN."""
    if isinstance(value, float):
        return value if math.isfinite(value) else math.nan
    if isinstance(value, bool) or not isinstance(value, int | str):
        return math.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return math.nan
    return number if math.isfinite(number) else math.nan


def _is_fraction(value: object) -> bool:
    """Whether a number was written with a fraction or exponent, as Python writes every float."""
    return isinstance(value, float) or not str(value).lstrip("-").isdigit()


def _is_truth(value: object) -> bool:
    return isinstance(value, bool) or value in ("True", "False")


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or value == "" or value != value
