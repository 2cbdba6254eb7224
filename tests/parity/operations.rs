//! Tensor operations by name, with the gradients of all their inputs.

use lexigrad::prelude::*;
use lexigrad::tensor::{
    Conv1dOptions, Norm, PoolOptions, avg_pool1d, conv1d, cosine_similarity, einsum, max_pool1d,
};

use crate::case::{Case, cases};

#[test]
pub fn operations() {
    for case in cases(include_str!("operations.json")) {
        check::<f64>(&case, 1e-10);
        check::<f32>(&case, 1e-5);
    }
}

fn check<T: Element>(case: &Case, tolerance: f64) {
    let names = ["x0", "x1", "x2"];
    let given: Vec<&str> = names.into_iter().filter(|name| case.has(name)).collect();
    case.assert_forward_and_gradients::<T>(&given, tolerance, |x| run(case, x));
}

fn run<T: Element>(case: &Case, x: &[Tensor<T>]) -> Result<Tensor<T>> {
    let number = T::from_f64;
    let (name, settings) = case.name().split_once(' ').unwrap_or((case.name(), ""));
    match name {
        "sin" => Ok(x[0].sin()),
        "cos" => Ok(x[0].cos()),
        "exp_m1" => Ok(x[0].exp_m1()),
        "ln_1p" => Ok(x[0].ln_1p()),
        "log_sigmoid" => Ok(x[0].log_sigmoid()),
        "elu" => Ok(x[0].elu(number(0.7))),
        "leaky_relu" => Ok(x[0].leaky_relu(number(0.2))),
        "index_select" => x[0].index_select(1, &case.ids("ids")),
        "gather" => x[0].gather(1, &case.ids("ids")),
        "scatter_add" => x[0].scatter_add(1, &case.ids("ids"), &x[1]),
        "flip" => x[0].flip(&[0, 2]),
        "roll" => x[0].roll(-3, 1),
        "repeat" => x[0].repeat(&[2, 1, 3, 2]),
        "cumsum" => x[0].cumsum(1),
        "sort" => Ok(x[0].sort(1, true)?.0),
        "topk" => Ok(x[0].topk(2, 1)?.0),
        "tril" => x[0].tril(-1),
        "triu" => x[0].triu(1),
        "pad" => x[0].pad(-1, 2, 1, number(0.5)),
        "unfold" => x[0].unfold(1, 3, 1),
        "chunk" => {
            let parts = x[0].chunk(3, 1)?;
            cat(&parts.iter().rev().collect::<Vec<_>>(), 1)
        }
        "bmm" => x[0].bmm(&x[1]),
        "outer" => x[0].outer(&x[1]),
        "einsum" => einsum(settings, &x.iter().collect::<Vec<_>>()),
        "norm" => match settings {
            "L1" => x[0].norm(Norm::L1, &[-1]),
            "L2" => x[0].norm(Norm::L2, &[-1]),
            _ => x[0].norm(Norm::Infinity, &[-1]),
        },
        "std" => x[0].std_axes(&[-1], numbers::<1>(settings)[0]),
        "cosine_similarity" => cosine_similarity(&x[0], &x[1], -1, number(1e-8)),
        "conv1d" => conv1d(&x[0], &x[1], x.get(2), &convolution(settings)),
        "max_pool1d" => max_pool1d(&x[0], &pooling(settings)),
        "avg_pool1d" => avg_pool1d(&x[0], &pooling(settings)),
        _ => panic!("no operation {name}"),
    }
}

fn numbers<const N: usize>(settings: &str) -> [usize; N] {
    let numbers: Vec<usize> = settings.split(' ').map(|n| n.parse().unwrap()).collect();
    numbers.try_into().unwrap()
}

fn convolution(settings: &str) -> Conv1dOptions {
    let [stride, padding, dilation, groups] = numbers(settings);
    Conv1dOptions {
        stride,
        padding,
        dilation,
        groups,
    }
}

fn pooling(settings: &str) -> PoolOptions {
    let [size, stride, padding] = numbers(settings);
    PoolOptions {
        size,
        stride,
        padding,
    }
}
