//! Bugs in the formula of a gradient.

use lexigrad_tensor::{Cotangents, Ids, Tensor};

use crate::{Forward, is_caught, is_caught_by_the_second_order, matrix, one, passes};

const CUBE: Forward = |x| Ok(x[0].powf(3.0));

#[test]
fn of_a_power() {
    let x = [matrix()];
    passes(&x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square().mul_scalar(3.0))?)
    });
    is_caught("a wrong sign", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square().mul_scalar(-3.0))?)
    });
    is_caught("a missing factor", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square())?)
    });
    is_caught("a factor off by a little", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square().mul_scalar(3.0001))?)
    });
    is_caught("a wrong power", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].mul_scalar(3.0))?)
    });
    is_caught("an offset", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square().mul_scalar(3.0).add_scalar(1e-5))?)
    });
    is_caught("a transposed gradient", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].square().mul_scalar(3.0).transpose(0, 1)?)?)
    });
    is_caught("one element without a gradient", &x, CUBE, |x, _, g| {
        let hidden = x[0].detach().mask(|x| x == 2.0);
        one(g
            .mul(&x[0].square().mul_scalar(3.0))?
            .masked_fill(&hidden, 0.0)?)
    });
    is_caught_by_the_second_order("a derivative that is held constant", &x, CUBE, |x, _, g| {
        one(g.mul(&x[0].detach().square().mul_scalar(3.0))?)
    });
    is_caught_by_the_second_order("a cotangent that is held constant", &x, CUBE, |x, _, g| {
        one(g.detach().mul(&x[0].square().mul_scalar(3.0))?)
    });
}

const PRODUCT: Forward = |x| x[0].mul(x[1]);

#[test]
fn of_a_broadcast_product() {
    let x = [matrix(), Tensor::new([0.7, -0.3])];
    passes(&x, PRODUCT, |x, _, g| {
        Ok(Cotangents::two(Some(g.mul(x[1])?), Some(g.mul(x[0])?)))
    });
    is_caught("operands exchanged", &x, PRODUCT, |x, _, g| {
        Ok(Cotangents::two(Some(g.mul(x[0])?), Some(g.mul(x[0])?)))
    });
    is_caught("a gradient dropped", &x, PRODUCT, |x, _, g| {
        Ok(Cotangents::two(Some(g.mul(x[1])?), None))
    });
    is_caught("a forgotten broadcast sum", &x, PRODUCT, |x, _, g| {
        let first_row = g.mul(x[0])?.narrow(0, 0, 1)?.squeeze(0)?;
        Ok(Cotangents::two(Some(g.mul(x[1])?), Some(first_row)))
    });
    is_caught("a mean for a sum", &x, PRODUCT, |x, _, g| {
        Ok(Cotangents::two(
            Some(g.mul(x[1])?),
            Some(g.mul(x[0])?.mean_axes(&[0])?),
        ))
    });
}

#[test]
fn of_a_product_with_itself() {
    const SQUARE: Forward = |x| x[0].mul(x[0]);
    let x = [matrix()];
    passes(&x, SQUARE, |x, _, g| {
        one(g.mul(x[0])?.add(&g.mul(x[0])?)?)
    });
    is_caught("a dropped accumulation", &x, SQUARE, |x, _, g| {
        one(g.mul(x[0])?)
    });
}

#[test]
fn of_a_matrix_product() {
    const MATMUL: Forward = |x| x[0].matmul(x[1]);
    let x = [matrix(), Tensor::new([[1.0, 0.5], [-2.0, 3.0]])];
    passes(&x, MATMUL, |x, _, g| {
        let (left, right) = (
            g.matmul(&x[1].transpose(0, 1)?)?,
            x[0].transpose(0, 1)?.matmul(g)?,
        );
        Ok(Cotangents::two(Some(left), Some(right)))
    });
    is_caught("a forgotten transpose", &x, MATMUL, |x, _, g| {
        Ok(Cotangents::two(
            Some(g.matmul(x[1])?),
            Some(x[0].transpose(0, 1)?.matmul(g)?),
        ))
    });
    is_caught("factors in the wrong order", &x, MATMUL, |x, _, g| {
        let left = g.matmul(&x[1].transpose(0, 1)?)?;
        Ok(Cotangents::two(
            Some(left),
            Some(g.matmul(&x[0].transpose(0, 1)?)?),
        ))
    });
}

#[test]
fn of_activations() {
    const TANH: Forward = |x| Ok(x[0].tanh());
    let x = [matrix()];
    passes(&x, TANH, |_, y, g| {
        one(g.mul(&y.square().neg().add_scalar(1.0))?)
    });
    is_caught("an input read for the output", &x, TANH, |x, _, g| {
        one(g.mul(&x[0].square().neg().add_scalar(1.0))?)
    });
    const RELU: Forward = |x| Ok(x[0].relu());
    passes(&x, RELU, |x, _, g| {
        one(g.masked_fill(&x[0].detach().mask(|x| x < 0.0), 0.0)?)
    });
    is_caught("a gradient where the unit is off", &x, RELU, |_, _, g| {
        one(g.clone())
    });
}

#[test]
fn of_reductions() {
    const MEAN: Forward = |x| x[0].mean_axes(&[0]);
    let x = [Tensor::new([[0.5, -1.5, 1.0], [2.0, 0.25, 3.0]])];
    passes(&x, MEAN, |x, _, g| {
        one(g.mul_scalar(0.5).expand(x[0].shape())?)
    });
    is_caught("a mean over the wrong count", &x, MEAN, |x, _, g| {
        one(g.mul_scalar(1.0 / 3.0).expand(x[0].shape())?)
    });
    const MAX: Forward = |x| x[0].max_axes(&[-1]);
    passes(&x, MAX, |x, _, g| {
        let hot: Tensor<f64> = x[0].detach().argmax(-1)?.one_hot(3)?;
        one(g.unsqueeze(-1)?.mul(&hot)?)
    });
    is_caught(
        "a maximum's gradient to the first element",
        &x,
        MAX,
        |_, _, g| {
            let hot: Tensor<f64> = Ids::new([0, 0])?.one_hot(3)?;
            one(g.unsqueeze(-1)?.mul(&hot)?)
        },
    );
    const CUMSUM: Forward = |x| x[0].cumsum(1);
    passes(&x, CUMSUM, |_, _, g| {
        one(g.flip(&[1])?.cumsum(1)?.flip(&[1])?)
    });
    is_caught("a sum in the wrong direction", &x, CUMSUM, |_, _, g| {
        one(g.cumsum(1)?)
    });
}

#[test]
fn of_normalisations() {
    let x = [Tensor::new([[0.5, -1.5, 1.0], [2.0, 0.25, 3.0]])];
    const SOFTMAX: Forward = |x| x[0].softmax(-1);
    passes(&x, SOFTMAX, |_, y, g| {
        let weighted = g.mul(y)?;
        one(weighted.sub(&y.mul(&weighted.sum_keep(&[-1])?)?)?)
    });
    is_caught("a softmax without its sum", &x, SOFTMAX, |_, y, g| {
        one(g.mul(y)?)
    });
    is_caught("a sum over the wrong axis", &x, SOFTMAX, |_, y, g| {
        let weighted = g.mul(y)?;
        one(weighted.sub(&y.mul(&weighted.sum_keep(&[0])?)?)?)
    });
    const CENTRE: Forward = |x| x[0].sub(&x[0].mean_keep(&[-1])?);
    passes(&x, CENTRE, |_, _, g| one(g.sub(&g.mean_keep(&[-1])?)?));
    is_caught("a mean taken for a constant", &x, CENTRE, |_, _, g| {
        one(g.clone())
    });
    const NORM: Forward = |x| Ok(x[0].square().sum().sqrt());
    passes(&x, NORM, |x, y, g| one(x[0].mul(g)?.div(y)?));
    is_caught(
        "a norm's gradient that is not divided",
        &x,
        NORM,
        |x, _, g| one(x[0].mul(g)?),
    );
}

#[test]
fn of_a_loss() {
    const LOSS: Forward = |x| {
        let picked = x[0].log_softmax(-1)?.gather(-1, &Ids::new([[2], [0]])?)?;
        Ok(picked.mean().neg())
    };
    let x = [Tensor::new([[0.5, -1.5, 1.0], [2.0, 0.25, 3.0]])];
    passes(&x, LOSS, |x, _, g| {
        let hot: Tensor<f64> = Ids::new([2, 0])?.one_hot(3)?;
        one(x[0].softmax(-1)?.sub(&hot)?.mul_scalar(0.5).mul(g)?)
    });
    is_caught("a loss without its targets", &x, LOSS, |x, _, g| {
        one(x[0].softmax(-1)?.mul_scalar(0.5).mul(g)?)
    });
    is_caught("a mean's gradient that is a sum's", &x, LOSS, |x, _, g| {
        let hot: Tensor<f64> = Ids::new([2, 0])?.one_hot(3)?;
        one(x[0].softmax(-1)?.sub(&hot)?.mul(g)?)
    });
}
