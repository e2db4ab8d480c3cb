"""Optuna's artifact store for a run's folder, without a second copy of what lies there already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts import FileSystemArtifactStore


class LinkingArtifactStore(FileSystemArtifactStore):
    """Stores a file as a hard link to the original where the file system allows it.

    For files that are replaced, never rewritten, as the sample grids are.
    """

    def __init__(self, base_path: Path) -> None:
        super().__init__(base_path)
        self._folder = base_path

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the content of an open file under the identifier."""
        name = getattr(content_body, "name", None)
        if isinstance(name, str):
            try:
                os.link(name, self._folder / artifact_id)
            except OSError:
                pass  # another file system, or one without links: copy
            else:
                return
        super().write(artifact_id, content_body)
