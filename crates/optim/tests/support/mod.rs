//! Tables, lookups and gradients that the tests share.

#![allow(dead_code, reason = "each test file uses some of it")]

use lexigrad_optim::{
    Adadelta, Adagrad, Adam, AdamW, Adamax, Lion, NAdam, RAdam, RmsProp, RowWiseAdagrad, Rule, Sgd,
};
use lexigrad_tensor::{
    Element, EmbeddingOptions, Grad, Gradients, Ids, Param, RowSparse, Tape, Tensor, embedding,
};

/// A table of `rows` rows whose numbers are between -1/4 and 1/4.
pub fn table<T: Element>(rows: usize, dim: usize) -> Param<T> {
    let value = |i: usize| T::from_f64((i as f64 * 0.7).sin() / 4.0);
    let values: Vec<T> = (0..rows * dim).map(value).collect();
    Param::new(Tensor::from_slice(&values, [rows, dim]).unwrap())
}

/// The gradient of a table with `values` at the rows `ids`, not coalesced.
pub fn sparse<T: Element>(table: &Param<T>, ids: &[u32], values: &[f64]) -> Grad<T> {
    let shape = table.shape();
    let values: Vec<T> = values.iter().map(|&x| T::from_f64(x)).collect();
    let values = Tensor::from_slice(&values, [ids.len(), shape[1]]).unwrap();
    let gradient = RowSparse::new(Ids::new(ids).unwrap(), values, shape[0]).unwrap();
    Grad::RowSparse(Box::new(gradient))
}

pub fn dense<T: Element>(gradient: &Grad<T>) -> Grad<T> {
    Grad::Dense(gradient.to_dense().unwrap())
}

pub fn of<T: Element>(table: &Param<T>, gradient: Grad<T>) -> Gradients<T> {
    [(table, gradient)].into_iter().collect()
}

/// The gradient of a squared distance of the rows `ids` to a target, as it is when the table is looked up.
pub fn pull<T: Element>(
    table: &Param<T>,
    ids: &[u32],
    target: f64,
    dense_grad: bool,
) -> Gradients<T> {
    let options = EmbeddingOptions {
        dense_grad,
        ..EmbeddingOptions::default()
    };
    let ids = Ids::new(ids).unwrap();
    let tape = Tape::new();
    let rows = table.rows("embedding", &ids).unwrap();
    let looked_up = embedding(&rows, &ids, &options).unwrap();
    drop(rows);
    let distance = looked_up.add_scalar(T::from_f64(-target));
    tape.backward(&distance.square().sum()).unwrap()
}

/// What is done with every rule, since a closure cannot be generic.
pub trait WithRule<T: Element> {
    fn run<R: Rule<T> + std::fmt::Debug>(&mut self, rule: R);
}

/// Every rule that takes sparse and dense gradients, plain and with its options, at this rate.
pub fn every_rule<T: Element>(rate: f64, decay: f64, with: &mut impl WithRule<T>) {
    let weight_decay = decay;
    with.run(Sgd::new(rate));
    with.run(Sgd {
        momentum: 0.9,
        nesterov: true,
        weight_decay,
        ..Sgd::new(rate)
    });
    with.run(Sgd {
        momentum: 0.8,
        dampening: 0.3,
        weight_decay,
        maximize: false,
        ..Sgd::new(rate)
    });
    with.run(Adam::new(rate));
    with.run(Adam {
        weight_decay,
        ..Adam::new(rate)
    });
    with.run(Adam {
        amsgrad: true,
        ..Adam::new(rate)
    });
    with.run(AdamW {
        weight_decay,
        betas: (0.8, 0.95),
        ..AdamW::new(rate)
    });
    with.run(Adagrad {
        weight_decay,
        learning_rate_decay: 0.01,
        ..Adagrad::new(rate)
    });
    with.run(Adagrad {
        initial_accumulator: 0.1,
        ..Adagrad::new(rate)
    });
    with.run(RowWiseAdagrad(Adagrad {
        weight_decay,
        ..Adagrad::new(rate)
    }));
    with.run(RmsProp {
        momentum: 0.5,
        weight_decay,
        ..RmsProp::new(rate)
    });
    with.run(RmsProp {
        centered: true,
        eps: 1e-4,
        ..RmsProp::new(rate)
    });
    with.run(RmsProp {
        momentum: 0.9,
        centered: true,
        ..RmsProp::new(rate)
    });
    with.run(RmsProp::new(rate));
    with.run(Adadelta {
        weight_decay,
        ..Adadelta::new(rate)
    });
    with.run(Adamax {
        weight_decay,
        ..Adamax::new(rate)
    });
    with.run(NAdam {
        weight_decay,
        decoupled_weight_decay: true,
        ..NAdam::new(rate)
    });
    with.run(RAdam {
        weight_decay,
        ..RAdam::new(rate)
    });
    with.run(Lion {
        weight_decay,
        ..Lion::new(rate)
    });
}
