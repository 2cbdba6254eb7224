"""Records what PyTorch's tensor operations compute, for the parity tests to compare with.

Usage: python record_operations.py            writes operations.json into the folder of this script; see record.py
"""

import json

import torch
from torch.nn import functional as F

from record import FOLDER, case, ids, leaf, normal


def operation_case(name, f, *tensors, **extra):
    """`f` of tensors `x0`, `x1`, ..; `extra` are ids, handed to `f` by name."""
    leaves = [leaf(tensor) for tensor in tensors]
    output = f(*leaves, **extra)
    output_grad = normal(*output.shape)
    gradients = torch.autograd.grad(output, leaves, output_grad)
    inputs = {f"x{i}": tensor for i, tensor in enumerate(tensors)}
    outputs = {f"x{i}_grad": gradient for i, gradient in enumerate(gradients)}
    return case(name, {}, inputs | extra | {"output_grad": output_grad}, {"output": output} | outputs)


def distinct(*shape):
    """Numbers of which no two are equal, so that every maximum is one."""
    count = torch.tensor(shape).prod().item()
    return ((torch.randperm(count) - count / 2 + 0.25) / 4).reshape(shape)


def elementwise():
    x = torch.tensor([-30.0, -1.5, -0.25, 0.75, 2.0, 40.0])
    yield operation_case("sin", torch.sin, x)
    yield operation_case("cos", torch.cos, x)
    yield operation_case("exp_m1", torch.expm1, x[:5] / 10)
    yield operation_case("ln_1p", torch.log1p, x[1:].abs())
    yield operation_case("log_sigmoid", F.logsigmoid, x)
    yield operation_case("elu", lambda x: F.elu(x, 0.7), x)
    yield operation_case("leaky_relu", lambda x: F.leaky_relu(x, 0.2), x)


def indexing():
    x = normal(2, 4, 3)
    yield operation_case("index_select", lambda x, ids: x.index_select(1, ids), x, ids=ids([3, 0, 3]))
    places = ids([[[3, 0, 1], [3, 2, 1]], [[0, 0, 0], [1, 2, 3]]])
    yield operation_case("gather", lambda x, ids: x.gather(1, ids), x, ids=places)
    values = normal(2, 2, 3)
    yield operation_case("scatter_add", lambda x, v, ids: x.scatter_add(1, ids, v), x, values, ids=places)
    yield operation_case("flip", lambda x: x.flip([0, 2]), x)
    yield operation_case("roll", lambda x: x.roll(-3, 1), x)
    yield operation_case("repeat", lambda x: x.repeat(2, 1, 3, 2), x)
    yield operation_case("cumsum", lambda x: x.cumsum(1), x)
    yield operation_case("sort", lambda x: x.sort(1, descending=True).values, distinct(2, 4, 3))
    yield operation_case("topk", lambda x: x.topk(2, 1).values, distinct(2, 4, 3))
    yield operation_case("tril", lambda x: x.tril(-1), x)
    yield operation_case("triu", lambda x: x.triu(1), x)
    yield operation_case("pad", lambda x: F.pad(x, (2, 1), value=0.5), x)
    yield operation_case("unfold", lambda x: x.unfold(1, 3, 1), x)
    yield operation_case("chunk", lambda x: torch.cat(x.chunk(3, 1)[::-1], 1), x)


def products():
    x, y = normal(2, 3, 4), normal(2, 4, 5)
    yield operation_case("bmm", torch.bmm, x, y)
    yield operation_case("outer", torch.outer, normal(3), normal(4))
    for spec, shapes in [
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 2, 4), (2, 5, 2, 4)]),
        ("aij,jkc->kij", [(2, 3, 4), (4, 2, 3)]),
        ("iji,jj", [(3, 2, 3), (2, 2)]),
        ("ijk->ki", [(2, 3, 4)]),
    ]:
        tensors = [normal(*shape) for shape in shapes]
        yield operation_case(f"einsum {spec}", lambda *x: torch.einsum(spec, *x), *tensors)
    zero_row = normal(3, 4) * torch.tensor([[1.0], [0.0], [1.0]])
    yield operation_case("norm L1", lambda x: torch.linalg.vector_norm(x, 1, -1), x)
    yield operation_case("norm L2", lambda x: torch.linalg.vector_norm(x, 2, -1), zero_row)
    yield operation_case("norm infinity", lambda x: torch.linalg.vector_norm(x, torch.inf, -1), distinct(3, 4))
    yield operation_case("cosine_similarity", lambda x, y: F.cosine_similarity(x, y, -1, 1e-8), normal(3, 4), normal(3, 4))


def convolutions():
    for stride, padding, dilation, groups, bias in [
        (1, 0, 1, 1, True),
        (2, 1, 1, 1, False),
        (1, 2, 2, 1, True),
        (2, 3, 2, 2, True),
        (1, 0, 1, 4, False),
    ]:
        tensors = [normal(2, 4, 9), normal(8, 4 // groups, 3)] + [normal(8)] * bias
        name = f"conv1d {stride} {padding} {dilation} {groups}"
        yield operation_case(name, lambda *x: F.conv1d(*x, None, stride, padding, dilation, groups)
                             if len(x) == 2 else F.conv1d(*x, stride, padding, dilation, groups), *tensors)
    for size, stride, padding in [(2, 2, 0), (3, 1, 1), (4, 3, 2)]:
        name = f"{size} {stride} {padding}"
        yield operation_case(f"max_pool1d {name}", lambda x: F.max_pool1d(x, size, stride, padding), distinct(2, 3, 8))
        yield operation_case(f"avg_pool1d {name}", lambda x: F.avg_pool1d(x, size, stride, padding), normal(2, 3, 8))


def deviations():
    x = torch.cat([normal(2, 4), torch.full((1, 4), 3.0)])
    for correction in (0, 1):
        yield operation_case(f"std {correction}", lambda x: x.std(-1, correction=correction), x)


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    families = [elementwise, indexing, products, convolutions, deviations]
    lines = [json.dumps(recorded, allow_nan=False) for family in families for recorded in family()]
    path = FOLDER / "operations.json"
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{path.name}: {len(lines)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
