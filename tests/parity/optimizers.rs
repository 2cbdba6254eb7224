//! Ten steps of every optimizer, with every option.

use lexigrad::optim::{Adadelta, Adamax, Lion, NAdam, RAdam, RmsProp, RowWiseAdagrad, SparseMode};
use lexigrad::prelude::*;
use serde_json::Value;

use crate::case::note_error;

/// The steps after which the weights are recorded.
const RECORDED: [usize; 3] = [1, 6, 10];

/// What a case shares with the others of its mode: the weight and the gradient of each step.
struct Inputs {
    weight: Tensor<f64>,
    gradients: Vec<Grad<f64>>,
}

struct Case<'a> {
    recorded: &'a Value,
    inputs: &'a Inputs,
}

#[test]
pub fn ten_steps_of_every_optimizer() {
    let file: Value = serde_json::from_str(include_str!("optimizers.json")).unwrap();
    let (dense, sparse) = (dense(&file["dense"]), sparse(&file["sparse"]));
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 100);
    for recorded in cases {
        let inputs = if recorded["mode"] == "dense" {
            &dense
        } else {
            &sparse
        };
        Case { recorded, inputs }.check();
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

fn dense(recorded: &Value) -> Inputs {
    let matrix = |value| Tensor::from_slice(&numbers(value), [2, 3]).unwrap();
    let gradients = recorded["gradients"].as_array().unwrap();
    Inputs {
        weight: matrix(&recorded["weight"]),
        gradients: gradients.iter().map(|g| Grad::Dense(matrix(g))).collect(),
    }
}

fn sparse(recorded: &Value) -> Inputs {
    let rows = recorded["rows"].as_array().unwrap();
    let values = recorded["values"].as_array().unwrap();
    let gradient = |(rows, values)| {
        let rows: Vec<u32> = numbers(rows).into_iter().map(|row| row as u32).collect();
        let values = Tensor::from_slice(&numbers(values), [rows.len(), 2]).unwrap();
        let sparse = RowSparse::new(Ids::new(rows).unwrap(), values, 5).unwrap();
        Grad::RowSparse(Box::new(sparse))
    };
    Inputs {
        weight: Tensor::from_slice(&numbers(&recorded["weight"]), [5, 2]).unwrap(),
        gradients: rows.iter().zip(values).map(gradient).collect(),
    }
}

impl Case<'_> {
    fn number(&self, option: &str) -> Option<f64> {
        self.recorded["options"][option].as_f64()
    }

    fn flag(&self, option: &str) -> bool {
        self.recorded["options"][option].as_bool().unwrap_or(false)
    }

    fn betas(&self, default: (f64, f64)) -> (f64, f64) {
        match self.recorded["options"]["betas"].as_array() {
            Some(pair) => (pair[0].as_f64().unwrap(), pair[1].as_f64().unwrap()),
            None => default,
        }
    }

    fn check(&self) {
        match self.recorded["optimizer"].as_str().unwrap() {
            "SGD" => self.run(self.sgd()),
            "Adam" => self.run(self.adam()),
            "AdamW" => self.run(self.adamw()),
            "SparseAdam" => self.run(self.sparse_adam()),
            "Adagrad" => self.run(self.adagrad()),
            "RowWiseAdagrad" => self.run(RowWiseAdagrad(self.adagrad())),
            "RMSprop" => self.run(self.rms_prop()),
            "Adadelta" => self.run(self.adadelta()),
            "Adamax" => self.run(self.adamax()),
            "NAdam" => self.run(self.nadam()),
            "RAdam" => self.run(self.radam()),
            "Lion" => self.run(self.lion()),
            other => panic!("no optimizer {other}"),
        }
    }

    fn run(&self, rule: impl Rule<f64>) {
        let weight = Param::new(self.inputs.weight.clone());
        let mode = if self.recorded["mode"] == "exact" {
            SparseMode::Exact
        } else {
            SparseMode::Lazy
        };
        let mut optimizer = rule.builder().sparse_mode(mode).build(&weight).unwrap();
        let mut recorded = self.recorded["weights"].as_array().unwrap().iter();
        for (step, gradient) in (1..).zip(&self.inputs.gradients) {
            let gradients = Gradients::from_iter([(&weight, gradient.clone())]);
            optimizer.step(&gradients).unwrap();
            if RECORDED.contains(&step) {
                let expected = numbers(recorded.next().unwrap());
                self.compare(step, &weight.value().to_vec(), &expected);
            }
        }
    }

    fn compare(&self, step: usize, found: &[f64], expected: &[f64]) {
        let text = |field: &str| self.recorded[field].to_string().replace('"', "");
        let name = ["optimizer", "mode", "options"].map(text).join(" ");
        let pairs = found.iter().zip(expected);
        let errors = pairs.map(|(x, y)| (x - y).abs() / y.abs().max(1.0));
        let error = errors.fold(0.0, f64::max);
        note_error::<f64>(&name, error);
        assert!(
            found.len() == expected.len() && error <= 1e-12,
            "{name} after step {step}: {found:?}, PyTorch's {expected:?}"
        );
    }

    fn sgd(&self) -> Sgd {
        Sgd {
            momentum: self.number("momentum").unwrap_or(0.0),
            dampening: self.number("dampening").unwrap_or(0.0),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            nesterov: self.flag("nesterov"),
            maximize: self.flag("maximize"),
            ..Sgd::new(self.number("lr").unwrap())
        }
    }

    fn adam(&self) -> Adam {
        let default = Adam::new(self.number("lr").unwrap());
        Adam {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            amsgrad: self.flag("amsgrad"),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn adamw(&self) -> AdamW {
        let default = AdamW::new(self.number("lr").unwrap());
        AdamW {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(default.weight_decay),
            amsgrad: self.flag("amsgrad"),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn sparse_adam(&self) -> SparseAdam {
        let default = SparseAdam::new(self.number("lr").unwrap());
        SparseAdam {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn adagrad(&self) -> Adagrad {
        let default = Adagrad::new(self.number("lr").unwrap());
        Adagrad {
            learning_rate_decay: self.number("lr_decay").unwrap_or(0.0),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            initial_accumulator: self.number("initial_accumulator_value").unwrap_or(0.0),
            eps: self.number("eps").unwrap_or(default.eps),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn rms_prop(&self) -> RmsProp {
        let default = RmsProp::new(self.number("lr").unwrap());
        RmsProp {
            alpha: self.number("alpha").unwrap_or(default.alpha),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            momentum: self.number("momentum").unwrap_or(0.0),
            centered: self.flag("centered"),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn adadelta(&self) -> Adadelta {
        let default = Adadelta::new(self.number("lr").unwrap());
        Adadelta {
            rho: self.number("rho").unwrap_or(default.rho),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn adamax(&self) -> Adamax {
        let default = Adamax::new(self.number("lr").unwrap());
        Adamax {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn nadam(&self) -> NAdam {
        let default = NAdam::new(self.number("lr").unwrap());
        NAdam {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            momentum_decay: self
                .number("momentum_decay")
                .unwrap_or(default.momentum_decay),
            decoupled_weight_decay: self.flag("decoupled_weight_decay"),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn radam(&self) -> RAdam {
        let default = RAdam::new(self.number("lr").unwrap());
        RAdam {
            betas: self.betas(default.betas),
            eps: self.number("eps").unwrap_or(default.eps),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            decoupled_weight_decay: self.flag("decoupled_weight_decay"),
            maximize: self.flag("maximize"),
            ..default
        }
    }

    fn lion(&self) -> Lion {
        let default = Lion::new(self.number("lr").unwrap());
        Lion {
            betas: self.betas(default.betas),
            weight_decay: self.number("weight_decay").unwrap_or(0.0),
            maximize: self.flag("maximize"),
            ..default
        }
    }
}
