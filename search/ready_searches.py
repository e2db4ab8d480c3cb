"""The searches that come with the package: files in `search/configs`, taken by their names."""

from __future__ import annotations

from pathlib import Path

from data_pipeline.errors import InputError

FOLDER = Path(__file__).parent / "configs"


def ready_searches() -> dict[str, Path]:
    """The configuration files by the names that `--config` takes."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}


def find_config(given: Path) -> Path:
    """The file that `--config` means: one of a person's own, or a ready search by its name.

    Raises InputError for what is neither.
    """
    ready = ready_searches()
    if given.exists():
        return given
    if given.name in ready and given.parent == Path():
        return ready[given.name]
    raise InputError(
        f"--config must be a YAML file or a ready search ({', '.join(ready)}), but got {given}, "
        "which is neither"
    )
