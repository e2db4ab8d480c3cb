"""Reads TensorBoard's event files back, as TensorBoard does."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData


@dataclass
class Logged:
    """What a folder's event files hold."""

    #: tag -> step -> value
    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    hparams: dict[str, float] = field(default_factory=dict)
    #: points that were written more than once
    repeated: int = 0


def read_events(folder: Path) -> Logged:
    logged = Logged()
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in _events(path.read_bytes()):
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points = logged.scalars.setdefault(value.tag, {})
                    logged.repeated += event.step in points
                    points[event.step] = value.simple_value
                elif value.HasField("image"):
                    logged.pictures[value.tag] = value.image.encoded_image_string
                elif value.tag == "_hparams_/session_start_info":
                    content = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                    logged.hparams = {
                        name: asked.number_value
                        for name, asked in content.session_start_info.hparams.items()
                        if asked.HasField("number_value")
                    }
    return logged


def _events(content: bytes) -> Iterator[Event]:
    """Records of TFRecord: length, its checksum, data, its checksum."""
    start = 0
    while start < len(content):
        (length,) = struct.unpack_from("<Q", content, start)
        yield Event.FromString(content[start + 12 : start + 12 + length])
        start += length + 16
