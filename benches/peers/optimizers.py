"""The steps of benches/optimizers.rs in PyTorch, one thread: milliseconds a step, the median of several.

Usage: python benches/peers/optimizers.py
"""

import statistics
import time

import torch
from torch import nn, optim

DIM, TOKENS, EXPONENT, BATCHES = 64, 4096, 1.05, 100


def batches(rows):
    weights = torch.arange(1, rows + 1, dtype=torch.float64) ** -EXPONENT
    cumulated = weights.cumsum(0)
    for _ in range(BATCHES):
        ranks = torch.searchsorted(cumulated, torch.rand(TOKENS, dtype=torch.float64) * cumulated[-1])
        yield ranks.clamp_(max=rows - 1) * 7919 % rows


def median(step, count):
    times = []
    for index in range(count):
        start = time.perf_counter()
        step(index)
        times.append(time.perf_counter() - start)
    return 1e3 * statistics.median(times[count // 5 :])


def sparse(name, make, rows, values):
    table = nn.Parameter(torch.randn(rows, DIM))
    optimizer = make([table])
    gradients = [torch.sparse_coo_tensor(ids[None], values, (rows, DIM)) for ids in batches(rows)]

    def step(index):
        table.grad = gradients[index]
        optimizer.step()

    print(f"{name:24} rows {rows:>9,}: {median(step, BATCHES):9.3f} ms")


def dense(name, make, rows):
    table = nn.Parameter(torch.randn(rows, DIM))
    optimizer = make([table])
    table.grad = torch.full_like(table, 1e-3)
    print(f"{name:24} rows {rows:>9,}: {median(lambda _: optimizer.step(), 10):9.3f} ms")


def main():
    torch.set_num_threads(1)
    torch.manual_seed(1)
    torch.sparse.check_sparse_tensor_invariants.disable()
    values = 1e-3 * torch.randn(TOKENS, DIM)
    for rows in (10_000, 1_000_000):
        sparse("SGD, sparse", lambda p: optim.SGD(p, lr=0.01), rows, values)
        sparse("SparseAdam", lambda p: optim.SparseAdam(p), rows, values)
        sparse("Adagrad, sparse", lambda p: optim.Adagrad(p), rows, values)
    for name, options in (("single tensor", {"foreach": False}), ("foreach", {"foreach": True}), ("fused", {"fused": True})):
        for rows in (10_000_000 // DIM, 1_000_000):
            dense(f"Adam, {name}", lambda p: optim.Adam(p, **options), rows)


if __name__ == "__main__":
    main()
