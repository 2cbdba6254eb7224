"""Records what PyTorch's modules over sequences compute, in f64 on a CPU, for the parity tests to compare with.

Usage: python record_sequence.py   writes one JSON file a family into the folder of this script

The format is that of record.py. Parameters are inputs under `param.<name>`; for each output `y` of a module there is an input
`y_grad`, the gradient that comes in from above, and for each input `x` that is differentiated an output `x_grad`.
"""

import itertools
import json

import torch
from torch import nn
from torch.nn import functional as F

from record import FOLDER, case, ids, label, normal, pack

DIGITS = 14


def module_case(name, options, module, inputs, forward, constants=()):
    """Outputs of `forward(inputs)`, and the gradients of parameters and inputs; `constants` are not differentiated."""
    for parameter in module.parameters():
        parameter.data = normal(*parameter.shape, scale=0.5)
    recorded = dict(inputs) | {f"param.{key}": value for key, value in module.named_parameters()}
    recorded = {key: value.detach().clone() for key, value in recorded.items()}
    leaves = {key: value.clone() for key, value in inputs.items()}
    for key, value in leaves.items():
        value.requires_grad_(key not in constants)
    outputs = forward(leaves)
    cotangents = {key: normal(*value.shape) for key, value in outputs.items()}
    torch.autograd.backward(list(outputs.values()), list(cotangents.values()))
    for key, value in leaves.items():
        if key not in constants:
            outputs[f"{key}_grad"] = gradient(value)
    for key, value in module.named_parameters():
        outputs[f"param.{key}_grad"] = gradient(value)
    recorded |= {f"{key}_grad": value for key, value in cotangents.items()}
    return case(label(name, **options), options, recorded, outputs)


def gradient(tensor):
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


# ---- Rnn, Lstm, Gru

INPUT, HIDDEN, LENGTH, BATCH = 3, 2, 4, 3
LENGTHS = [2, 4, 1]

ON = {
    "num_layers": 2,
    "bias": False,
    "batch_first": True,
    "bidirectional": True,
}


def settings(options):
    """None, each, and each pair of the options."""
    keys = [[], *([key] for key in options), *map(list, itertools.combinations(options, 2))]
    return [{key: options[key] for key in chosen} for chosen in keys]


def recurrent_case(kind, options, lengths, with_state):
    module = getattr(nn, kind)(INPUT, HIDDEN, **options)
    batch_first = options.get("batch_first", False)
    shape = (BATCH, LENGTH, INPUT) if batch_first else (LENGTH, BATCH, INPUT)
    inputs = {"x": normal(*shape)}
    states = options.get("num_layers", 1) * (1 + options.get("bidirectional", False))
    names = ["hidden", "cell"][: 1 + (kind == "LSTM")]
    if with_state:
        inputs |= {name: normal(states, BATCH, HIDDEN) for name in names}

    def forward(leaves):
        state = tuple(leaves[name] for name in names) if with_state else None
        state = state[0] if with_state and kind != "LSTM" else state
        x = leaves["x"]
        if lengths:
            x = nn.utils.rnn.pack_padded_sequence(
                x, ids(lengths), batch_first=batch_first, enforce_sorted=False
            )
        output, last = module(x, state)
        if lengths:
            output, _ = nn.utils.rnn.pad_packed_sequence(
                output, batch_first=batch_first, total_length=LENGTH
            )
        last = last if kind == "LSTM" else (last,)
        return {"output": output} | {f"last_{name}": part for name, part in zip(names, last)}

    told = {"kind": kind, **options, "lengths": lengths, "with_state": with_state}
    return module_case("layer", told, module, inputs, forward)


def recurrent():
    for options in settings(ON):
        yield recurrent_case("LSTM", options, [], False)
        yield recurrent_case("LSTM", options, LENGTHS, True)
    for kind, options in itertools.product(("RNN", "GRU"), settings(ON)[:5]):
        yield recurrent_case(kind, options, LENGTHS, False)
        yield recurrent_case(kind, options, [], True)
    everything = {**ON, "bias": True}
    yield recurrent_case("RNN", {"nonlinearity": "relu"}, [], False)
    for kind in ("RNN", "LSTM", "GRU"):
        yield recurrent_case(kind, everything, LENGTHS, True)
    for kind, bias, with_state in itertools.product(("RNN", "LSTM", "GRU"), *[(True, False)] * 2):
        yield cell_case(kind, bias, with_state)


def cell_case(kind, bias, with_state):
    module = getattr(nn, f"{kind}Cell")(INPUT, HIDDEN, bias=bias)
    names = ["hidden", "cell"][: 1 + (kind == "LSTM")]
    inputs = {"x": normal(BATCH, INPUT)}
    if with_state:
        inputs |= {name: normal(BATCH, HIDDEN) for name in names}

    def forward(leaves):
        state = tuple(leaves[name] for name in names) if with_state else None
        state = state[0] if with_state and kind != "LSTM" else state
        last = module(leaves["x"], state)
        last = last if kind == "LSTM" else (last,)
        return {f"last_{name}": part for name, part in zip(names, last)}

    told = {"kind": kind, "bias": bias, "with_state": with_state}
    return module_case("cell", told, module, inputs, forward)


# ---- Attention

EMBED, HEADS, QUERIES, KEYS = 4, 2, 3, 4


def truth(rows):
    """True where a query may see a key; recorded as whole numbers."""
    return torch.tensor(rows, dtype=torch.int64)


CAUSAL = truth(torch.ones(QUERIES, KEYS).tril().tolist())
SOME = truth([[1, 0, 1, 1], [0, 0, 1, 0], [1, 1, 1, 1]])
NONE_IN_ONE_ROW = truth([[1, 0, 1, 1], [0, 0, 0, 0], [1, 1, 1, 1]])


def scaled_dot_product():
    settings = [
        {},
        {"mask": SOME},
        {"mask": NONE_IN_ONE_ROW},
        {"bias": True},
        {"is_causal": True},
        {"scale": 0.3},
        {"scale": 1.5, "mask": SOME},
        {"scale": 1.5, "bias": True},
        {"scale": 1.5, "is_causal": True},
    ]
    for options, batch in itertools.product(settings, [(), (2,), (2, 2)]):
        inputs = {
            "q": normal(*batch, QUERIES, EMBED),
            "k": normal(*batch, KEYS, EMBED),
            "v": normal(*batch, KEYS, 2),
        }
        if "bias" in options:
            inputs["bias"] = normal(QUERIES, KEYS)
        if "mask" in options:
            inputs["mask"] = options["mask"]
        told = {key: value for key, value in options.items() if key in ("is_causal", "scale")}

        def forward(leaves):
            mask = leaves["mask"].bool() if "mask" in leaves else leaves.get("bias")
            q, k, v = (leaves[name] for name in "qkv")
            return {"output": F.scaled_dot_product_attention(q, k, v, mask, **told)}

        hidden = {"hidden_row": True} if options.get("mask") is NONE_IN_ONE_ROW else {}
        shown = {"mask": "mask" in options, "bias": "bias" in options, **hidden}
        name = f"function {[*batch]}"
        identity = nn.Identity()
        yield module_case(name, {**told, **shown}, identity, inputs, forward, ["mask"])


ATTENTION_ON = {
    "bias": False,
    "batch_first": True,
    "sizes": True,
    "causal": True,
    "key_lengths": [4, 1],
    "pairs": True,
    "added": True,
    "cross": True,
}


def attention_case(options):
    told = {key: options[key] for key in ("bias", "batch_first") if key in options}
    if "sizes" in options:
        told |= {"kdim": 3, "vdim": 5}
    module = nn.MultiheadAttention(EMBED, HEADS, **told)
    cross = "cross" in options or "sizes" in options
    queries = QUERIES if cross else KEYS
    shape = lambda length, size: (2, length, size) if "batch_first" in options else (length, 2, size)
    inputs = {"query": normal(*shape(queries, EMBED))}
    if cross:
        inputs["key"] = normal(*shape(KEYS, module.kdim))
        inputs["value"] = normal(*shape(KEYS, module.vdim))
    visible = torch.ones(2, HEADS, queries, KEYS, dtype=torch.bool)
    if "causal" in options:
        visible = visible.tril()
    if "key_lengths" in options:
        visible = visible & (torch.arange(KEYS) < ids(options["key_lengths"])[:, None, None, None])
    if "pairs" in options:
        # The first key stays visible, so that no row is hidden, where PyTorch gives NaN.
        inputs["pairs"] = truth((torch.rand(2, queries, KEYS) < 0.6).tolist())
        inputs["pairs"][:, :, 0] = 1
        visible = visible & inputs["pairs"].bool()[:, None]
    if "added" in options:
        inputs["added"] = normal(2, HEADS, queries, KEYS)

    def forward(leaves):
        query = leaves["query"]
        added = leaves.get("added", torch.zeros(visible.shape))
        mask = added.masked_fill(~visible, -torch.inf).flatten(0, 1)
        key, value = leaves.get("key", query), leaves.get("value", query)
        output, weights = module(query, key, value, attn_mask=mask, average_attn_weights=False)
        return {"output": output, "weights": weights}

    return module_case("layer", options, module, inputs, forward, ["pairs"])


def attention():
    yield from scaled_dot_product()
    for options in settings(ATTENTION_ON):
        yield attention_case(options)


# ---- Transformer

MODEL, FEATURES, SOURCE, TARGET = 6, 3, 3, 2
TRANSFORMER_ON = {
    "bias": False,
    "batch_first": True,
    "norm_first": True,
    "activation": "gelu",
    "causal": True,
    "lengths": [1, 3],
}


def layer_of(kind, options):
    names = ("bias", "batch_first", "norm_first", "activation")
    told = {name: options[name] for name in names if name in options}
    return kind(MODEL, HEADS, dim_feedforward=FEATURES, dropout=0.0, **told)


def sequences(length, options):
    return normal(*((2, length) if "batch_first" in options else (length, 2)), MODEL)


def hidden(length, options):
    """PyTorch's masks: true where a position may not be seen."""
    causal = torch.ones(length, length).triu(1).bool() if "causal" in options else None
    lengths = options.get("lengths")
    padding = lengths and torch.arange(SOURCE) >= ids(lengths)[:, None]
    return causal, padding


def encoder_case(options):
    layer = layer_of(nn.TransformerEncoderLayer, options)
    if "num_layers" in options:
        norm = nn.LayerNorm(MODEL) if options["norm"] else None
        layer = nn.TransformerEncoder(layer, 2, norm, enable_nested_tensor=False)
    causal, padding = hidden(SOURCE, options)

    def forward(leaves):
        return {"output": layer(leaves["x"], causal, src_key_padding_mask=padding)}

    return module_case("encoder", options, layer, {"x": sequences(SOURCE, options)}, forward)


def decoder_case(options):
    layer = layer_of(nn.TransformerDecoderLayer, options)
    if "num_layers" in options:
        norm = nn.LayerNorm(MODEL) if options["norm"] else None
        layer = nn.TransformerDecoder(layer, 2, norm)
    causal, padding = hidden(TARGET, options)
    inputs = {"x": sequences(TARGET, options), "memory": sequences(SOURCE, options)}

    def forward(leaves):
        x, memory = leaves["x"], leaves["memory"]
        return {"output": layer(x, memory, causal, memory_key_padding_mask=padding)}

    return module_case("decoder", options, layer, inputs, forward)


def transformer():
    for options in settings(TRANSFORMER_ON):
        yield encoder_case(options)
    for options in [{}, *({key: value} for key, value in TRANSFORMER_ON.items()), TRANSFORMER_ON]:
        yield decoder_case(options)
    for norm, kind in itertools.product((True, False), (encoder_case, decoder_case)):
        yield kind({"num_layers": 2, "norm": norm, "norm_first": norm, "causal": True})


# ---- Norms, convolution, pooling and the rest


def rms_norm():
    for shape, eps, affine in itertools.product([[3], [2, 3]], (None, 0.1), (True, False)):
        options = {"normalized_shape": shape, "eps": eps, "elementwise_affine": affine}
        module = nn.RMSNorm(**options)
        forward = lambda leaves: {"output": module(leaves["x"])}
        # The default eps depends on the type; far from zeros it does not show.
        yield module_case("rms_norm", options, module, {"x": normal(2, 2, 3, scale=2.0)}, forward)


BATCH_NORM_ON = {
    "eps": 0.1,
    "momentum": None,
    "affine": False,
    "track_running_stats": False,
    "evaluate": True,
    "length": 3,
}


def batch_norm_case(options):
    told = {key: value for key, value in options.items() if key not in ("evaluate", "length")}
    module = nn.BatchNorm1d(2, **told)
    x = normal(4, 2, *([options["length"]] if "length" in options else []), scale=2.0)
    inputs = {"x": x}
    names = ("running_mean", "running_var")
    if module.track_running_stats:
        before = [normal(2), torch.rand(2).round(decimals=2) + 0.5]
        inputs |= dict(zip(names, before))
        module.running_mean, module.running_var = (value.clone() for value in before)
        module.num_batches_tracked += 1
    module.train(not options.get("evaluate"))
    forward = lambda leaves: {"output": module(leaves["x"])}
    recorded = module_case("batch_norm", options, module, inputs, forward, names)
    if module.track_running_stats:
        recorded["outputs"] |= {name: pack(getattr(module, name)) for name in names}
    return recorded


def conv1d():
    options_on = {"stride": 2, "padding": 1, "dilation": 2, "groups": 2, "bias": False}
    for options in settings(options_on):
        module = nn.Conv1d(4, 2, 2, **options)
        forward = lambda leaves: {"output": module(leaves["x"])}
        yield module_case("conv1d", options, module, {"x": normal(2, 4, 5)}, forward)


def pooling():
    for mode, lengths in itertools.product(("max", "mean", "sum"), ([], [3, 1, 2])):

        def forward(leaves):
            x, whole = leaves["x"], lengths or [3, 3, 3]
            rows = [row[:length] for row, length in zip(x, whole)]
            pool = {"max": torch.amax, "mean": torch.mean, "sum": torch.sum}[mode]
            return {"output": torch.stack([pool(row, 0) for row in rows])}

        options = {"mode": mode, "lengths": lengths}
        yield module_case("pool", options, nn.Identity(), {"x": normal(3, 3, 2)}, forward)


ACTIVATIONS = [
    (nn.ReLU, {}),
    (nn.Tanh, {}),
    (nn.Sigmoid, {}),
    (nn.GELU, {}),
    (nn.GELU, {"approximate": "tanh"}),
    (nn.SiLU, {}),
    (nn.Softplus, {}),
    (nn.LogSigmoid, {}),
    (nn.LeakyReLU, {}),
    (nn.LeakyReLU, {"negative_slope": 0.3}),
    (nn.ELU, {}),
    (nn.ELU, {"alpha": 0.3}),
    (nn.Softmax, {"dim": -1}),
    (nn.Softmax, {"dim": 0}),
    (nn.LogSoftmax, {"dim": -1}),
    (nn.LogSoftmax, {"dim": 0}),
]


def activations():
    for kind, options in ACTIVATIONS:
        module = kind(**options)
        forward = lambda leaves: {"output": module(leaves["x"])}
        told = {"kind": kind.__name__, **options}
        yield module_case("activation", told, module, {"x": normal(3, 4, scale=2.0)}, forward)


def modules():
    yield from rms_norm()
    for options in settings(BATCH_NORM_ON):
        yield batch_norm_case(options)
    yield from conv1d()
    yield from pooling()
    yield from activations()
    for bias, outer in itertools.product((True, False), ([3], [2, 3])):
        module = nn.Bilinear(3, 4, 2, bias=bias)
        forward = lambda leaves: {"output": module(leaves["x1"], leaves["x2"])}
        inputs = {"x1": normal(*outer, 3), "x2": normal(*outer, 4)}
        yield module_case("bilinear", {"bias": bias, "outer": outer}, module, inputs, forward)


def rounded(value):
    """Fewer digits than a f64 has, far more than the tests compare."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [rounded(item) for item in value]
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return value


def write(families):
    """One file for each family, a case a line."""
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    for family in families:
        torch.manual_seed(0)
        cases = [rounded(recorded) for recorded in family()]
        lines = [json.dumps(one, allow_nan=False, separators=(",", ":")) for one in cases]
        path = FOLDER / f"{family.__name__}.json"
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
        print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    write([recurrent, attention, transformer, modules])
