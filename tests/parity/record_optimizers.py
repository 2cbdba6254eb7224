"""Records what PyTorch's optimizers and schedules compute, in f64 on a CPU, for the parity tests to compare with.

Usage: python record_optimizers.py            writes optimizers.json and schedules.json beside this script

optimizers.json: {"dense", "sparse", "cases"}. "dense" holds a weight and ten gradients; "sparse" a weight and, for ten steps,
rows and their values. A case is {"optimizer", "options", "mode", "weights"}, the weights after the steps RECORDED. The modes:

- dense: dense gradients
- sparse: what PyTorch does with sparse ones
- lazy: sparse gradients where PyTorch refuses them: a dense step, after which the rows without an entry are put back, value and state
- exact: sparse gradients filled up with zeros

schedules.json: {"base", "cases"}; a case is {"schedule", "options", "rates"}, the learning rates of steps 0, 1, 2 ... from the base.
A plateau's rate is that after each of its "measures".
"""

import json
import pathlib

import torch
from torch import nn, optim

FOLDER = pathlib.Path(__file__).parent
RECORDED = [1, 6, 10]

# The rows each step's sparse gradient holds: repeats, rows that pause, rows never touched, and a step with none.
SPARSE_ROWS = [[0, 2, 2], [2], [], [1, 1, 1, 0], [4, 0], [2, 4], [], [0, 1, 2, 4], [4, 4], [1]]


class Lion(optim.Optimizer):
    """The rule of Chen et al. 2023, which PyTorch lacks, in its words."""

    def __init__(self, params, lr=1e-4, betas=(0.9, 0.99), weight_decay=0.0, maximize=False):
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            lr, (beta1, beta2) = group["lr"], group["betas"]
            for p in group["params"]:
                g = -p.grad if group["maximize"] else p.grad
                m = self.state[p].setdefault("exp_avg", torch.zeros_like(p))
                direction = torch.sign(beta1 * m + (1 - beta1) * g)
                p.copy_(p - lr * (direction + group["weight_decay"] * p))
                m.copy_(beta2 * m + (1 - beta2) * g)


class RowWiseAdagrad(optim.Optimizer):
    """Adagrad with one accumulator a row, as FBGEMM has it."""

    def __init__(self, params, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, maximize=False):
        defaults = {"lr": lr, "lr_decay": lr_decay, "weight_decay": weight_decay, "eps": eps, "maximize": maximize}
        super().__init__(params, defaults)
        self.initial, self.steps = initial_accumulator_value, 0

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            rate = group["lr"] / (1 + self.steps * group["lr_decay"])
            for p in group["params"]:
                g = (-p.grad if group["maximize"] else p.grad) + group["weight_decay"] * p
                s = self.state[p].setdefault("sum", torch.full((p.shape[0], 1), self.initial))
                s += g.pow(2).mean(1, keepdim=True)
                p -= rate * g / (s.sqrt() + group["eps"])
        self.steps += 1


# What each is recorded with: the learning rate, then its options, alone and together.
ADAM = [
    {},
    {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1},
    {"maximize": True, "weight_decay": 0.1},
]
AMSGRAD = [{"amsgrad": True, "betas": (0.8, 0.6)}, {"amsgrad": True, "weight_decay": 0.1, "maximize": True}]
DECOUPLED = [{"decoupled_weight_decay": True, "weight_decay": 0.1}]
ADAGRAD = [
    {},
    {"lr_decay": 0.2, "initial_accumulator_value": 0.5},
    {"weight_decay": 0.05, "eps": 1e-4},
    {"maximize": True},
]
OPTIMIZERS = [
    (
        optim.SGD,
        0.1,
        [
            {},
            {"weight_decay": 0.05},
            {"maximize": True},
            {"momentum": 0.9},
            {"momentum": 0.9, "dampening": 0.3},
            {"momentum": 0.9, "nesterov": True},
            {"momentum": 0.9, "nesterov": True, "weight_decay": 0.05, "maximize": True},
        ],
    ),
    (optim.Adam, 0.05, ADAM + AMSGRAD),
    (optim.AdamW, 0.05, ADAM + AMSGRAD),
    (optim.Adagrad, 0.1, ADAGRAD),
    (RowWiseAdagrad, 0.1, ADAGRAD),
    (
        optim.RMSprop,
        0.05,
        [
            {},
            {"alpha": 0.8, "eps": 1e-3, "weight_decay": 0.1},
            {"centered": True},
            {"momentum": 0.7},
            {"momentum": 0.7, "centered": True, "weight_decay": 0.1, "maximize": True},
        ],
    ),
    (optim.Adadelta, 0.8, [{}, {"rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}, {"maximize": True}]),
    (optim.Adamax, 0.05, ADAM),
    (optim.NAdam, 0.05, ADAM + DECOUPLED + [{"momentum_decay": 0.3}]),
    (optim.RAdam, 0.05, ADAM + DECOUPLED + [{"betas": (0.9, 0.6)}]),
    (Lion, 0.05, [{}, {"betas": (0.7, 0.8), "weight_decay": 0.1}, {"maximize": True}]),
]
SPARSE = [
    (optim.SGD, 0.1, [{}, {"maximize": True}]),
    (optim.SparseAdam, 0.05, [{}, {"betas": (0.8, 0.95), "eps": 1e-3}, {"maximize": True}]),
    (optim.Adagrad, 0.1, [{}, {"lr_decay": 0.2, "initial_accumulator_value": 0.5}, {"maximize": True}]),
]
SPARSE_IN_PYTORCH = {(optimizer, json.dumps(options)) for optimizer, _, cases in SPARSE for options in cases}


def normal(*shape):
    """Normal numbers with two decimals, so that they take little room in the file."""
    return torch.round(torch.randn(shape), decimals=2)


def put_back(parameter, state, before, rows):
    """Puts every row but `rows` back to what it was, in the parameter and in its state."""
    still = torch.ones(parameter.shape[0], dtype=torch.bool)
    still[rows] = False
    with torch.no_grad():
        parameter[still] = before["weight"][still]
        for name, value in state.items():
            if isinstance(value, torch.Tensor) and value.dim() == 2:
                old = before.get(name)
                value[still] = old[still] if old is not None else initial(value, name)[still]


def initial(value, name):
    """The state of a row before its first step: that of a momentum buffer and of an accumulator from 0 is 0."""
    return torch.zeros_like(value)


def train(optimizer, options, mode, weight, gradients):
    parameter = nn.Parameter(weight.clone())
    update = optimizer([parameter], **options)
    weights = []
    for step, gradient in enumerate(gradients, 1):
        state = update.state[parameter]
        before = {name: value.clone() for name, value in state.items() if isinstance(value, torch.Tensor)}
        before["weight"] = parameter.detach().clone()
        parameter.grad = gradient if mode in ("dense", "sparse") else gradient.to_dense()
        update.step()
        if mode == "lazy":
            put_back(parameter, update.state[parameter], before, SPARSE_ROWS[step - 1])
        if step in RECORDED:
            weights.append([round(x, 14) for x in parameter.detach().flatten().tolist()])
    return weights


def optimizers():
    dense = {"weight": normal(2, 3), "gradients": [normal(2, 3) for _ in range(10)]}
    values = [normal(len(rows), 2) for rows in SPARSE_ROWS]
    sparse = {"weight": normal(5, 2), "rows": SPARSE_ROWS, "values": values}
    pairs = [torch.sparse_coo_tensor(torch.tensor([rows], dtype=torch.int64), value, (5, 2)) for rows, value in zip(SPARSE_ROWS, values)]
    cases = []

    def record(optimizer, mode, options):
        inputs = (dense["weight"], dense["gradients"]) if mode == "dense" else (sparse["weight"], pairs)
        weights = train(optimizer, options, mode, *inputs)
        cases.append({"optimizer": optimizer.__name__, "mode": mode, "options": options, "weights": weights})

    for optimizer, lr, variants in OPTIMIZERS:
        for options in variants:
            record(optimizer, "dense", {"lr": lr, **options})
            # An accumulator that begins at another number than 0 is put back to it by PyTorch's own sparse steps alone.
            if (optimizer, json.dumps(options)) not in SPARSE_IN_PYTORCH and "initial_accumulator_value" not in options:
                record(optimizer, "lazy", {"lr": lr, **options})
            record(optimizer, "exact", {"lr": lr, **options})
    for optimizer, lr, variants in SPARSE:
        for options in variants:
            record(optimizer, "sparse", {"lr": lr, **options})
    return {"dense": dense, "sparse": sparse, "cases": cases}


BASE = 0.5
STEPS = 25
SCHEDULES = [
    ("ConstantLR", [{}, {"factor": 0.2, "total_iters": 7}]),
    ("LinearLR", [{}, {"start_factor": 0.1, "end_factor": 0.8, "total_iters": 12}]),
    ("StepLR", [{"step_size": 4, "gamma": 0.1}]),
    ("MultiStepLR", [{"milestones": [3, 8, 8, 20], "gamma": 0.5}]),
    ("ExponentialLR", [{"gamma": 0.9}]),
    ("PolynomialLR", [{}, {"total_iters": 15, "power": 2.5}]),
    ("CosineAnnealingLR", [{"T_max": 10}, {"T_max": 30, "eta_min": 0.05}]),
    (
        "CosineAnnealingWarmRestarts",
        [{"T_0": 6}, {"T_0": 3, "T_mult": 2, "eta_min": 0.01}],
    ),
    (
        "OneCycleLR",
        [
            {"max_lr": 0.8, "total_steps": STEPS},
            {"max_lr": 0.8, "total_steps": STEPS, "anneal_strategy": "linear", "pct_start": 0.4},
            {"max_lr": 0.8, "total_steps": STEPS, "three_phase": True, "div_factor": 10.0, "final_div_factor": 50.0},
        ],
    ),
    (
        "ReduceLROnPlateau",
        [
            {"patience": 2, "factor": 0.5},
            {"patience": 1, "cooldown": 3, "min_lr": 0.02},
            {"patience": 1, "mode": "max", "threshold": 0.2, "threshold_mode": "abs"},
        ],
    ),
]


def sgd():
    return optim.SGD([nn.Parameter(torch.zeros(1))], lr=BASE)


def follow(make, measures):
    """The rate of each step of a new optimizer; that after each measure, if there are any."""
    optimizer = sgd()
    schedule = make(optimizer)
    rates = []
    for step in range(STEPS):
        if not measures:
            rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if measures:
            schedule.step(measures[step])
            rates.append(optimizer.param_groups[0]["lr"])
        elif step + 1 < STEPS:
            schedule.step()
    return [round(rate, 15) for rate in rates]


def schedules():
    rates = optim.lr_scheduler
    measures = torch.round(3 * torch.rand(STEPS), decimals=1).tolist()
    cases = []

    def record(name, options, make, measures=()):
        measured = {"measures": measures} if measures else {}
        case = {"schedule": name, "options": options, **measured, "rates": follow(make, measures)}
        cases.append(case)

    for name, variants in SCHEDULES:
        for options in variants:
            fixed = {"cycle_momentum": False} if name == "OneCycleLR" else {}
            make = lambda optimizer: getattr(rates, name)(optimizer, **options, **fixed)
            record(name, options, make, measures if name == "ReduceLROnPlateau" else ())
    record(
        "ChainedScheduler",
        {},
        lambda o: rates.ChainedScheduler([rates.ConstantLR(o, 0.1, 4), rates.ExponentialLR(o, 0.9), rates.StepLR(o, 6)]),
    )
    record(
        "SequentialLR",
        {},
        lambda o: rates.SequentialLR(o, [rates.LinearLR(o, 0.1, 1.0, 5), rates.CosineAnnealingLR(o, 20)], [5]),
    )
    return {"base": BASE, "cases": cases}


def plain(value):
    if isinstance(value, torch.Tensor):
        return value.flatten().tolist()
    raise TypeError(type(value))


def write(name, recorded):
    lines = [f'"{key}": {json.dumps(value, default=plain)}' for key, value in recorded.items() if key != "cases"]
    cases = ",\n".join(json.dumps(case, allow_nan=False) for case in recorded["cases"])
    text = "{\n" + "".join(f"{line},\n" for line in lines) + '"cases": [\n' + cases + "\n]}\n"
    (FOLDER / name).write_text(text)
    print(f"{name}: {len(recorded['cases'])} cases, {len(text)} bytes")


def main():
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.sparse.check_sparse_tensor_invariants.enable()
    torch.manual_seed(0)
    write("optimizers.json", optimizers())
    torch.manual_seed(0)
    write("schedules.json", schedules())


if __name__ == "__main__":
    main()
