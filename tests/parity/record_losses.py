"""Records PyTorch's losses and heads, for the parity tests to compare with.

Usage: python record_losses.py            writes losses.json into the folder of this script; see record.py
"""

import itertools
import json

import torch
from torch import nn
from torch.nn import functional as F

from record import FOLDER, case, ids, label, leaf, normal

REDUCTIONS = ("mean", "sum", "none")


def loss_of(name, f, tensors, constants=None, **options):
    """`f` of the tensors it is differentiated by, constants and options, all by name."""
    constants = constants or {}
    leaves = {key: leaf(tensor) for key, tensor in tensors.items()}
    output = f(**leaves, **constants, **options)
    output_grad = normal(*output.shape)
    gradients = torch.autograd.grad(output, leaves.values(), output_grad)
    outputs = {f"{key}_grad": gradient for key, gradient in zip(leaves, gradients)}
    recorded = {key: value for key, value in constants.items() if isinstance(value, torch.Tensor)}
    return case(
        label(name, *(key for key in recorded if "weight" in key), **options),
        options,
        tensors | recorded | {"output_grad": output_grad},
        {"output": output} | outputs,
    )


def signs(*shape):
    return torch.where(torch.rand(shape) < 0.5, -1.0, 1.0)


def pairs():
    for reduction in REDUCTIONS:
        x, y = normal(3, 4, scale=2.0), normal(3, 4)
        yield loss_of("l1", lambda x, y, **o: F.l1_loss(x, y, **o), {"x": x, "y": y}, reduction=reduction)
        for beta in (0.0, 0.5, 1.0):
            yield loss_of("smooth_l1", lambda x, y, **o: F.smooth_l1_loss(x, y, **o), {"x": x, "y": y}, beta=beta, reduction=reduction)
        for delta in (0.5, 1.0):
            yield loss_of("huber", lambda x, y, **o: F.huber_loss(x, y, **o), {"x": x, "y": y}, delta=delta, reduction=reduction)


def likelihoods():
    target = ids([[2, 0, 1], [1, 3, 0]])
    weight = torch.tensor([0.5, 1.0, 2.0, 0.25])
    for reduction, ignored, weighted in itertools.product(REDUCTIONS, (None, 0), (False, True)):
        def nll(x, target, weight=None, ignore_index=-100, reduction="mean"):
            return F.nll_loss(x.movedim(-1, 1), target, weight, ignore_index=ignore_index, reduction=reduction)
        options = {"reduction": reduction} | ({"ignore_index": ignored} if ignored is not None else {})
        constants = {"target": target} | ({"weight": weight} if weighted else {})
        yield loss_of("nll", nll, {"x": torch.log_softmax(normal(2, 3, 4), -1)}, constants, **options)
    for reduction, weighted in itertools.product(REDUCTIONS, (False, True)):
        constants = {"weight": torch.rand(2, 3)} if weighted else {}
        tensors = {"x": torch.rand(2, 3) * 0.9 + 0.05}
        yield loss_of("bce", lambda x, y, **o: F.binary_cross_entropy(x, y, **o), tensors, constants | {"y": torch.rand(2, 3)}, reduction=reduction)
    for reduction, log_target in itertools.product(REDUCTIONS, (False, True)):
        p = torch.softmax(normal(3, 4), -1)
        p = p.log() if log_target else p * torch.tensor([1.0, 0.0, 1.0, 1.0])
        tensors = {"x": torch.log_softmax(normal(3, 4), -1)}
        yield loss_of("kl_div", lambda x, y, **o: F.kl_div(x, y, **o), tensors, {"y": p}, log_target=log_target, reduction=reduction)
    for reduction, smoothing, weighted in itertools.product(REDUCTIONS, (0.0, 0.3), (False, True)):
        def cross_entropy(x, y, **options):
            return F.cross_entropy(x.movedim(-1, 1), y.movedim(-1, 1), **options)
        constants = {"y": torch.softmax(normal(2, 3, 4), -1)} | ({"weight": weight} if weighted else {})
        yield loss_of("cross_entropy", cross_entropy, {"x": normal(2, 3, 4)}, constants, label_smoothing=smoothing, reduction=reduction)


def margins():
    for reduction in REDUCTIONS:
        x = normal(3, 4).abs() + 0.01
        for margin in (1.0, 0.5):
            yield loss_of("hinge_embedding", lambda x, y, **o: F.hinge_embedding_loss(x, y, **o), {"x": x}, {"y": signs(3, 4)}, margin=margin, reduction=reduction)
            yield loss_of("margin_ranking", lambda a, b, y, **o: F.margin_ranking_loss(a, b, y, **o), {"a": normal(5), "b": normal(5)}, {"y": signs(5)}, margin=margin, reduction=reduction)
            yield loss_of("cosine_embedding", lambda a, b, y, **o: F.cosine_embedding_loss(a, b, y, **o), {"a": normal(4, 3), "b": normal(4, 3)}, {"y": signs(4)}, margin=margin - 0.5, reduction=reduction)
        for p, margin, weighted in ((1, 1.0, False), (2, 0.5, False), (1, 0.5, True), (2, 1.0, True)):
            constants = {"target": ids([2, 0, 1])} | ({"weight": torch.rand(4)} if weighted else {})
            yield loss_of("multi_margin", lambda x, target, **o: F.multi_margin_loss(x, target, **o), {"x": normal(3, 4)}, constants, p=p, margin=margin, reduction=reduction)
        for p, swap in itertools.product((2.0, 1.0, 3.0), (False, True)):
            tensors = {"a": normal(4, 3), "p": normal(4, 3), "n": normal(4, 3)}
            def triplet(a, p, n, power, **options):
                return F.triplet_margin_loss(a, p, n, p=power, **options)
            yield loss_of("triplet_margin", triplet, tensors, None, power=p, swap=swap, reduction=reduction)
        for weighted in (False, True):
            constants = {"y": torch.rand(3, 4).round()} | ({"weight": torch.rand(4)} if weighted else {})
            yield loss_of("multi_label_soft_margin", lambda x, y, **o: F.multilabel_soft_margin_loss(x, y, **o), {"x": normal(3, 4)}, constants, reduction=reduction)


def ctc():
    targets = ids([[1, 2, 2], [3, 1, 0], [0, 0, 0]])
    lengths = {"input_lengths": ids([6, 4, 5]), "target_lengths": ids([3, 2, 0])}
    short = {"input_lengths": ids([3, 4, 5]), "target_lengths": ids([3, 2, 0])}
    for reduction, blank in itertools.product(REDUCTIONS, (0, 4)):
        def loss(x, target, input_lengths, target_lengths, **options):
            log_p = x.log_softmax(-1)
            return F.ctc_loss(log_p, target, input_lengths, target_lengths, **options)
        constants = {"target": targets if blank == 0 else (targets - 1).clamp(0)} | lengths
        yield loss_of("ctc", loss, {"x": normal(6, 3, 5)}, constants, blank=blank, reduction=reduction)
    constants = {"target": targets} | short
    yield loss_of("ctc short", loss, {"x": normal(6, 3, 5)}, constants, blank=0, reduction="none", zero_infinity=True)


def adaptive():
    for bias, div_value in ((False, 4.0), (True, 2.0)):
        layer = nn.AdaptiveLogSoftmaxWithLoss(16, 12, [3, 7], div_value=div_value, head_bias=bias)
        x, target = leaf(normal(5, 16)), ids([0, 11, 4, 2, 8])
        output, loss = layer(x, target)
        loss.backward()
        params = {f"param.{key}": value for key, value in layer.named_parameters()}
        gradients = {f"param.{key}_grad": value.grad for key, value in layer.named_parameters()}
        yield case(
            label("adaptive_softmax", head_bias=bias, div_value=div_value),
            {"head_bias": bias, "div_value": div_value},
            params | {"x": x, "target": target, "loss_grad": torch.tensor(1.0)},
            {"output": output, "loss": loss, "log_prob": layer.log_prob(x), "x_grad": x.grad} | gradients,
        )


def edges():
    """Where a logarithm is cut off, a weight broadcasts, or a distance is 0."""
    p = torch.tensor([[0.0, 1e-60, 1e-13], [1.0, 0.5, 0.25]])
    y = torch.tensor([[1.0, 0.25, 0.75], [0.0, 1.0, 0.0]])
    constants = {"weight": torch.tensor([1.0, 2.0, 0.5]), "y": y}
    yield loss_of("bce cut off", lambda x, y, **o: F.binary_cross_entropy(x, y, **o), {"x": p}, constants, reduction="none")
    same = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.0, 2.0]])
    other = torch.tensor([[1.0, 2.0, -1.0], [0.5, 0.25, 2.0]])
    for p, swap in itertools.product((0.5, 1.0, 1.5, 2.0, 3.0, torch.inf), (False, True)):
        def triplet(a, p, n, power, **options):
            return F.triplet_margin_loss(a, p, n, p=float(power), **options)
        power = "inf" if p == torch.inf else p
        yield loss_of("triplet_margin at 0", triplet, {"a": same, "p": same, "n": other}, None, power=power, swap=swap, eps=0.0, reduction="none")


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    families = [pairs, likelihoods, margins, ctc, adaptive, edges]
    lines = [json.dumps(recorded, allow_nan=False) for family in families for recorded in family()]
    path = FOLDER / "losses.json"
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
