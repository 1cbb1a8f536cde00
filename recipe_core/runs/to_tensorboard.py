"""How does a run look in TensorBoard? Every point of its curves, its pictures and its settings.

The one file that knows the package `tensorboard`; TensorFlow is not needed.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from recipe_core.runs.curves import Curve, curves, events
from recipe_core.runs.folder import RunFolder, read_json

EVERY_POINT = 10**12


def write(folder: RunFolder, dest: Path) -> Path:
    """Writes DEST/<run id>/events.out.tfevents…; `dest` is what `tensorboard --logdir` takes."""
    target = dest / folder.id
    for old in target.glob("events.out.tfevents.*"):  # else a second export shows each point twice
        old.unlink()
    writer = EventFileWriter(str(target))
    try:
        writer.add_event(_settings(folder))
        found = curves(folder, most=EVERY_POINT)
        per_step = {c.name for c in found if c.per == "step"}
        for curve in found:
            for event in _points(curve, taken=per_step):
                writer.add_event(event)
        for event in _pictures(folder):
            writer.add_event(event)
    finally:
        writer.close()
    return dest


def _points(curve: Curve, taken: set[str]) -> list[Event]:
    tag = f"epoch/{curve.name}" if curve.per == "epoch" and curve.name in taken else curve.name
    rows = zip(curve.steps.tolist(), curve.values.tolist(), curve.times.tolist(), strict=True)
    return [
        Event(step=step, wall_time=when,
              summary=Summary(value=[Summary.Value(tag=tag, simple_value=value)]))
        for step, value, when in rows
    ]  # fmt: skip


def _settings(folder: RunFolder) -> Event:
    asked = read_json(folder.config)
    text = f"```json\n{json.dumps(asked.get('config', {}), indent=1)}\n```"
    value = Summary.Value(
        tag="config", tensor=make_tensor_proto(np.array([text.encode()], dtype=object)),
        metadata=create_summary_metadata("config", str(asked.get("command", ""))),
    )  # fmt: skip
    return Event(wall_time=asked.get("created", time.time()), summary=Summary(value=[value]))


def _pictures(folder: RunFolder) -> list[Event]:
    found = []
    for event in events(folder):
        if event["kind"] != "picture":
            continue
        path = folder.pictures / event["data"]["file"]
        if not path.is_file():
            continue
        with Image.open(path) as image:
            width, height = image.size
        shown = Summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=path.read_bytes()
        )
        value = Summary.Value(tag=event["data"]["name"], image=shown)
        step = event["data"]["step"]
        found.append(
            Event(step=event["step"] if step is None else step, wall_time=event["time"],
                  summary=Summary(value=[value]))
        )  # fmt: skip
    return found
