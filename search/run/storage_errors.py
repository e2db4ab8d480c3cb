"""When a search cannot go on for a reason outside its trials: a full disk, an unwritable folder.

Such a trial did not fail, and the next one would fare no better. The search halts, and what is on
disk stays resumable.
"""

from __future__ import annotations

import errno
from pathlib import Path

_STORAGE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}


class SearchHaltedError(RuntimeError):
    """The search cannot go on until what the message names is mended; it can then be resumed."""


def describe(error: Exception) -> str:
    """Say in one line what could not be written."""
    if not isinstance(error, OSError):
        lines = str(error.__cause__ or error).strip().splitlines() or [type(error).__name__]
        return f"the study's storage must answer, but: {lines[0]}"
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk of the run folder is full{where}; free some space"
    return f"the run folder must be writable, but: {error.strerror or error}{where}"


def halts(error: OSError, folder: Path) -> bool:
    """Whether an error says that nothing can be written below `folder` any more."""
    if error.errno in _STORAGE:
        return True
    return error.filename is not None and Path(str(error.filename)).is_relative_to(folder)
