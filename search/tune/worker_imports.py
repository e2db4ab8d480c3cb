"""Workers on this machine import our packages from where this process has them.

Ray puts the folder in which a search is started first on the path of its workers, and that folder
may hold a `models` or a `search` of its owner's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

#: our top-level packages
PACKAGES = ("analysis", "chromatune", "data_pipeline", "models", "search")


def imported_from_here(cls: type) -> type:
    """A subclass of `cls` for actors on this machine: to unpickle it imports our packages first.

    What is pickled by reference after it, as `cls` and the actor's arguments are, finds them in
    `sys.modules`. A `runtime_env` of Ray's would reach workers as early, but costs them seconds.
    """
    import_ours = _importer(Path(__file__).parents[2])

    class Importing:
        def __reduce__(self) -> tuple[Callable[[], Importing], tuple[()]]:
            return import_and_repeat, ()

    # Tune itself unpickles a class and pickles it again.
    def import_and_repeat() -> Importing:
        import_ours()
        return Importing()

    # Classes that are defined within a function are pickled by value, one base after the other:
    # this one, and with it the attribute, comes before `cls`.
    class ImportsFirst:
        importing = Importing()

    return type(cls.__name__, (ImportsFirst, cls), {})


def _importer(root: Path) -> Callable[[], None]:
    names, folder = PACKAGES, str(root)

    # By value, too: it runs where nothing of ours can be imported yet.
    def import_ours() -> None:
        import importlib
        import sys
        from pathlib import Path

        if not Path(folder, names[0]).is_dir():
            return  # another machine, in a cluster that the caller of the search has joined
        for name in names:
            file = getattr(sys.modules.get(name), "__file__", None) or ""
            if Path(file).parent != Path(folder, name):
                # A worker that has run tasks of the caller's may have imported the other ones.
                for module in [m for m in sys.modules if m == name or m.startswith(f"{name}.")]:
                    del sys.modules[module]
        sys.path.insert(0, folder)
        try:
            for name in names:
                importlib.import_module(name)
        finally:
            sys.path.remove(folder)

    return import_ours
