//! A recorded case, and the comparison with it.

use std::cell::RefCell;
use std::collections::BTreeMap;

use lexigrad::prelude::*;
use serde_json::Value;

thread_local! {
    /// The largest error of each case in f64 and in f32, of those that this thread has run.
    static ERRORS: RefCell<BTreeMap<String, [f64; 2]>> = RefCell::default();
}

/// Keeps the error of a case, relative beyond 1, for the table.
pub fn note_error<T: Element>(case: &str, error: f64) {
    ERRORS.with_borrow_mut(|errors| {
        let worst = errors.entry(case.to_owned()).or_insert([f64::NAN; 2]);
        let precision = usize::from(T::NAME == "f32");
        worst[precision] = worst[precision].max(error);
    });
}

/// The largest error of each case that this thread has run since the last call, NaN for a precision it was not run in.
pub fn take_errors() -> BTreeMap<String, [f64; 2]> {
    ERRORS.take()
}

/// Settings, inputs and outputs of one case.
pub struct Case(Value);

/// The cases of a file.
pub fn cases(json: &str) -> Vec<Case> {
    let list: Vec<Value> = serde_json::from_str(json).unwrap();
    assert!(!list.is_empty());
    list.into_iter().map(Case).collect()
}

impl Case {
    pub fn name(&self) -> &str {
        self.0["name"].as_str().unwrap()
    }

    /// A number among the options, infinity included.
    pub fn number(&self, option: &str) -> Option<f64> {
        let value = &self.0["options"][option];
        if value == "inf" {
            Some(f64::INFINITY)
        } else {
            value.as_f64()
        }
    }

    pub fn text(&self, option: &str) -> &str {
        self.0["options"][option].as_str().unwrap_or_default()
    }

    pub fn flag(&self, option: &str) -> bool {
        self.0["options"][option].as_bool().unwrap_or(false)
    }

    /// A flag that is `default` unless the options say otherwise.
    pub fn flag_or(&self, option: &str, default: bool) -> bool {
        self.0["options"][option].as_bool().unwrap_or(default)
    }

    /// Whether an option is given, and `None`.
    pub fn is_null(&self, option: &str) -> bool {
        self.0["options"].get(option).is_some_and(Value::is_null)
    }

    /// The whole numbers of a list among the options.
    pub fn list(&self, option: &str) -> Vec<usize> {
        let list = self.0["options"][option].as_array();
        let number = |value: &Value| value.as_u64().unwrap() as usize;
        list.into_iter().flatten().map(number).collect()
    }

    pub fn list_length(&self, option: &str) -> usize {
        self.0["options"][option].as_array().unwrap().len()
    }

    pub fn reduction(&self) -> Reduction {
        match self.text("reduction") {
            "none" => Reduction::None,
            "sum" => Reduction::Sum,
            _ => Reduction::Mean,
        }
    }

    pub fn has(&self, input: &str) -> bool {
        !self.0["inputs"][input].is_null()
    }

    pub fn input<T: Element>(&self, name: &str) -> Tensor<T> {
        tensor(&self.0["inputs"][name])
    }

    pub fn optional<T: Element>(&self, name: &str) -> Option<Tensor<T>> {
        self.has(name).then(|| self.input(name))
    }

    pub fn ids(&self, name: &str) -> Ids {
        let recorded = &self.0["inputs"][name];
        Ids::from_slice(&integers(recorded), shape(recorded)).unwrap()
    }

    /// Truth values, recorded as 0 and 1.
    pub fn mask(&self, name: &str) -> Option<Mask> {
        let recorded = self.has(name).then(|| self.ids(name))?;
        let values = recorded.as_slice().iter().map(|&value| value == 1);
        Some(Mask::new(values.collect(), recorded.shape()).unwrap())
    }

    pub fn integers(&self, name: &str) -> Vec<usize> {
        let list = integers(&self.0["inputs"][name]);
        list.into_iter()
            .map(|x| usize::try_from(x).unwrap())
            .collect()
    }

    pub fn output(&self, name: &str) -> Option<Tensor<f64>> {
        let recorded = &self.0["outputs"][name];
        (!recorded.is_null()).then(|| tensor(recorded))
    }

    /// Asserts that `found` is the recorded output `name`, up to `tolerance` (relative above 1).
    pub fn assert_output<T: Element>(&self, name: &str, found: &Tensor<T>, tolerance: f64) {
        let expected = self
            .output(name)
            .unwrap_or_else(|| panic!("{}: no output {name}", self.name()));
        assert_eq!(found.shape(), expected.shape(), "{}: {name}", self.name());
        for (i, (found, expected)) in found
            .values()
            .iter()
            .zip(expected.values().iter())
            .enumerate()
        {
            let error = (found.as_f64() - expected).abs() / expected.abs().max(1.0);
            note_error::<T>(self.name(), error);
            assert!(
                error <= tolerance,
                "{}: {name}[{i}] is {found}, PyTorch's {expected}",
                self.name()
            );
        }
    }

    /// The output of `forward` against the recorded one, and the gradients of `inputs` under `output_grad`.
    pub fn assert_forward_and_gradients<T: Element>(
        &self,
        inputs: &[&str],
        tolerance: f64,
        forward: impl FnOnce(&[Tensor<T>]) -> Result<Tensor<T>>,
    ) {
        let tape = Tape::new();
        let leaves: Vec<Tensor<T>> = inputs
            .iter()
            .map(|name| tape.watch(&self.input(name)))
            .collect();
        let output = forward(&leaves).unwrap();
        self.assert_output("output", &output, tolerance);
        let cotangent = self.input("output_grad");
        let grads = tape.backward_with(&output, &cotangent).unwrap();
        for (name, leaf) in inputs.iter().zip(&leaves) {
            let gradient = grads.of(leaf).unwrap().to_dense().unwrap();
            self.assert_output(&format!("{name}_grad"), &gradient, tolerance);
        }
    }
}

fn shape(recorded: &Value) -> Vec<usize> {
    let sizes = recorded["shape"].as_array().unwrap();
    sizes
        .iter()
        .map(|size| size.as_u64().unwrap() as usize)
        .collect()
}

fn integers(recorded: &Value) -> Vec<i64> {
    let data = recorded["data"].as_array().unwrap();
    data.iter().map(|value| value.as_i64().unwrap()).collect()
}

fn tensor<T: Element>(recorded: &Value) -> Tensor<T> {
    let data = recorded["data"].as_array().unwrap();
    let values: Vec<T> = data
        .iter()
        .map(|value| T::from_f64(value.as_f64().unwrap()))
        .collect();
    Tensor::from_slice(&values, shape(recorded)).unwrap()
}
