"""FBGEMM's tables on the host: their rows move while the gradient comes back. What else a model has is PyTorch's."""

import fbgemm_gpu  # noqa: F401, its operators
import torch
from fbgemm_gpu.split_table_batched_embeddings_ops_common import EmbeddingLocation, PoolingMode
from fbgemm_gpu.split_table_batched_embeddings_ops_training import (
    ComputeDevice,
    OptimType,
    SplitTableBatchedEmbeddingBagsCodegen,
)
from safetensors.torch import load_file
from torch import nn
from torch.nn.functional import cross_entropy

from pytorch import SGD_RATE, sgd, stepping

# Those that it has on the host.
RULES = {"sgd": OptimType.EXACT_SGD, "adagrad": OptimType.EXACT_ADAGRAD}


def loader(peer, threads):
    torch.set_num_threads(threads)

    def load(case, file):
        tensors = load_file(file)
        ids, labels = (list(tensors.pop(name).long()) for name in ("ids", "labels"))
        model = {"bag": Bag, "rows": Rows}[case["workload"]](case)
        model.table.split_embedding_weights()[0].copy_(tensors.pop("embed.weight"))
        missing, unexpected = model.load_state_dict(tensors, strict=False)
        assert not unexpected and all(name.startswith("table.") for name in missing), (missing, unexpected)
        return stepping(ids, labels, model, sgd(model.out) if hasattr(model, "out") else None)

    return load


def table(case, rule, pooling):
    if rule not in RULES:
        raise ValueError(f"it has no {rule} on the host")
    return SplitTableBatchedEmbeddingBagsCodegen(
        [(case["rows"], case["dim"], EmbeddingLocation.HOST, ComputeDevice.CPU)],
        optimizer=RULES[rule],
        learning_rate=SGD_RATE,
        eps=1e-10,
        pooling_mode=pooling,
    )


class Bag(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.table = table(case, "sgd", PoolingMode.MEAN)
        self.out = nn.Linear(case["dim"], 2)
        self.register_buffer("offsets", torch.arange(case["batch"] + 1) * case["words"], persistent=False)

    def forward(self, ids, labels):
        return cross_entropy(self.out(self.table(ids.flatten(), self.offsets)), labels)


class Rows(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.table = table(case, case["rule"], PoolingMode.SUM)
        self.register_buffer("direction", torch.empty(case["ids"], case["dim"]))
        self.register_buffer("offsets", torch.arange(case["ids"] + 1), persistent=False)

    def forward(self, ids, labels):
        return (self.table(ids, self.offsets) * self.direction).sum()
