//! The check of a module against its recorded cases.

use lexigrad::prelude::*;

use crate::case::{Case, cases};

/// Runs `check` on every case with f64 and with f32, at the tolerance of each.
pub fn in_both_precisions(json: &str, in_f64: fn(&Case, f64), in_f32: fn(&Case, f64)) {
    for case in cases(json) {
        in_f64(&case, 1e-10);
        in_f32(&case, 1e-5);
    }
}

pub fn rng() -> rand::rngs::StdRng {
    rand::SeedableRng::seed_from_u64(0)
}

/// What a module gives out, under the recorded names.
pub type Outputs<T> = Vec<(&'static str, Tensor<T>)>;

/// What an output of a case is named, beside the tensor.
pub fn output<T: Element>(x: Tensor<T>) -> Outputs<T> {
    vec![("output", x)]
}

/// Loads the recorded parameters into the model, and holds its outputs and all gradients against the recorded ones.
///
/// Inputs that are not recorded are `None` to `forward`.
pub fn check_module<T: Element>(
    case: &Case,
    model: &impl Module<T>,
    inputs: &[&str],
    tolerance: f64,
    forward: impl FnOnce(&[Option<Tensor<T>>]) -> Result<Outputs<T>>,
) {
    check_module_on(Tape::new(), case, model, inputs, tolerance, forward);
}

/// [`check_module`] with a tape that says whether this is training.
pub fn check_module_on<T: Element>(
    tape: Tape,
    case: &Case,
    model: &impl Module<T>,
    inputs: &[&str],
    tolerance: f64,
    forward: impl FnOnce(&[Option<Tensor<T>>]) -> Result<Outputs<T>>,
) {
    for (name, parameter) in model.named_parameters() {
        let value = case.input(&format!("param.{name}"));
        parameter.set(&value).unwrap();
    }
    let leaves: Vec<Option<Tensor<T>>> = inputs
        .iter()
        .map(|name| case.optional(name).map(|value| tape.watch(&value)))
        .collect();
    let mut sum = Tensor::zeros([]);
    for (name, output) in forward(&leaves).unwrap() {
        case.assert_output(name, &output, tolerance);
        let cotangent = case.input(&format!("{name}_grad"));
        sum = sum.add(&output.mul(&cotangent).unwrap().sum()).unwrap();
    }
    let grads = tape.backward(&sum).unwrap();
    for (name, leaf) in inputs.iter().zip(&leaves) {
        if let Some(leaf) = leaf {
            let gradient = grads.of(leaf).unwrap().to_dense().unwrap();
            case.assert_output(&format!("{name}_grad"), &gradient, tolerance);
        }
    }
    for (name, parameter) in model.named_parameters() {
        let gradient = grads.dense(&parameter).unwrap().unwrap();
        case.assert_output(&format!("param.{name}_grad"), &gradient, tolerance);
    }
}

/// An input that every case records.
pub fn given<T: Element>(input: &Option<Tensor<T>>) -> &Tensor<T> {
    input.as_ref().unwrap()
}
