"""PyTorch's side of each case: eager with fused optimizers, or the same step through torch.compile."""

import torch
from safetensors.torch import load_file
from torch import nn, optim
from torch.nn import functional

from pytorch_models import Bag, Encoder, Recurrent, Rows, TextCnn, Tiny

SGD_RATE, ADAM_RATE, ROW = 0.1, 1e-3, 128


def loader(peer, threads):
    torch.set_num_threads(threads)
    compiled = peer == "torch.compile"

    def load(case, file):
        tensors = load_file(file)
        torch._dynamo.reset()
        workload = case["workload"]
        if workload == "gemm":
            return forward(product(case, tensors), compiled)
        if workload == "elementwise":
            return forward(function(case["function"], tensors), compiled)
        if workload == "chain":
            return chain(case["length"], tensors, compiled)
        if workload == "answer":
            return answering(case["of"], tensors, compiled)
        return training(case, tensors, compiled)

    return load


def answering(case, tensors, compiled):
    ids, labels, model, _ = ready(case, tensors)
    model.eval()
    answer = torch.compile(model) if compiled else model
    place = -1

    def step():
        nonlocal place
        place = (place + 1) % len(ids)
        with torch.inference_mode():
            return answer(ids[place], labels[place]).item()

    return step


def ready(case, tensors):
    """The batches of a file, the model with its values, and what makes its optimizer."""
    ids, labels = (list(tensors.pop(name).long()) for name in ("ids", "labels"))
    model, optimizer = MODELS[case["workload"]](case)
    model.load_state_dict(tensors)
    return ids, labels, model, optimizer


def training(case, tensors, compiled):
    ids, labels, model, optimizer = ready(case, tensors)
    optimizer = optimizer(model)
    loss_of = torch.compile(model) if compiled else model
    return stepping(ids, labels, loss_of, optimizer)


def stepping(ids, labels, loss_of, optimizer):
    """A step on the next batch; without an optimizer where all parameters move with their gradient."""
    place = -1

    def step():
        nonlocal place
        place = (place + 1) % len(ids)
        if optimizer:
            optimizer.zero_grad()
        loss = loss_of(ids[place], labels[place])
        loss.backward()
        if optimizer:
            optimizer.step()
        return loss.item()

    return step


def sgd(model):
    # A fused step takes no sparse gradients.
    sparse = any(getattr(part, "sparse", False) for part in model.modules())
    return optim.SGD(model.parameters(), SGD_RATE, fused=not sparse)


def rows_rule(case):
    rules = {
        "sgd": lambda model: optim.SGD(model.parameters(), SGD_RATE),
        "sparseadam": lambda model: optim.SparseAdam(model.parameters(), ADAM_RATE),
        "adagrad": lambda model: optim.Adagrad(model.parameters(), SGD_RATE),
    }
    return rules[case["rule"]]


def adam(model):
    return optim.Adam(model.parameters(), ADAM_RATE, fused=True)


def adam_w(model):
    return optim.AdamW(model.parameters(), ADAM_RATE, fused=True)


MODELS = {
    "tiny": lambda case: (Tiny(), sgd),
    "bag": lambda case: (Bag(case["rows"], case["dim"]), sgd),
    "rows": lambda case: (Rows(case["rows"], case["dim"], case["ids"]), rows_rule(case)),
    "textcnn": lambda case: (TextCnn(case), adam),
    "recurrent": lambda case: (Recurrent(case), adam),
    "encoder": lambda case: (Encoder(case, causal=False), adam_w),
    "chargpt": lambda case: (Encoder(case, causal=True), adam_w),
}


def chain(length, tensors, compiled):
    x, y = tensors["x"].requires_grad_(), tensors["y"]

    def total(x, y):
        for _ in range(length):
            x = x + y
        return x

    total_of = torch.compile(total) if compiled else total

    def step():
        (gradient,) = torch.autograd.grad(total_of(x, y), [x], y)
        return gradient.sum().item()

    return step


def forward(compute, compiled):
    compute = torch.compile(compute) if compiled else compute

    def step():
        with torch.inference_mode():
            return compute().flatten()[0].item()

    return step


def product(case, tensors):
    x, y = tensors["x"], tensors["y"]
    if case["layout"] == "nt":
        y = y.t()
    if case["layout"] == "tn":
        x = x.t()
    return lambda: x @ y


def function(name, tensors):
    x, y = tensors["x"], tensors["y"]
    functions = {
        "add": lambda: x + y,
        "mul": lambda: x * y,
        "exp": lambda: x.exp(),
        "tanh": lambda: x.tanh(),
        "gelu": lambda: functional.gelu(x),
        "softmax": lambda: x.softmax(-1),
        "layernorm": lambda: functional.layer_norm(x, (ROW,), weight, bias),
        "sum": lambda: x.sum(),
    }
    weight, bias = torch.ones(ROW), torch.zeros(ROW)
    return functions[name]
