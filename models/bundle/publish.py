"""A bundle to the Hugging Face Hub: its files as they are, in one commit.

Source: https://huggingface.co/docs/huggingface_hub/guides/upload
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError

from data_pipeline.errors import InputError
from models.bundle.store import KNOWN_NAMES, load_bundle

#: errors of whichever HTTP client the Hub's library uses, and of its offline mode
AWAY = cast("tuple[type[Exception], ...]", HfHubHTTPError.__bases__)
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
#: answers of the Hub that a person can do something about
_REFUSED = {401: "no valid token was sent", 403: "the token may not write there"}


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A bundle that can be pushed."""

    folder: Path
    #: OWNER/NAME on the Hub
    repository: str
    #: names and bytes
    files: dict[str, int]
    licence: str | None


def prepare_publication(folder: Path, repository: str) -> Publication:
    """Check all that can be checked without the network.

    Raises InputError when `folder` is no bundle or `repository` no OWNER/NAME.
    """
    config = load_bundle(folder).config
    if not is_repository(repository):
        raise InputError(f"a model of the Hub must be OWNER/NAME, but got {repository!r}")
    licence = config.get("licence")
    return Publication(
        folder=folder,
        repository=repository,
        files={
            name: (folder / name).stat().st_size
            for name in KNOWN_NAMES
            if (folder / name).is_file()
        },
        licence=licence if isinstance(licence, str) else None,
    )


def push(publication: Publication, *, private: bool = False, api: HfApi | None = None) -> str:
    """Create the model on the Hub unless it is there, push the files; returns their address.

    `private` is of a new model alone. `api` defaults to the Hub, with the token of `hf auth login`
    or HF_TOKEN.

    Raises:
        InputError: the Hub refuses the token.
        RuntimeError: it does not answer, or refuses the files.
    """
    api = api or HfApi()
    try:
        api.create_repo(publication.repository, private=private, exist_ok=True)
        commit = api.upload_folder(
            repo_id=publication.repository,
            folder_path=publication.folder,
            allow_patterns=list(publication.files),
            commit_message="A bundle of chromatune",
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        if status in _REFUSED:
            raise InputError(
                f"the Hub must accept the token for {publication.repository}, but "
                f"{_REFUSED[status]}; log in with `hf auth login`, or set HF_TOKEN"
            ) from error
        raise RuntimeError(f"the Hub refused the bundle ({status}): {line_of(error)}") from error
    except AWAY as error:
        raise RuntimeError(f"the Hub does not answer: {line_of(error)}") from error
    return commit.commit_url


def is_repository(name: str) -> bool:
    """Whether `name` has the form OWNER/NAME of the Hub's models."""
    return bool(_REPOSITORY.fullmatch(name)) and ".." not in name and "--" not in name


def check_licence(identifier: str) -> None:
    """Raise InputError unless a licence has the form of the Hub's identifiers.

    Source: https://huggingface.co/docs/hub/repositories-licenses
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]{0,62}", identifier):
        raise InputError(
            "a licence must be an identifier of the Hub such as mit, apache-2.0 or cc-by-4.0, but "
            f"got {identifier!r}"
        )


def line_of(error: BaseException) -> str:
    """An error's message in one line that is not too long."""
    return " ".join(str(error).split())[:200] or type(error).__name__
