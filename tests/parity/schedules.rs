//! Learning rates step by step.

use lexigrad::optim::schedule::*;
use lexigrad::prelude::{Build, Param, Sgd, Tensor};
use serde_json::Value;

use crate::case::note_error;

struct Options<'a>(&'a Value);

impl Options<'_> {
    fn number(&self, option: &str) -> Option<f64> {
        self.0[option].as_f64()
    }

    fn count(&self, option: &str) -> Option<u64> {
        self.0[option].as_u64()
    }

    fn schedule(&self, name: &str) -> Box<dyn Schedule> {
        let steps = self.count("total_iters").unwrap_or(5);
        let factor = self.number("factor").unwrap_or(1.0 / 3.0);
        let gamma = self.number("gamma").unwrap_or(0.1);
        let minimum = self.number("eta_min").unwrap_or(0.0);
        match name {
            "ConstantLR" => Box::new(Constant { factor, steps }),
            "LinearLR" => Box::new(Linear {
                start_factor: self.number("start_factor").unwrap_or(1.0 / 3.0),
                end_factor: self.number("end_factor").unwrap_or(1.0),
                steps,
            }),
            "StepLR" => Box::new(Step {
                every: self.count("step_size").unwrap(),
                factor: gamma,
            }),
            "MultiStepLR" => Box::new(MultiStep {
                milestones: self.milestones(),
                factor: gamma,
            }),
            "ExponentialLR" => Box::new(Exponential { factor: gamma }),
            "PolynomialLR" => Box::new(Polynomial {
                steps,
                power: self.number("power").unwrap_or(1.0),
            }),
            "CosineAnnealingLR" => Box::new(Cosine {
                steps: self.count("T_max").unwrap(),
                minimum,
            }),
            "CosineAnnealingWarmRestarts" => Box::new(WarmRestarts {
                first: self.count("T_0").unwrap(),
                factor: self.count("T_mult").unwrap_or(1),
                minimum,
            }),
            "OneCycleLR" => Box::new(self.one_cycle()),
            "ChainedScheduler" => Box::new(chained()),
            "SequentialLR" => Box::new(sequential()),
            other => panic!("no schedule {other}"),
        }
    }

    fn milestones(&self) -> Vec<u64> {
        let list = self.0["milestones"].as_array().unwrap();
        list.iter().map(|stone| stone.as_u64().unwrap()).collect()
    }

    fn one_cycle(&self) -> OneCycle {
        let steps = self.count("total_steps").unwrap();
        let default = OneCycle::new(self.number("max_lr").unwrap(), steps);
        OneCycle {
            rising: self.number("pct_start").unwrap_or(default.rising),
            div_factor: self.number("div_factor").unwrap_or(default.div_factor),
            final_div_factor: self
                .number("final_div_factor")
                .unwrap_or(default.final_div_factor),
            annealing: if self.0["anneal_strategy"] == "linear" {
                Annealing::Linear
            } else {
                Annealing::Cosine
            },
            three_phases: self.0["three_phase"] == true,
            ..default
        }
    }

    fn plateau(&self) -> PlateauOptions {
        let default = PlateauOptions::default();
        PlateauOptions {
            maximize: self.0["mode"] == "max",
            factor: self.number("factor").unwrap_or(default.factor),
            patience: self.count("patience").unwrap(),
            threshold: self.number("threshold").unwrap_or(default.threshold),
            relative: self.0["threshold_mode"] != "abs",
            cooldown: self.count("cooldown").unwrap_or(0),
            minimum: self.number("min_lr").unwrap_or(0.0),
            ..default
        }
    }
}

fn chained() -> Chained {
    let constant = Constant {
        factor: 0.1,
        steps: 4,
    };
    let step = Step {
        every: 6,
        factor: 0.1,
    };
    Chained::new(constant)
        .and(Exponential { factor: 0.9 })
        .and(step)
}

fn sequential() -> Sequential {
    let warm_up = Linear {
        start_factor: 0.1,
        end_factor: 1.0,
        steps: 5,
    };
    let cosine = Cosine {
        steps: 20,
        minimum: 0.0,
    };
    Sequential::new(warm_up).then_at(5, cosine)
}

fn numbers(value: &Value) -> Vec<f64> {
    let list = value.as_array().unwrap();
    list.iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The rates that an optimizer is given, step by step.
fn rates(case: &Value, base: f64) -> Vec<f64> {
    let options = Options(&case["options"]);
    let weight: Param = Param::new(Tensor::zeros([1]));
    let mut optimizer = Sgd::new(base).build(&weight);
    if !case["measures"].is_null() {
        let mut plateau = Plateau::new(options.plateau());
        let after = |measure| {
            plateau.observe(measure, &mut optimizer);
            optimizer.learning_rate()
        };
        return numbers(&case["measures"]).into_iter().map(after).collect();
    }
    let schedule = options.schedule(case["schedule"].as_str().unwrap());
    let count = case["rates"].as_array().unwrap().len();
    let mut next = || {
        optimizer.follow(&*schedule);
        optimizer.step(&Default::default()).unwrap();
        optimizer.learning_rate()
    };
    (0..count).map(|_| next()).collect()
}

#[test]
pub fn every_schedule_step_by_step() {
    let file: Value = serde_json::from_str(include_str!("schedules.json")).unwrap();
    let base = file["base"].as_f64().unwrap();
    let cases = file["cases"].as_array().unwrap();
    assert!(cases.len() > 15);
    for case in cases {
        let (found, expected) = (rates(case, base), numbers(&case["rates"]));
        let errors = found.iter().zip(&expected).map(|(x, y)| (x - y).abs());
        let error = errors.fold(0.0, f64::max);
        let name = format!("{} {}", case["schedule"], case["options"]).replace('"', "");
        note_error::<f64>(&name, error);
        assert!(
            found.len() == expected.len() && error < 1e-12,
            "{name}: {found:?}, PyTorch's {expected:?}"
        );
    }
}
