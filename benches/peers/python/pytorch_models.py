"""The models of src/ours/models.rs, with the same names of parameters; each gives its loss."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Embedding(6, 3), nn.Linear(3, 2)

    def forward(self, ids, labels):
        return cross_entropy(self.out(self.embed(ids)), labels)


class Bag(nn.Module):
    def __init__(self, rows, dim):
        super().__init__()
        self.embed, self.out = nn.EmbeddingBag(rows, dim, mode="mean", sparse=True), nn.Linear(dim, 2)

    def forward(self, ids, labels):
        return cross_entropy(self.out(self.embed(ids)), labels)


class Rows(nn.Module):
    def __init__(self, rows, dim, ids):
        super().__init__()
        self.embed = nn.Embedding(rows, dim, sparse=True)
        self.register_buffer("direction", torch.empty(ids, dim))

    def forward(self, ids, labels):
        return (self.embed(ids) * self.direction).sum()


class TextCnn(nn.Module):
    def __init__(self, case):
        super().__init__()
        dim, maps, widths = case["dim"], case["maps"], case["widths"]
        self.embed = nn.Embedding(case["rows"], dim)
        self.windows = nn.ModuleList(nn.Conv1d(dim, maps, width) for width in widths)
        self.dropout = nn.Dropout(case["dropout"])
        self.out = nn.Linear(len(widths) * maps, 2)

    def forward(self, ids, labels):
        x = self.embed(ids).transpose(1, 2)
        features = torch.cat([window(x).relu().amax(2) for window in self.windows], 1)
        return cross_entropy(self.out(self.dropout(features)), labels)


class Recurrent(nn.Module):
    def __init__(self, case):
        super().__init__()
        self.embed = nn.Embedding(case["rows"], case["dim"])
        self.cell = case["cell"]
        layer = nn.LSTM if self.cell == "lstm" else nn.GRU
        setattr(self, self.cell, layer(case["dim"], case["hidden"], batch_first=True))
        self.out = nn.Linear(case["hidden"], 2)

    def forward(self, ids, labels):
        _, last = getattr(self, self.cell)(self.embed(ids))
        hidden = last[0] if self.cell == "lstm" else last
        return cross_entropy(self.out(hidden[0]), labels)


class Positions(nn.Module):
    def __init__(self, longest, dim):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(longest, dim))

    def forward(self, x):
        return x + self.weight


class Encoder(nn.Module):
    def __init__(self, case, causal):
        super().__init__()
        dim = case["dim"]
        self.embed, self.positions = nn.Embedding(case["rows"], dim), Positions(case["time"], dim)
        layer = nn.TransformerEncoderLayer(
            dim, case["heads"], case["features"], dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, case["layers"], nn.LayerNorm(dim), enable_nested_tensor=False)
        self.out = nn.Linear(dim, case["rows"] if causal else 2)
        self.mask = nn.Transformer.generate_square_subsequent_mask(case["time"]) if causal else None

    def forward(self, ids, labels):
        x = self.positions(self.embed(ids))
        y = self.encoder(x, mask=self.mask, is_causal=self.mask is not None)
        if self.mask is None:
            return cross_entropy(self.out(y.mean(1)), labels)
        return cross_entropy(self.out(y).flatten(0, 1), labels.flatten())
