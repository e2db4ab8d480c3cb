"""The API pages name all that is public; `make docs` builds them, with warnings as errors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import analysis
import chromatune
import models
import search

PAGES = Path(__file__).parents[2] / "docs" / "api"
DIRECTIVE = re.compile(r"^\.\. (?:auto\w+|data):: (\S+)$", re.MULTILINE)


def documented(page: str) -> list[str]:
    return DIRECTIVE.findall((PAGES / f"{page}.rst").read_text())


def test_every_public_name_is_documented() -> None:
    names = documented("index")
    assert names.pop(0) == "chromatune"
    assert sorted(name.removeprefix("chromatune.") for name in names) == chromatune.__all__
    # What the packages offer is the same things, or on their own pages.
    public = {getattr(chromatune, name) for name in chromatune.__all__ if name != "__version__"}
    for package, page in ((analysis, "analysis"), (models, "models"), (search, "searches")):
        own = {name.rpartition(".")[2] for name in documented(page)}
        for name in set(package.__all__) - own:
            assert getattr(package, name) in public


@pytest.mark.parametrize("page", ["searches", "analysis", "models", "data_pipeline"])
def test_each_package_has_a_page_that_the_first_one_leads_to(page: str) -> None:
    assert f"\n   {page}\n" in (PAGES / "index.rst").read_text()
    names = documented(page)
    assert len(names) > 5
    assert len(names) == len(set(names))
