"""A bundle by its name: a folder, or a model of the Hugging Face Hub, fetched when it is needed.

Source: https://huggingface.co/docs/huggingface_hub/guides/download
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from data_pipeline.errors import InputError
from models.bundle.generator_config import CONFIG_NAME, MAX_CONFIG_BYTES
from models.bundle.publish import AWAY, is_repository, line_of
from models.bundle.store import Bundle, load_bundle
from models.bundle.weights import MAX_WEIGHTS_BYTES, WEIGHTS_NAME

#: what colours a photo, and how large it may be; the rest of a bundle is for people and left there
_NEEDED = {CONFIG_NAME: MAX_CONFIG_BYTES, WEIGHTS_NAME: MAX_WEIGHTS_BYTES}

#: a network that swallows what is sent would let us wait for minutes
_PATIENCE_SEC = 10


def open_bundle(
    name: str | Path,
    *,
    on_fetch: Callable[[str], None] | None = None,
    api: HfApi | None = None,
    cache_dir: Path | None = None,
) -> Bundle:
    """Load the bundle in the folder `name`, or the Hub's model of that name (OWNER/NAME).

    A folder of that name comes first, then what was fetched before, then the Hub: a newer version
    there is not looked for (`hf download OWNER/NAME` fetches it). Nothing of a bundle is ever
    executed or unpickled.

    Args:
        name: a `Path` is always a folder.
        on_fetch: called with the name before the network is used.
        api: of the Hub, by default with the token of `hf auth login` or HF_TOKEN.
        cache_dir: where fetched models are kept; None is the Hub library's own folder.

    Raises:
        InputError: there is no such folder, no such model, or no way to the Hub; the bundle is
            damaged, no bundle, or was written by a newer version.
        RuntimeError: the Hub answers with an error that is not ours.
    """
    folder = Path(name).expanduser()
    if isinstance(name, Path) or not is_repository(name) or folder.exists():
        return load_bundle(folder)
    api = api or HfApi()
    cached = _cached(name, api, cache_dir)
    if cached is None:
        if on_fetch is not None:
            on_fetch(name)
        cached = _fetched(name, api, cache_dir)
    return load_bundle(cached)


def _cached(repository: str, api: HfApi, cache_dir: Path | None) -> Path | None:
    try:
        folder = api.snapshot_download(
            repository, cache_dir=cache_dir, allow_patterns=list(_NEEDED), local_files_only=True
        )
    except LocalEntryNotFoundError:
        return None
    # A folder of other files of the model, or of an interrupted download, is found as well.
    whole = all(Path(folder, name).exists() for name in _NEEDED)
    return Path(folder) if whole else None


def _fetched(repository: str, api: HfApi, cache_dir: Path | None) -> Path:
    neither = f"a bundle is a folder or a model of the Hub, but there is no folder {repository}"
    try:
        # Sizes first: a stranger's model may have any.
        found = api.model_info(repository, files_metadata=True, timeout=_PATIENCE_SEC)
        sizes = {entry.rfilename: entry.size or 0 for entry in found.siblings or ()}
        for name, most in _NEEDED.items():
            if name not in sizes:
                raise InputError(
                    f"a bundle holds {CONFIG_NAME} and {WEIGHTS_NAME}, but the Hub's model "
                    f"{repository} lacks {name}; name one that `chromatune push` published"
                )
            if sizes[name] > most:
                raise InputError(
                    f"{name} must be at most {most} bytes, but the Hub's model {repository} has "
                    f"{sizes[name]}"
                )
        return Path(
            api.snapshot_download(repository, cache_dir=cache_dir, allow_patterns=list(_NEEDED))
        )
    except RepositoryNotFoundError as error:
        raise InputError(
            f"{neither}, and the Hub has no such model that the token may read; check the name, "
            "or log in with `hf auth login`"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise RuntimeError(
            f"the Hub did not hand out {repository} ({status}): {line_of(error)}"
        ) from error
    except AWAY as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        raise InputError(
            f"{neither}, and the Hub cannot be reached: {line_of(error)}; check the path, or "
            "connect to the network"
        ) from error
