"""Records what PyTorch computes, in f64 on a CPU, for the parity tests to compare with.

Usage: python record.py            writes one JSON file a family into the folder of this script

A file is a list of cases: {"name", "options", "inputs", "outputs"}. Options are plain values named as in PyTorch, and
infinity is the string "inf". Inputs and outputs are tensors by name: {"shape": [..], "data": [..]} with the elements in
row-major order, ids as whole numbers and the rest with every digit of the f64.
"""

import itertools
import json
import math
import pathlib

import torch
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).parent


def normal(*shape, scale=1.0):
    """Normal numbers with two decimals, so that they take little room in the file."""
    return torch.round(torch.randn(shape) * scale, decimals=2)


def ids(value):
    return torch.tensor(value, dtype=torch.int64)


def leaf(tensor):
    return tensor.clone().requires_grad_()


def pack(tensor):
    tensor = tensor.detach()
    return {"shape": list(tensor.shape), "data": tensor.flatten().tolist()}


def plain(value):
    return "inf" if value == math.inf else value


def case(name, options, inputs, outputs):
    return {
        "name": name,
        "options": {key: plain(value) for key, value in options.items()},
        "inputs": {key: pack(value) for key, value in inputs.items()},
        "outputs": {key: pack(value) for key, value in outputs.items()},
    }


def label(*parts, **options):
    """A readable name for a case: its parts, and the options that are set."""
    told = [f"{key}={plain(value)}" for key, value in options.items()]
    return " ".join([*parts, *told])


def table_gradient(gradient):
    """A table's gradient: the whole of it and, when it is sparse, its entries as they came."""
    if not gradient.is_sparse:
        return {"weight_grad": gradient}
    return {
        "weight_grad": gradient.to_dense(),
        "sparse_rows": gradient._indices()[0],
        "sparse_values": gradient._values(),
    }


# ---- Embedding

EMBEDDING_IDS = {
    "scalar": ids(4),
    "empty": ids([]),
    "matrix with repeats": ids([[1, 1, 5], [0, 2, 1]]),
    "one id only": ids([2, 2, 2]),
}

EMBEDDING_OPTIONS = [
    {},
    {"padding_idx": 1},
    {"padding_idx": 2},
    {"padding_idx": -1},
    {"padding_idx": -6},
    {"max_norm": 1.0},
    {"max_norm": 1.5, "norm_type": 1.0},
    {"max_norm": 0.5, "norm_type": math.inf},
    {"max_norm": 0.8, "norm_type": 3.0, "padding_idx": 1},
    {"scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "padding_idx": 1},
    {"sparse": True},
    {"sparse": True, "padding_idx": 2},
    {"sparse": True, "max_norm": 1.0},
    {"scale_grad_by_freq": True, "max_norm": 1.0},
    {"scale_grad_by_freq": True, "max_norm": 1.0, "padding_idx": 2},
    {"sparse": True, "max_norm": 1.0, "padding_idx": 1},
]


def embedding():
    for options, (kind, index) in itertools.product(EMBEDDING_OPTIONS, EMBEDDING_IDS.items()):
        if kind == "scalar" and {"sparse", "padding_idx"} <= options.keys():
            continue  # PyTorch fails in the backward pass
        weight = normal(6, 3)
        layer = nn.Embedding(6, 3, _weight=weight.clone(), **options)
        output = layer(index)
        output_grad = normal(*output.shape)
        output.backward(output_grad)
        yield case(
            label(kind, **options),
            options,
            {"weight": weight, "ids": index, "output_grad": output_grad},
            {"output": output, "weight_after": layer.weight, **table_gradient(layer.weight.grad)},
        )


# ---- EmbeddingBag

BAG_IDS = [1, 1, 5, 0, 2, 2, 4, 5]
# name, ids, offsets, include_last_offset
BAGS = [
    ("offsets", ids(BAG_IDS), ids([0, 3, 4]), False),
    ("offsets with their end", ids(BAG_IDS), ids([0, 3, 4, 8]), True),
    ("empty bags", ids(BAG_IDS), ids([0, 0, 5, 5, 8]), False),
    ("empty bags with their end", ids(BAG_IDS), ids([0, 0, 5, 5, 8]), True),
    ("only empty bags", ids([]), ids([0, 0]), False),
    ("rows", ids([[1, 1, 5, 0], [2, 2, 4, 5]]), None, False),
]
BAG_OPTIONS = [
    {},
    {"padding_idx": 2},
    {"padding_idx": -1},
    {"max_norm": 1.0},
    {"scale_grad_by_freq": True},
    {"sparse": True},
    {"sparse": True, "padding_idx": 2},
    {"padding_idx": 2, "max_norm": 1.0},
    {"padding_idx": 2, "scale_grad_by_freq": True},
    {"max_norm": 1.0, "scale_grad_by_freq": True},
    {"max_norm": 1.0, "sparse": True},
]


def bag_case(bags, options, weighted=False):
    kind, index, offsets, include_last_offset = bags
    options = {**options, "include_last_offset": include_last_offset}
    weight = normal(6, 3)
    layer = nn.EmbeddingBag(6, 3, _weight=weight.clone(), **options)
    inputs = {"weight": weight, "ids": index}
    if offsets is not None:
        inputs["offsets"] = offsets
    sample_weights = None
    if weighted:
        inputs["per_sample_weights"] = normal(*index.shape)
        sample_weights = leaf(inputs["per_sample_weights"])
    output = layer(index, offsets, sample_weights)
    inputs["output_grad"] = normal(*output.shape)
    output.backward(inputs["output_grad"])
    outputs = {"output": output, "weight_after": layer.weight, **table_gradient(layer.weight.grad)}
    if weighted:
        outputs["per_sample_weights_grad"] = sample_weights.grad
    told = {key: value for key, value in options.items() if key != "include_last_offset"}
    parts = [kind, "weighted"] if weighted else [kind]
    return case(label(*parts, **told), options, inputs, outputs)


def embedding_bag():
    for mode, options in itertools.product(("sum", "mean", "max"), BAG_OPTIONS):
        if mode == "max" and (options.get("sparse") or options.get("scale_grad_by_freq")):
            continue  # PyTorch refuses these
        for bags in BAGS:
            yield bag_case(bags, {"mode": mode, **options})
    for options, bags in itertools.product(({}, {"padding_idx": 2}, {"sparse": True}), BAGS):
        yield bag_case(bags, {"mode": "sum", **options}, weighted=True)


# ---- Linear, LayerNorm, gelu


def gradients_of(output, output_grad, **leaves):
    output.backward(output_grad)
    return {"output": output} | {f"{name}_grad": tensor.grad for name, tensor in leaves.items()}


def linear():
    for shape, bias in itertools.product([(4,), (3, 4), (2, 3, 4), (0, 4)], (True, False)):
        inputs = {"x": normal(*shape), "weight": normal(5, 4)}
        if bias:
            inputs["bias"] = normal(5)
        leaves = {name: leaf(tensor) for name, tensor in inputs.items()}
        output = F.linear(leaves["x"], leaves["weight"], leaves.get("bias"))
        inputs["output_grad"] = normal(*output.shape)
        outputs = gradients_of(output, inputs["output_grad"], **leaves)
        yield case(label(str(shape), bias=bias), {"bias": bias}, inputs, outputs)


def layer_norm():
    shapes = [((3, 5), [5]), ((2, 3, 4), [4]), ((2, 3, 4), [3, 4]), ((6,), [6]), ((3, 1), [1])]
    kinds = [(("weight", "bias"), 1e-5), (("weight",), 1e-1), ((), 1e-5)]
    for (shape, normalized), (names, eps) in itertools.product(shapes, kinds):
        inputs = {"x": normal(*shape, scale=2.0)} | {name: normal(*normalized) for name in names}
        leaves = {name: leaf(tensor) for name, tensor in inputs.items()}
        output = F.layer_norm(
            leaves["x"], normalized, leaves.get("weight"), leaves.get("bias"), eps
        )
        inputs["output_grad"] = normal(*output.shape)
        options = {"normalized_shape": normalized, "eps": eps}
        outputs = gradients_of(output, inputs["output_grad"], **leaves)
        yield case(label(str(shape), *names, **options), options, inputs, outputs)


def gelu():
    far = torch.tensor([1e-9, 1e-3, 20.0, -20.0, 100.0, -100.0])
    x = torch.cat([torch.linspace(-6, 6, 25), far])
    for approximate in ("none", "tanh"):
        point = leaf(x)
        output = F.gelu(point, approximate=approximate)
        (first,) = torch.autograd.grad(output.sum(), point, create_graph=True)
        (second,) = torch.autograd.grad(first.sum(), point)
        yield case(
            label(approximate=approximate),
            {"approximate": approximate},
            {"x": x},
            {"output": output, "x_grad": first, "x_grad_grad": second},
        )


# ---- Losses


def loss_case(name, loss, options, x, inputs, tensor_options=()):
    """The loss and its gradient; `inputs` are the target and the options that are tensors."""
    point = leaf(x)
    output = loss(point, inputs["target"], **options, **{key: inputs[key] for key in tensor_options})
    inputs = {"x": x, **inputs, "output_grad": normal(*output.shape)}
    outputs = gradients_of(output, inputs["output_grad"], x=point)
    return case(label(name, *tensor_options, **options), options, inputs, outputs)


def cross_entropy():
    target = ids([2, 0, 1, 2, 3])
    class_weights = torch.tensor([0.5, 1.0, 2.0, 0.0])
    settings = [{}, {"ignore_index": 2}, {"ignore_index": 255}, {"label_smoothing": 0.1}]
    settings.append({"ignore_index": 2, "label_smoothing": 0.3})
    for setting, reduction in itertools.product(settings, ("mean", "sum", "none")):
        options = {**setting, "reduction": reduction}
        counted = target
        if options.get("ignore_index") == 255:
            counted = ids([2, 255, 1, 255, 3])
        x = normal(5, 4, scale=2.0)
        yield loss_case("ids", F.cross_entropy, options, x, {"target": counted})
        weighted = {"target": counted, "weight": class_weights}
        yield loss_case("ids", F.cross_entropy, options, x, weighted, ["weight"])
    for smoothing, reduction in itertools.product((0.0, 0.2), ("mean", "sum", "none")):
        options = {"label_smoothing": smoothing, "reduction": reduction}
        probabilities = {"target": torch.softmax(normal(5, 4), 1)}
        yield loss_case("probabilities", F.cross_entropy, options, normal(5, 4), probabilities)
        probabilities["weight"] = class_weights
        yield loss_case(
            "probabilities", F.cross_entropy, options, normal(5, 4), probabilities, ["weight"]
        )
    extreme = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]])
    yield loss_case("extreme", F.cross_entropy, {"reduction": "none"}, extreme, {"target": ids([1, 2])})


def mse_loss():
    for shape, reduction in itertools.product([(4,), (2, 3), ()], ("mean", "sum", "none")):
        inputs = {"target": normal(*shape)}
        yield loss_case(str(shape), F.mse_loss, {"reduction": reduction}, normal(*shape), inputs)


def bce_with_logits():
    extreme = torch.tensor([[1e4, -1e4, 0.0], [-1e4, 1e4, 30.0]])
    target = torch.tensor([[1.0, 0.0, 1.0], [1.0, 0.0, 0.25]])
    tensors = {"weight": torch.rand(2, 3) + 0.5, "pos_weight": torch.tensor([0.5, 1.0, 3.0])}
    chosen = [[], ["weight"], ["pos_weight"], ["weight", "pos_weight"]]
    for names, reduction in itertools.product(chosen, ("mean", "sum", "none")):
        inputs = {"target": target} | {name: tensors[name] for name in names}
        options = {"reduction": reduction}
        for name, x in (("usual", normal(2, 3)), ("extreme", extreme)):
            yield loss_case(name, F.binary_cross_entropy_with_logits, options, x, inputs, names)


FAMILIES = [
    embedding,
    embedding_bag,
    linear,
    layer_norm,
    gelu,
    cross_entropy,
    mse_loss,
    bce_with_logits,
]


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.enable()
    for family in FAMILIES:
        torch.manual_seed(0)
        lines = [json.dumps(recorded, allow_nan=False) for recorded in family()]
        path = FOLDER / f"{family.__name__}.json"
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
