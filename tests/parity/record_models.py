"""Records five steps of training of whole models by PyTorch, in f64 on a CPU, for the parity tests to compare with.

Usage: python record_models.py   writes models.json into the folder of this script

The format is that of record.py: the parameters before the first step are inputs under `param.<name>`, the losses of the steps the
output `losses`.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional as F

from record import case, ids, normal
from record_sequence import write

WORDS, DIM, CLASSES = 9, 6, 3
SOURCE = ids([[3, 1, 4, 1], [5, 8, 0, 0], [2, 6, 5, 0]])
LENGTHS = ids([4, 2, 3])
LABELS = ids([2, 0, 1])
TARGET = ids([[1, 7, 2], [1, 4, 3], [1, 2, 0]])
NEXT = ids([[7, 2, 8], [4, 3, 8], [2, 8, 0]])
TAGS = ids([[0, 2, 1, 1], [2, 2, 0, 0], [1, 0, 2, 0]])
PADDING = torch.arange(SOURCE.shape[1]) >= LENGTHS[:, None]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, DIM)
        self.positions = nn.Embedding(5, DIM)
        layer = nn.TransformerEncoderLayer(DIM, 2, 5, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(DIM, CLASSES)

    def loss(self):
        x = self.embed(SOURCE) + self.positions.weight[: SOURCE.shape[1]]
        y = self.encoder(x, src_key_padding_mask=PADDING).masked_fill(PADDING[..., None], 0.0)
        return F.cross_entropy(self.out(y.sum(1) / LENGTHS[:, None]), LABELS)


class TextCnn(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, DIM)
        self.convolutions = nn.ModuleList(nn.Conv1d(DIM, 4, size) for size in (1, 2))
        self.out = nn.Linear(8, CLASSES)

    def loss(self):
        x = self.embed(SOURCE).transpose(1, 2)
        features = [F.relu(convolution(x)).amax(2) for convolution in self.convolutions]
        return F.cross_entropy(self.out(torch.cat(features, 1)), LABELS)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(WORDS, DIM)
        self.target = nn.Embedding(WORDS, DIM)
        self.encoder = nn.GRU(DIM, DIM, batch_first=True)
        self.decoder = nn.GRU(DIM, DIM, batch_first=True)
        self.out = nn.Linear(2 * DIM, WORDS)

    def loss(self):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.source(SOURCE), LENGTHS, batch_first=True, enforce_sorted=False
        )
        memory, last = self.encoder(packed)
        memory, _ = nn.utils.rnn.pad_packed_sequence(memory, batch_first=True)
        hidden, _ = self.decoder(self.target(TARGET), last)
        visible = ~PADDING[:, None]
        context = F.scaled_dot_product_attention(hidden, memory, memory, visible)
        scores = self.out(torch.cat([hidden, context], -1))
        return F.cross_entropy(scores.transpose(1, 2), NEXT, ignore_index=0)


class Field(nn.Module):
    """A linear-chain conditional random field, by counting out every tagging."""

    def __init__(self):
        super().__init__()
        self.start_transitions = nn.Parameter(torch.zeros(CLASSES))
        self.end_transitions = nn.Parameter(torch.zeros(CLASSES))
        self.transitions = nn.Parameter(torch.zeros(CLASSES, CLASSES))

    def score(self, emissions, tags):
        inner = sum(self.transitions[a, b] for a, b in zip(tags, tags[1:]))
        emitted = sum(emissions[place, tag] for place, tag in enumerate(tags))
        return self.start_transitions[tags[0]] + emitted + inner + self.end_transitions[tags[-1]]

    def log_likelihood(self, emissions, tags):
        taggings = itertools.product(range(CLASSES), repeat=len(tags))
        every = torch.stack([self.score(emissions, tagging) for tagging in taggings])
        return self.score(emissions, tags) - every.logsumexp(0)


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, DIM)
        self.lstm = nn.LSTM(DIM, 4, batch_first=True, bidirectional=True)
        self.out = nn.Linear(8, CLASSES)
        self.crf = Field()

    def loss(self):
        packed = nn.utils.rnn.pack_padded_sequence(
            self.embed(SOURCE), LENGTHS, batch_first=True, enforce_sorted=False
        )
        states, _ = nn.utils.rnn.pad_packed_sequence(self.lstm(packed)[0], batch_first=True)
        emissions = self.out(states)
        rows = zip(emissions, TAGS.tolist(), LENGTHS.tolist())
        return -torch.stack([self.crf.log_likelihood(x, tags[:length]) for x, tags, length in rows]).mean()


def models():
    for kind in (Encoder, TextCnn, Translator, Tagger):
        model = kind()
        for parameter in model.parameters():
            parameter.data = normal(*parameter.shape, scale=0.5)
        names = {f"param.{name}": value for name, value in model.named_parameters()}
        before = {name: value.detach().clone() for name, value in names.items()}
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        losses = []
        for _ in range(5):
            optimizer.zero_grad()
            loss = model.loss()
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
        inputs = {"source": SOURCE, "lengths": LENGTHS, "labels": LABELS}
        inputs |= {"target": TARGET, "next": NEXT, "tags": TAGS}
        yield case(kind.__name__, {}, {**inputs, **before}, {"losses": torch.stack(losses)})


if __name__ == "__main__":
    write([models])
