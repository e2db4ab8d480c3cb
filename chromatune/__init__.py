"""chromatune from Python: the names below, each imported when it is first used.

    import chromatune

    run = chromatune.Search(images="photos", trials=40).run()  # as `chromatune search`
    run = chromatune.open_run("runs/first")  # a stored run: tables, figures, pictures
    chromatune.train(run.path, out="final", epochs=60)  # the winner, trained on, as a bundle
    chromatune.export(run.path, "exported")  # trial `run.best`; with by="balance" `run.balanced`
    bundle = chromatune.load("exported")  # or OWNER/NAME on the Hugging Face Hub
    image = chromatune.colorize(PIL.Image.open("photo.jpg"), bundle)

`open_run` needs neither Torch nor Ray. What these names return is documented where it is defined;
everything below `analysis`, `data_pipeline`, `models` and `search` may change with any version.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.results import RunResults, open_run
    from models.bundle.fetch import open_bundle as load
    from models.bundle.store import Bundle
    from models.coloring import colorize_image as colorize
    from search.api import Search
    from search.finetune.export import export_trial as export
    from search.finetune.train_api import train
    from search.finetune.train_session import Trained

    __version__: str

__all__ = [
    "Bundle",
    "RunResults",
    "Search",
    "Trained",
    "__version__",
    "colorize",
    "export",
    "load",
    "open_run",
    "train",
]

#: name -> module and name there
_DEFINED_IN = {
    "Bundle": ("models.bundle.store", "Bundle"),
    "RunResults": ("analysis.results", "RunResults"),
    "Search": ("search.api", "Search"),
    "Trained": ("search.finetune.train_session", "Trained"),
    "colorize": ("models.coloring", "colorize_image"),
    "export": ("search.finetune.export", "export_trial"),
    "load": ("models.bundle.fetch", "open_bundle"),
    "open_run": ("analysis.results", "open_run"),
    "train": ("search.finetune.train_api", "train"),
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _own_module("search.run.directory").program_version()
    if name not in _DEFINED_IN:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, there = _DEFINED_IN[name]
    return getattr(_own_module(module), there)


def __dir__() -> list[str]:
    return __all__


def _own_module(name: str) -> Any:
    """Import a module of ours; raises ImportError when a package of another project hides ours."""
    package = name.partition(".")[0]
    found = Path(getattr(import_module(package), "__file__", None) or package).parent
    ours = Path(__file__).parents[1] / package
    if found != ours:
        raise ImportError(
            f"chromatune must find its package {package!r} in {ours}, but {found} comes first on "
            "the path; rename that one, or use the command line, which may be run beside it",
            name=package,
        )
    return import_module(name)
