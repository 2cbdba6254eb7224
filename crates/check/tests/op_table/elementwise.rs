//! Functions of each element, of one tensor or two.

use lexigrad_check::strategies::{Domain, broadcast_pair, shape, tensor};
use lexigrad_check::{Case, Row, row};
use lexigrad_tensor::{Tensor, checkpoint};
use proptest::prelude::*;

#[test]
fn elementwise_operations() {
    crate::run(&rows());
}

fn one(domain: Domain) -> impl Strategy<Value = Case> {
    let shapes = shape(0..=3, 0..=3);
    shapes
        .prop_flat_map(move |shape| tensor(shape, domain))
        .prop_map(|x| Case::of(vec![x]))
}

fn two(left: Domain, right: Domain) -> impl Strategy<Value = Case> {
    broadcast_pair()
        .prop_flat_map(move |(x, y)| (tensor(x, left), tensor(y, right)))
        .prop_map(|(x, y)| Case::of(vec![x, y]))
}

/// Two tensors no elements of which are near each other: those of the second lie between those of the first.
fn apart() -> impl Strategy<Value = Case> {
    two(Domain::AwayFromKinks, Domain::Any).prop_map(|mut case| {
        let x = case.tensors[0].mul_scalar(10.0);
        let rounded: Vec<f64> = x.to_vec().iter().map(|x| x.round()).collect();
        let halves: Vec<f64> = case.tensors[1]
            .to_vec()
            .iter()
            .map(|y| (y * 10.0).floor() + 0.5)
            .collect();
        case.tensors[0] = Tensor::from(rounded).reshape(x.shape()).unwrap();
        let shape = case.tensors[1].shape().clone();
        case.tensors[1] = Tensor::from(halves).reshape(shape).unwrap();
        case
    })
}

/// A batch of matrices.
fn square() -> impl Strategy<Value = Case> {
    let shapes = shape(3, 0..=3);
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

pub fn rows() -> Vec<Row> {
    use Domain::{Any, AwayFromKinks, Positive};
    let functions = vec![
        row!("exp", one(Any), |x, _ids| Ok(x[0].exp())),
        row!("ln", one(Positive), |x, _ids| Ok(x[0].ln())),
        row!("sqrt", one(Positive), |x, _ids| Ok(x[0].sqrt())),
        row!("square", one(Any), |x, _ids| Ok(x[0].square())),
        row!("recip", one(Positive), |x, _ids| Ok(x[0].recip())),
        row!("powf 2.5", one(Positive), |x, _ids| Ok(x[0].powf(2.5))),
        row!("powf 3", one(Any), |x, _ids| Ok(x[0].powf(3.0))),
        row!("powf 0", one(Any), |x, _ids| Ok(x[0].powf(0.0))),
        row!("abs", one(AwayFromKinks), |x, _ids| Ok(x[0].abs())),
        row!("erf", one(Any), |x, _ids| Ok(x[0].erf())),
        row!("clamp", one(AwayFromKinks), |x, _ids| x[0].clamp(-4.0, 0.0)),
        row!("add_scalar", one(Any), |x, _ids| Ok(x[0].add_scalar(1.5))),
        row!("mul_scalar", one(Any), |x, _ids| Ok(x[0].mul_scalar(-1.5))),
        row!("neg", one(Any), |x, _ids| Ok(x[0].neg())),
        row!("tanh", one(Any), |x, _ids| Ok(x[0].tanh())),
        row!("sigmoid", one(Any), |x, _ids| Ok(x[0].sigmoid())),
        row!("relu", one(AwayFromKinks), |x, _ids| Ok(x[0].relu())),
        row!("gelu", one(Any), |x, _ids| Ok(x[0].gelu())),
        row!("gelu_tanh", one(Any), |x, _ids| Ok(x[0].gelu_tanh())),
        row!("silu", one(Any), |x, _ids| Ok(x[0].silu())),
        row!("softplus", one(Any), |x, _ids| Ok(x[0].softplus())),
        row!("log_sigmoid", one(Any), |x, _ids| Ok(x[0].log_sigmoid())),
        row!("elu", one(AwayFromKinks), |x, _ids| Ok(x[0].elu(0.7))),
        row!("leaky_relu", one(AwayFromKinks), |x, _ids| {
            Ok(x[0].leaky_relu(0.1).square())
        }),
        row!("exp_m1", one(Any), |x, _ids| Ok(x[0].exp_m1())),
        row!("ln_1p", one(Positive), |x, _ids| Ok(x[0].ln_1p())),
        row!("sin", one(Any), |x, _ids| Ok(x[0].sin())),
        row!("cos", one(Any), |x, _ids| Ok(x[0].cos())),
        row!("masked_fill", one(AwayFromKinks), |x, _ids| {
            let mask = x[0].detach().mask(|x| x > 1.0);
            x[0].square().masked_fill(&mask, 7.0)
        }),
        row!("map_gradient", one(Any), |x, _ids| {
            let looked_at = x[0].square().map_gradient(|gradient| Ok(gradient.clone()));
            Ok(looked_at.square())
        }),
        row!("inspect_gradient", one(Any), |x, _ids| {
            let looked_at = x[0].square().inspect_gradient(|gradient| {
                gradient.to_vec();
            });
            Ok(looked_at.square())
        }),
        row!("checkpoint", one(Any), |x, _ids| {
            let input = x[0].square();
            checkpoint(move || input.tanh().mul(&input))
        }),
    ];
    let functions = functions.into_iter().map(|row| row.batched(crate::FIRST));
    let of_two = vec![
        row!("add", two(Any, Any), |x, _ids| x[0].add(&x[1])),
        row!("sub", two(Any, Any), |x, _ids| x[0].sub(&x[1])),
        row!("mul", two(Any, Any), |x, _ids| x[0].mul(&x[1])),
        row!("mul with itself", one(Any), |x, _ids| x[0].mul(&x[0])),
        row!("div", two(Any, Positive), |x, _ids| x[0].div(&x[1])),
        row!("maximum", apart(), |x, _ids| x[0].maximum(&x[1])),
        row!("minimum", apart(), |x, _ids| x[0].minimum(&x[1])),
        row!(
            "where_mask",
            two(AwayFromKinks, AwayFromKinks),
            |x, _ids| {
                let mask = x[1].mask(|x| x > 0.0);
                x[0].where_mask(&mask, &x[1].square())
            }
        ),
        row!("tril", square(), |x, _ids| Ok(x[0].tril(0)?.square())),
        row!("triu", square(), |x, _ids| Ok(x[0].triu(1)?.square())),
    ];
    functions.chain(of_two).collect()
}
