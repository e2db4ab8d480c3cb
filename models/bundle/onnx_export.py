"""The generator as an ONNX graph, for runtimes that have no torch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from models.networks.generator import Generator
from models.networks.sides import SIDE_MULTIPLE

ONNX_NAME = "generator.onnx"
INPUT_NAME = "L"
OUTPUT_NAME = "ab"
OPSET = 20


def write_onnx(path: Path, generator: Generator, *, metadata: Mapping[str, str]) -> None:
    """Write `generator` in eval mode to `path`.

    Input `L` (batch, 1, height, width) and output `ab` (batch, 2, height, width), both float32 in
    [-1, 1]; batch is free, height and width are any multiples of 32.
    """
    write_graph(
        path,
        copy.deepcopy(generator).cpu().eval(),
        torch.zeros(2, 1, 2 * SIDE_MULTIPLE, 3 * SIDE_MULTIPLE),
        input_name=INPUT_NAME,
        output_name=OUTPUT_NAME,
        metadata=metadata,
    )


def write_graph(
    path: Path,
    model: nn.Module,
    example_NCHW: Tensor,
    *,
    input_name: str,
    output_name: str,
    metadata: Mapping[str, str],
) -> None:
    """Write a model of images, on the CPU and in eval mode, to `path`.

    Its batch is free, its height and width any multiples of 32; the example's are 64 and 96.
    """
    # The export needs a second or two to import and no other part of the package does.
    import onnx

    side = torch.export.Dim
    shapes = {0: side("batch"), 2: SIDE_MULTIPLE * side("h"), 3: SIDE_MULTIPLE * side("w")}
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the exporter, none of ours
            program = torch.onnx.export(
                model,
                (example_NCHW,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[input_name],
                output_names=[output_name],
                dynamic_shapes=(shapes,),
                verbose=False,
            )
    finally:
        chatter.setLevel(level)
    assert program is not None  # None only for the exporter that dynamo=True replaces
    proto = program.model_proto
    # The exporter notes file names and source lines of the machine it ran on.
    for entry in (
        *proto.graph.node,
        *proto.graph.input,
        *proto.graph.output,
        *proto.graph.value_info,
    ):
        del entry.metadata_props[:]
    for node in proto.graph.node:
        node.doc_string = ""
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, dict(metadata))
    onnx.checker.check_model(proto)
    path.write_bytes(proto.SerializeToString())
