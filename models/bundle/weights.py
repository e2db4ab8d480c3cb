"""A generator's weights in a safetensors file, written and read without any pickling.

What a file claims is compared with the architecture before memory is taken for it.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from data_pipeline.errors import InputError
from models.bundle.generator_config import GeneratorSettings, read_regular_file
from models.networks.generator import Generator

WEIGHTS_NAME = "generator.safetensors"
# the largest generator, and room for the file's header
MAX_WEIGHTS_BYTES = 2**30

_DTYPE_NAMES = {torch.float32: "F32", torch.int64: "I64"}


def write_weights(path: Path, generator: Generator) -> str:
    """Write the state of `generator` to `path`; return the file's SHA-256 in hexadecimal."""
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in generator.state_dict().items()
    }
    content = save(state, metadata={"format": "pt"})
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def read_weights(path: Path, settings: GeneratorSettings, *, sha256: object) -> Generator:
    """Build the generator of `settings` with the weights of the file at `path`, in eval mode.

    InputError when the file is not what it should be: damaged (`sha256`, if it is text, is
    compared), other tensors than the architecture's, or values that are not finite.
    """
    content = read_regular_file(path, max_bytes=MAX_WEIGHTS_BYTES)
    if isinstance(sha256, str) and hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"{path} is damaged: its SHA-256 is not the one in config.json; export the bundle again"
        )
    with torch.device("meta"):
        generator = Generator.from_settings(settings)
    expected = generator.state_dict()
    state: dict[str, torch.Tensor] = {}
    try:
        with safe_open(path, framework="pt") as file:
            _check_names(path, expected=set(expected), found=set(file.keys()))
            for name, tensor in expected.items():
                entry = file.get_slice(name)
                shape, dtype = list(entry.get_shape()), str(entry.get_dtype())
                if shape != list(tensor.shape) or dtype != _DTYPE_NAMES[tensor.dtype]:
                    raise InputError(
                        f"{path}: tensor {name} must be {_DTYPE_NAMES[tensor.dtype]} "
                        f"{list(tensor.shape)} for generator_complexity "
                        f"{settings.generator_complexity}, but is {dtype} {shape}"
                    )
                state[name] = file.get_tensor(name)
    except SafetensorError as error:
        raise InputError(f"{path} is damaged ({error}); export the bundle again") from None
    for name, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise InputError(f"{path}: tensor {name} has values that are not finite numbers")
    generator.load_state_dict(state, assign=True)
    return generator.requires_grad_(False).eval()


def _check_names(path: Path, *, expected: set[str], found: set[str]) -> None:
    for problem, names in (("lacks", expected - found), ("has unknown", found - expected)):
        if names:
            shown = min(names)[:60]
            raise InputError(
                f"{path} is no generator's: it {problem} tensor {shown!r}"
                + (f" and {len(names) - 1} more" if len(names) > 1 else "")
            )
