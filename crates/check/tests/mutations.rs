//! Wrong gradients planted on purpose: the checks must find each, and must let the right ones pass.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_check::{Failure, Options, gradcheck, gradgradcheck};
use lexigrad_tensor::{
    Cotangents, EmbeddingOptions, Ids, Needs, Op, Result, RowSparse, Saved, Saves, Tensor, apply,
    embedding, gather_rows, scatter_rows,
};

/// `y = x³`, with a derivative that a test chooses.
struct Cube<D>(D);

impl<D: Fn(&Tensor<f64>) -> Tensor<f64> + 'static> Op<f64> for Cube<D> {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0)
    }

    fn forward(&mut self, inputs: &[&Tensor<f64>]) -> Result<Tensor<f64>> {
        let cubes: Vec<f64> = inputs[0].values().iter().map(|x| x * x * x).collect();
        Tensor::from_slice(&cubes, inputs[0].shape())
    }

    fn vjp(&self, saved: &Saved<'_, f64>, cotangent: Tensor<f64>) -> Result<Cotangents<f64>> {
        Ok(Cotangents::one(cotangent.mul(&(self.0)(saved.input(0)))?))
    }
}

fn x() -> Tensor<f64> {
    Tensor::new([[0.5, -1.5], [2.0, 0.25]])
}

fn check(f: impl Fn(&[Tensor<f64>]) -> Result<Tensor<f64>>) -> Result<(), Failure> {
    gradcheck("planted", f, &[x()], &Options::default())
}

fn check_cube(
    derivative: impl Fn(&Tensor<f64>) -> Tensor<f64> + Copy + 'static,
) -> Result<(), Failure> {
    check(|x| apply(Cube(derivative), &[&x[0]]))
}

#[test]
fn a_right_derivative_passes_at_both_orders() {
    let right = |x: &Tensor<f64>| x.square().mul_scalar(3.0);
    check_cube(right).unwrap();
    gradgradcheck(
        "cube",
        |x| apply(Cube(right), &[&x[0]]),
        &[x()],
        &Options::default(),
    )
    .unwrap();
}

#[test]
fn a_wrong_derivative_is_found() {
    assert!(
        check_cube(|x| x.square().mul_scalar(-3.0)).is_err(),
        "wrong sign"
    );
    assert!(check_cube(|x| x.square()).is_err(), "missing factor");
    assert!(
        check_cube(|x| x.square().mul_scalar(3.0 + 1e-4)).is_err(),
        "factor off by a little"
    );
    assert!(check_cube(|x| x.mul_scalar(3.0)).is_err(), "wrong power");
    assert!(
        check_cube(|x| x.square().mul_scalar(3.0).add_scalar(1e-5)).is_err(),
        "offset"
    );
    assert!(
        check_cube(|x| x.square().mul_scalar(3.0).transpose(0, 1).unwrap()).is_err(),
        "transposed"
    );
    let one_wrong = |x: &Tensor<f64>| {
        let mask = x.mask(|x| x == 2.0);
        x.square().mul_scalar(3.0).masked_fill(&mask, 0.0).unwrap()
    };
    assert!(
        check_cube(one_wrong).is_err(),
        "one element without a gradient"
    );
}

#[test]
fn a_derivative_that_cannot_be_differentiated_is_found_by_the_second_order() {
    let constant = |x: &Tensor<f64>| x.detach().square().mul_scalar(3.0);
    check_cube(constant).unwrap();
    let found = gradgradcheck(
        "cube",
        |x| apply(Cube(constant), &[&x[0]]),
        &[x()],
        &Options::default(),
    );
    assert!(
        matches!(found, Err(Failure::Mismatch(found)) if found.derivative == "second derivative")
    );
}

#[test]
fn a_failure_says_what_where_and_how_much() {
    let text = check_cube(|x| x.square()).unwrap_err().to_string();
    assert!(
        text.starts_with("planted: gradient by input 0 at [0, 0] is 2.5e-1, numerically 7."),
        "{text}"
    );
    assert!(
        text.contains("tolerance") && text.ends_with("seed 0)"),
        "{text}"
    );
}

#[test]
fn a_large_input_is_checked_along_random_directions() {
    let large = Tensor::uniform([40, 30], -1.0, 1.0, &mut rand::rng());
    let wrong = |x: &Tensor<f64>| x.square().mul_scalar(3.001);
    let found = gradcheck(
        "cube",
        |x| apply(Cube(wrong), &[&x[0]]),
        &[large],
        &Options::default(),
    );
    assert!(matches!(found, Err(Failure::Mismatch(found)) if found.coordinate.is_none()));
}

/// A product whose gradients a test changes.
struct Product<G>(G);

impl<G> Op<f64> for Product<G>
where
    G: Fn(&Tensor<f64>, &Tensor<f64>, &Tensor<f64>) -> [Option<Tensor<f64>>; 2] + 'static,
{
    fn name(&self) -> &'static str {
        "product"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::input(1))
    }

    fn forward(&mut self, inputs: &[&Tensor<f64>]) -> Result<Tensor<f64>> {
        inputs[0].detach().mul(&inputs[1].detach())
    }

    fn vjp(&self, saved: &Saved<'_, f64>, cotangent: Tensor<f64>) -> Result<Cotangents<f64>> {
        let [first, second] = (self.0)(saved.input(0), saved.input(1), &cotangent);
        Ok(Cotangents::two(first, second))
    }
}

type Gradients = [Option<Tensor<f64>>; 2];

fn check_product(
    gradients: impl Fn(&Tensor<f64>, &Tensor<f64>, &Tensor<f64>) -> Gradients + Copy + 'static,
) -> Result<(), Failure> {
    let inputs = [x(), Tensor::new([0.7, -0.3])];
    let f = |x: &[Tensor<f64>]| apply(Product(gradients), &[&x[0], &x[1]]);
    gradcheck("product", f, &inputs, &Options::default())
}

#[test]
fn a_wrong_product_rule_is_found() {
    let times = |x: &Tensor<f64>, y: &Tensor<f64>| Some(x.mul(y).unwrap());
    check_product(move |x, y, g| [times(g, y), times(g, x)]).unwrap();
    assert!(
        check_product(move |x, _, g| [times(g, x), times(g, x)]).is_err(),
        "operands exchanged"
    );
    assert!(
        check_product(move |_, y, g| [times(g, y), None]).is_err(),
        "a gradient dropped"
    );
    let first_row = |t: Tensor<f64>| t.narrow(0, 0, 1).unwrap().squeeze(0).unwrap();
    assert!(
        check_product(move |x, y, g| [times(g, y), times(g, x).map(first_row)]).is_err(),
        "the broadcast sum forgotten"
    );
    let mean = |t: Tensor<f64>| t.mean_axes(&[0]).unwrap();
    assert!(
        check_product(move |x, y, g| [times(g, y), times(g, x).map(mean)]).is_err(),
        "a mean for a sum"
    );
}

/// A lookup whose rows a test moves or drops.
struct Lookup<R> {
    ids: Ids,
    gradient: R,
}

impl<R: Fn(&Ids, Tensor<f64>) -> RowSparse<f64> + 'static> Op<f64> for Lookup<R> {
    fn name(&self) -> &'static str {
        "lookup"
    }

    fn forward(&mut self, inputs: &[&Tensor<f64>]) -> Result<Tensor<f64>> {
        gather_rows(&inputs[0].detach(), &self.ids)
    }

    fn vjp(&self, _saved: &Saved<'_, f64>, cotangent: Tensor<f64>) -> Result<Cotangents<f64>> {
        Ok(Cotangents::row_sparse((self.gradient)(
            &self.ids, cotangent,
        )))
    }
}

fn check_lookup(
    gradient: impl Fn(&Ids, Tensor<f64>) -> RowSparse<f64> + Copy + 'static,
) -> Result<(), Failure> {
    let ids = Ids::new([2, 0, 2]).unwrap();
    let table = Tensor::uniform([4, 2], -1.0, 1.0, &mut rand::rng());
    let f = |x: &[Tensor<f64>]| {
        let ids = ids.clone();
        Ok(apply(Lookup { ids, gradient }, &[&x[0]])?.square())
    };
    gradcheck("lookup", f, &[table], &Options::default())
}

#[test]
fn a_wrong_scatter_is_found() {
    let right = |ids: &Ids, g| RowSparse::new(ids.clone(), g, 4).unwrap();
    check_lookup(right).unwrap();
    let shifted = |ids: &Ids, g| {
        let rows: Vec<u32> = ids.as_slice().iter().map(|row| (row + 1) % 4).collect();
        RowSparse::new(Ids::new(rows).unwrap(), g, 4).unwrap()
    };
    assert!(check_lookup(shifted).is_err(), "rows off by one");
    let reversed = |ids: &Ids, g| {
        let rows: Vec<u32> = ids.as_slice().iter().rev().map(|row| row ^ 2).collect();
        RowSparse::new(Ids::new(rows).unwrap(), g, 4).unwrap()
    };
    assert!(check_lookup(reversed).is_err(), "rows in another order");
    let last_wins = |ids: &Ids, g: Tensor<f64>| {
        let kept = Ids::new([1, 2]).unwrap();
        let rows = Ids::new([ids.as_slice()[1], ids.as_slice()[2]]).unwrap();
        RowSparse::new(rows, gather_rows(&g, &kept).unwrap(), 4).unwrap()
    };
    assert!(
        check_lookup(last_wins).is_err(),
        "a repeated row counted once"
    );
    let doubled =
        |ids: &Ids, g: Tensor<f64>| RowSparse::new(ids.clone(), g.mul_scalar(2.0), 4).unwrap();
    assert!(check_lookup(doubled).is_err(), "rows counted twice");
    let averaged = |ids: &Ids, g: Tensor<f64>| {
        let counts = Tensor::new([[0.5], [1.0], [0.5]]);
        RowSparse::new(ids.clone(), g.mul(&counts).unwrap(), 4).unwrap()
    };
    assert!(check_lookup(averaged).is_err(), "repeats averaged");
}

#[test]
fn a_convention_is_told_from_a_derivative() {
    let ids = Ids::new([[1, 0], [1, 2]]).unwrap();
    let table = Tensor::uniform([3, 2], -1.0, 1.0, &mut rand::rng());
    let check = |options: EmbeddingOptions| {
        let f = |x: &[Tensor<f64>]| embedding(&x[0], &ids, &options);
        gradcheck(
            "embedding",
            f,
            std::slice::from_ref(&table),
            &Options::default(),
        )
    };
    check(EmbeddingOptions::default()).unwrap();
    let padded = EmbeddingOptions {
        padding: Some(0),
        ..EmbeddingOptions::default()
    };
    assert!(check(padded).is_err(), "the padding row has no gradient");
    let scaled = EmbeddingOptions {
        scale_grad_by_freq: true,
        ..EmbeddingOptions::default()
    };
    assert!(check(scaled).is_err(), "row 1 gets half of its gradient");
}

#[test]
fn empty_inputs_and_unused_ones_are_fine() {
    let empty = Tensor::zeros([0, 3]);
    let f = |x: &[Tensor<f64>]| scatter_rows(&x[0], &Ids::new(Vec::<u32>::new())?, 2);
    gradcheck("scatter", f, &[empty], &Options::default()).unwrap();
    let ignores = |x: &[Tensor<f64>]| Ok(x[0].exp());
    gradcheck("first of two", ignores, &[x(), x()], &Options::default()).unwrap();
    gradgradcheck("first of two", ignores, &[x(), x()], &Options::default()).unwrap();
    let constant = |x: &[Tensor<f64>]| Ok(x[0].detach().mul_scalar(0.0));
    gradcheck("constant", constant, &[x()], &Options::default()).unwrap();
}
