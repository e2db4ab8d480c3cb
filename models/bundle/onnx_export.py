"""The generator as an ONNX graph, for runtimes that have no torch."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch

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
    # The export needs a second or two to import and no other part of the package does.
    import onnx

    model = copy.deepcopy(generator).cpu().eval()
    side = torch.export.Dim
    example_L_N1HW = torch.zeros(2, 1, 2 * SIDE_MULTIPLE, 3 * SIDE_MULTIPLE)
    shapes = {0: side("batch"), 2: SIDE_MULTIPLE * side("h"), 3: SIDE_MULTIPLE * side("w")}
    chatter = logging.getLogger("torch.onnx")
    level = chatter.level
    chatter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside the exporter, none of ours
            program = torch.onnx.export(
                model,
                (example_L_N1HW,),
                dynamo=True,
                opset_version=OPSET,
                input_names=[INPUT_NAME],
                output_names=[OUTPUT_NAME],
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
