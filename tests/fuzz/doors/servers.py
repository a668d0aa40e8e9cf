"""Doors of the answers of a server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from tests.fuzz.doors.made import SIDE, make_images
from tests.fuzz.runner import Door, Doors


def _rest(root: Path) -> Door:
    import base64
    import io

    from skin_synth.serving.answers import decode_png
    from skin_synth.serving.errors import ServingError
    from skin_synth.serving.rest import Rest

    file, transport = root / "answer.json", Rest("http://localhost:1", "m", None, 1)
    if not file.exists():
        files = []
        for image in make_images(2):
            buffer = io.BytesIO()
            Image.fromarray(image).save(buffer, "PNG")
            files.append({"b64": base64.b64encode(buffer.getvalue()).decode()})
        file.write_text(json.dumps({"outputs": {"label_id": [0, 1], "image_bytes": files}}))

    def use():
        outputs = transport._outputs(file.read_bytes(), "serving_default", 2)
        return [decode_png(png, SIDE) for png in outputs["image_bytes"]], outputs["label_id"]

    def sound(result) -> bool:
        images, ids = result
        return len(images) == 2 and ids.shape == (2,) and ids.dtype == np.int64

    return Door(file, use, (ServingError,), sound, structure="json")


def _grpc(root: Path) -> Door:
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import predict_pb2

    from skin_synth.serving.answers import checked
    from skin_synth.serving.errors import ServingError
    from skin_synth.serving.grpc_api import _from_tensor
    from skin_synth.serving.messages import messages, tensors

    file = root / "answer.bin"
    if not file.exists():
        response = predict_pb2.PredictResponse()
        response.outputs["image"].CopyFrom(tf.make_tensor_proto(make_images(2)))
        file.write_bytes(response.SerializeToString())

    def use():
        received = tensors(messages().response.FromString(file.read_bytes()))
        arrays = {
            name: _from_tensor(name, received[name], 2) for name in ("image",) if name in received
        }
        return checked(arrays, "generate", 2)["image"]

    def sound(images) -> bool:
        return images.ndim == 4 and len(images) == 2 and images.dtype == np.uint8

    return Door(file, use, (ServingError, DecodeError), sound)  # gRPC makes one error of these


DOORS: Doors = {
    "REST answer": _rest,
    "gRPC answer": _grpc,
}
