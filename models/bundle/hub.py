"""A bundle as a model of the Hugging Face Hub: `from_pretrained`, `save_pretrained`, `push_to_hub`.

Source: https://huggingface.co/docs/huggingface_hub/guides/integrations (the mixin's conventions).
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Self

from huggingface_hub import ModelHubMixin, snapshot_download

from models.bundle.generator_config import generator_settings
from models.bundle.store import KNOWN_NAMES, Bundle, load_bundle
from models.networks.generator import Generator


class PretrainedGenerator(Generator, ModelHubMixin):
    """A generator in eval mode from a bundle, in a local folder or on the Hub.

    `PretrainedGenerator.from_pretrained(folder_or_hub_name)` returns one; `bundle` has the
    configuration that came with it. Weights are read from safetensors alone, never unpickled.
    """

    bundle: Bundle
    folder: Path

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **_entries_of_config: Any,
    ) -> Self:
        """Load the bundle in the folder `model_id`, or fetch the Hub's model of that name first."""
        folder = Path(model_id)
        if not folder.is_dir():
            folder = Path(
                snapshot_download(
                    model_id,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                    allow_patterns=list(KNOWN_NAMES),
                )
            )
        bundle = load_bundle(folder)
        model = cls.from_settings(generator_settings(bundle.config))
        model.load_state_dict(bundle.generator.state_dict())
        model.bundle, model.folder = bundle, folder
        return model.requires_grad_(False).eval()

    def _save_pretrained(self, save_directory: Path) -> None:
        """Copy the bundle's files, so that what is shared is the bundle as it was exported."""
        for name in KNOWN_NAMES:
            if (self.folder / name).exists():
                shutil.copyfile(self.folder / name, save_directory / name)
