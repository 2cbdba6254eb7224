//! Ten steps of every optimizer.

use lexigrad::nn::EmbeddingConfig;
use lexigrad::prelude::*;

use crate::case::{Case, cases};

#[test]
pub fn ten_steps_of_every_optimizer() {
    for case in cases(include_str!("optimizers.json")) {
        let learning_rate = case.number("lr").unwrap();
        let weight_decay = case.number("weight_decay");
        let betas = case.pair("betas").unwrap_or((0.9, 0.999));
        match case.text("optimizer") {
            "SGD" => run(
                &case,
                Sgd {
                    momentum: case.number("momentum").unwrap_or(0.0),
                    dampening: case.number("dampening").unwrap_or(0.0),
                    weight_decay: weight_decay.unwrap_or(0.0),
                    nesterov: case.flag("nesterov"),
                    maximize: case.flag("maximize"),
                    ..Sgd::new(learning_rate)
                },
            ),
            "Adam" => run(
                &case,
                Adam {
                    betas,
                    eps: case.number("eps").unwrap_or(1e-8),
                    weight_decay: weight_decay.unwrap_or(0.0),
                    ..Adam::new(learning_rate)
                },
            ),
            "AdamW" => run(
                &case,
                AdamW {
                    betas,
                    eps: case.number("eps").unwrap_or(1e-8),
                    weight_decay: weight_decay.unwrap_or(1e-2),
                    ..AdamW::new(learning_rate)
                },
            ),
            "SparseAdam" => run(
                &case,
                SparseAdam {
                    betas,
                    eps: case.number("eps").unwrap_or(1e-8),
                    ..SparseAdam::new(learning_rate)
                },
            ),
            "Adagrad" => run(
                &case,
                Adagrad {
                    learning_rate_decay: case.number("lr_decay").unwrap_or(0.0),
                    weight_decay: weight_decay.unwrap_or(0.0),
                    initial_accumulator: case.number("initial_accumulator_value").unwrap_or(0.0),
                    eps: case.number("eps").unwrap_or(1e-10),
                    ..Adagrad::new(learning_rate)
                },
            ),
            other => panic!("{}: no optimizer {other}", case.name()),
        }
    }
}

fn run(case: &Case, rule: impl Rule<f64>) {
    let embed = EmbeddingConfig::new(0, 0)
        .from_pretrained(&case.input::<f64>("weight"))
        .unwrap();
    embed.weight.set_requires_grad(true);
    let mut optimizer = rule.build(&embed);
    for step in 0..10 {
        let grads = gradients(case, &embed, step);
        optimizer.step(&grads).unwrap();
        let weight = embed.weight.value();
        case.assert_output(&format!("step{step}.weight"), &weight, 1e-12);
    }
}

/// The recorded gradient of a step, as that of a loss that is linear in the weight.
fn gradients(case: &Case, embed: &Embedding<f64>, step: usize) -> Gradients<f64> {
    let tape = Tape::new();
    let product = if case.flag("sparse") {
        let values = case.input(&format!("step{step}.values"));
        let rows = embed
            .forward(&case.ids(&format!("step{step}.rows")))
            .unwrap();
        rows.mul(&values)
    } else {
        embed
            .weight
            .value()
            .mul(&case.input(&format!("step{step}.grad")))
    };
    tape.backward(&product.unwrap().sum()).unwrap()
}
