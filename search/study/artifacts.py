"""Optuna's artifact store for a run's folder, without a second copy of what lies there already."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from optuna.artifacts import FileSystemArtifactStore

from data_pipeline.durable import sync_file, sync_folder


class LinkingArtifactStore(FileSystemArtifactStore):
    """Stores a file as a hard link to the original where the file system allows it.

    For files that are replaced, never rewritten, as the sample grids are. Durable: the study says
    that it has a picture once the picture is on the disk.
    """

    def __init__(self, base_path: Path) -> None:
        super().__init__(base_path)
        self._folder = base_path

    def write(self, artifact_id: str, content_body: BinaryIO) -> None:
        """Keep the content of an open file under the identifier."""
        name = getattr(content_body, "name", None)
        stored = self._folder / artifact_id
        try:
            os.link(name if isinstance(name, str) else "", stored)
        except OSError:  # no file, another file system, or one without links: copy
            super().write(artifact_id, content_body)
            sync_file(stored)
        sync_folder(self._folder)
