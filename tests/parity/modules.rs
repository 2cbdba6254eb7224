//! Norms, convolution, pooling, activations and the bilinear layer.

use lexigrad::nn::{
    BatchNorm1dConfig, BilinearConfig, Conv1dConfig, Conv1dOptions, Elu, GeluTanh, LeakyRelu,
    LogSigmoid, LogSoftmax, PoolOverTime, RmsNormConfig, Silu, Softmax, Softplus,
};
use lexigrad::prelude::*;

use crate::case::Case;
use crate::module::{check_module, check_module_on, given, in_both_precisions, output, rng};

#[test]
pub fn modules() {
    let json = include_str!("modules.json");
    in_both_precisions(json, check::<f64>, check::<f32>);
}

fn check<T: Element>(case: &Case, tolerance: f64) {
    let family = case.name().split_whitespace().next();
    match family.unwrap() {
        "rms_norm" => check_rms_norm::<T>(case, tolerance),
        "batch_norm" => check_batch_norm::<T>(case, tolerance),
        "conv1d" => check_conv1d::<T>(case, tolerance),
        "pool" => check_pool::<T>(case, tolerance),
        "activation" => check_activation::<T>(case, tolerance),
        "bilinear" => check_bilinear::<T>(case, tolerance),
        other => panic!("no module {other}"),
    }
}

fn check_rms_norm<T: Element>(case: &Case, tolerance: f64) {
    let config = RmsNormConfig {
        eps: case.number("eps"),
        elementwise_affine: case.flag("elementwise_affine"),
        ..RmsNormConfig::new(case.list("normalized_shape"))
    };
    check_layer(case, &config.build::<T>().unwrap(), tolerance);
}

/// A layer of one input.
fn check_layer<T: Element>(case: &Case, layer: &dyn Layer<T>, tolerance: f64) {
    check_module(case, &layer, &["x"], tolerance, |inputs| {
        layer.forward(given(&inputs[0])).map(output)
    });
}

fn check_batch_norm<T: Element>(case: &Case, tolerance: f64) {
    let default = BatchNorm1dConfig::new(2);
    let config = BatchNorm1dConfig {
        eps: case.number("eps").unwrap_or(default.eps),
        momentum: match case.is_null("momentum") {
            true => None,
            false => default.momentum,
        },
        affine: case.flag_or("affine", true),
        track_running_stats: case.flag_or("track_running_stats", true),
        ..default
    };
    let norm = config.build::<T>().unwrap();
    if let Some(statistics) = &norm.statistics {
        let recorded = |name| case.input::<T>(name);
        statistics
            .running_mean
            .set(&recorded("running_mean"))
            .unwrap();
        statistics
            .running_var
            .set(&recorded("running_var"))
            .unwrap();
        let once = Tensor::ones([]);
        statistics.num_batches_tracked.set(&once).unwrap();
    }
    let tape = match case.flag("evaluate") {
        true => Tape::eval(),
        false => Tape::new(),
    };
    check_module_on(tape, case, &norm, &["x"], tolerance, |inputs| {
        norm.forward(given(&inputs[0])).map(output)
    });
    if let Some(statistics) = &norm.statistics {
        let (mean, variance) = (&statistics.running_mean, &statistics.running_var);
        case.assert_output("running_mean", &mean.value(), tolerance);
        case.assert_output("running_var", &variance.value(), tolerance);
    }
}

fn check_conv1d<T: Element>(case: &Case, tolerance: f64) {
    let option = |name, default| case.number(name).map_or(default, |value| value as usize);
    let config = Conv1dConfig {
        options: Conv1dOptions {
            stride: option("stride", 1),
            padding: option("padding", 0),
            dilation: option("dilation", 1),
            groups: option("groups", 1),
        },
        bias: case.flag_or("bias", true),
        ..Conv1dConfig::new(4, 2, 2)
    };
    check_layer(case, &config.build::<T>(&mut rng()).unwrap(), tolerance);
}

fn check_pool<T: Element>(case: &Case, tolerance: f64) {
    let pool = match case.text("mode") {
        "max" => PoolOverTime::Max,
        "mean" => PoolOverTime::Mean,
        _ => PoolOverTime::Sum,
    };
    let lengths = case.list("lengths");
    let lengths = (!lengths.is_empty()).then_some(&lengths[..]);
    check_module::<T>(case, &pool, &["x"], tolerance, |inputs| {
        pool.forward(given(&inputs[0]), lengths).map(output)
    });
}

fn check_activation<T: Element>(case: &Case, tolerance: f64) {
    let axis = case.number("dim").unwrap_or_default() as isize;
    let slope = case.number("negative_slope");
    let alpha = case.number("alpha");
    let layer: &dyn Layer<T> = match (case.text("kind"), case.text("approximate")) {
        ("ReLU", _) => &Relu,
        ("Tanh", _) => &Tanh,
        ("Sigmoid", _) => &Sigmoid,
        ("GELU", "tanh") => &GeluTanh,
        ("GELU", _) => &Gelu,
        ("SiLU", _) => &Silu,
        ("Softplus", _) => &Softplus,
        ("LogSigmoid", _) => &LogSigmoid,
        ("LeakyReLU", _) => &slope.map_or_else(LeakyRelu::default, |slope| LeakyRelu { slope }),
        ("ELU", _) => &alpha.map_or_else(Elu::default, |alpha| Elu { alpha }),
        ("Softmax", _) => &Softmax { axis },
        ("LogSoftmax", _) => &LogSoftmax { axis },
        (other, _) => panic!("no activation {other}"),
    };
    check_layer(case, layer, tolerance);
}

fn check_bilinear<T: Element>(case: &Case, tolerance: f64) {
    let config = BilinearConfig {
        bias: case.flag("bias"),
        ..BilinearConfig::new(3, 4, 2)
    };
    let layer = config.build::<T>(&mut rng()).unwrap();
    check_module(case, &layer, &["x1", "x2"], tolerance, |inputs| {
        let (x1, x2) = (given(&inputs[0]), given(&inputs[1]));
        layer.forward(x1, x2).map(output)
    });
}
