"""ONNX Runtime's side of the forward passes: PyTorch's models, exported."""

import io
import warnings

import onnxruntime
import torch
from safetensors.torch import load_file

from pytorch import ready


def loader(peer, threads):
    # Its fused layer has no counterpart in ONNX.
    torch.backends.mha.set_fastpath_enabled(False)

    def load(case, file):
        ids, labels, model, _ = ready(case["of"], load_file(file))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        session = onnxruntime.InferenceSession(exported(model.eval(), ids[0], labels[0]), options, ["CPUExecutionProvider"])
        inputs = [{"ids": one.numpy(), "labels": other.numpy()} for one, other in zip(ids, labels)]
        place = -1

        def step():
            nonlocal place
            place = (place + 1) % len(inputs)
            return session.run(None, inputs[place])[0].item()

        return step

    return load


def exported(model, ids, labels):
    """The model as ONNX, in bytes."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (ids, labels), file, input_names=["ids", "labels"], dynamo=False)
    return file.getvalue()
