"""Sphinx makes the API pages from the docstrings; `make docs` builds them, warnings are errors."""

from __future__ import annotations

import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

project = "chromatune"
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "chromatune"
html_show_copyright = False
html_copy_source = False

autoclass_content = "both"
autodoc_default_options = {"undoc-members": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
# Docstrings put names of the code in single backticks.
default_role = "code"

kept: dict[str, list[str]] = {}


def mark_examples(
    app: object, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Show the indented examples in a module's docstring as Python."""
    if what != "module":
        return
    marked: list[str] = []
    within = False
    for line in lines:
        if line.startswith("    ") and not within:
            marked += [".. code-block:: python", ""]
        within = line.startswith("    ") or (within and not line)
        marked.append(line)
    lines[:] = marked


def drop_signature(
    app: object, what: str, name: str, thing: object, options: object, *signature: str | None
) -> tuple[str, str] | None:
    """A dataclass lists its fields with their defaults below: no need for them twice."""
    return ("", "") if what == "class" and is_dataclass(thing) else None


def keep_attributes(
    app: object, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Remember a comment of an attribute: napoleon takes what stands before a colon for a type."""
    if what in ("attribute", "property", "data"):
        kept[name] = list(lines)


def restore_attributes(
    app: object, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Put back what was kept."""
    if name in kept:
        lines[:] = kept.pop(name)


def setup(app: Any) -> None:
    """Sphinx calls this."""
    event = "autodoc-process-docstring"
    app.connect("autodoc-process-signature", drop_signature)
    app.connect(event, mark_examples)
    app.connect(event, keep_attributes, priority=100)
    app.connect(event, restore_attributes, priority=900)
