//! Layer normalisation: each row centred and scaled to variance 1, then scaled and shifted.

use lexigrad_kernels::layer_norm as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::room;
use crate::tensor::Tensor;

/// `y = (x - mean) / √(var + eps) w + b` on rows `[rows, columns]`; inputs x, w if `has_weight`, b if `has_bias`.
struct LayerNorm<T: Element> {
    eps: T,
    has_weight: bool,
    has_bias: bool,
    /// Mean and 1 / std of each row, from the forward pass.
    statistics: Vec<(T, T)>,
}

impl<T: Element> Op<T> for LayerNorm<T> {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::input(1).when(self.has_weight))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let x = inputs[0];
        let weight = self.has_weight.then(|| inputs[1].read()).transpose()?;
        let bias = self
            .has_bias
            .then(|| inputs[1 + usize::from(self.has_weight)].read())
            .transpose()?;
        let affine = kernels::Affine {
            weight: weight.as_deref(),
            bias: bias.as_deref(),
        };
        let (eps, values) = (self.eps, x.read()?);
        let mut statistics = room::filled(x.shape()[0], (T::zero(), T::zero()))?;
        let output = Tensor::build(x.shape(), |out| {
            kernels::layer_norm(&values, affine, eps, &mut statistics, out);
        });
        if needs.any() {
            self.statistics = statistics;
        }
        output
    }

    /// With `n = (x - mean) / std` and `h = g w`: `dx = (h - mean h - n mean(h n)) / std`, `dw = Σ g n`, `db = Σ g`.
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let x = saved.input(0);
        let centred = x.sub(&x.mean_keep(&[-1])?)?;
        let variance = centred.square().mean_keep(&[-1])?;
        let inverse_std = variance.add_scalar(self.eps).sqrt().recip();
        let normal = centred.mul(&inverse_std)?;
        let weighted = match self.has_weight {
            true => cotangent.mul(saved.input(1))?,
            false => cotangent.clone(),
        };
        let along = normal.mul(&weighted.mul(&normal)?.mean_keep(&[-1])?)?;
        let across = weighted.sub(&weighted.mean_keep(&[-1])?)?.sub(&along)?;
        let dx = across.mul(&inverse_std)?;
        let dweight = cotangent.mul(&normal)?.sum_axes(&[0])?;
        Ok(self.gradients(dx, dweight, cotangent.sum_axes(&[0])?))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let x = saved.input(0);
        let columns = x.shape()[1];
        let (values, g) = (x.read()?, cotangent.read()?);
        let weight = self.has_weight.then(|| saved.input(1).read()).transpose()?;
        let rows = kernels::Rows {
            x: &values,
            columns,
            statistics: &self.statistics,
        };
        let mut sums = Vec::new();
        let dx = Tensor::build(x.shape(), |out| {
            sums = kernels::layer_norm_backward(rows, weight.as_deref(), &g, out);
        })?;
        let sum = |which: usize| {
            Tensor::build([columns], |out| {
                out.copy_from_slice(&sums[which * columns..][..columns]);
            })
        };
        Ok(self.gradients(dx, sum(0)?, sum(1)?))
    }
}

impl<T: Element> LayerNorm<T> {
    fn gradients(&self, dx: Tensor<T>, dweight: Tensor<T>, dbias: Tensor<T>) -> Cotangents<T> {
        let weight = self.has_weight.then_some(Some(dweight));
        let bias = self.has_bias.then_some(Some(dbias));
        [Some(dx)].into_iter().chain(weight).chain(bias).collect()
    }
}

/// `y = (x - mean) / √(var + eps) w + b` over the last axes, `x: [.., n1, ..]`, `w` and `b: [n1, ..]`, the variance biased.
///
/// `axes` is how many of the last axes are normalised together (Ba, Kiros and Hinton 2016).
///
/// # Errors
/// If there are not so many axes, `w` or `b` does not have their shape, or `eps` is negative or NaN.
///
/// PyTorch: `nn.functional.layer_norm`.
#[compiled]
pub fn layer_norm<T: Element>(
    x: &Tensor<T>,
    axes: usize,
    weight: Option<&Tensor<T>>,
    bias: Option<&Tensor<T>>,
    eps: f64,
) -> Result<Tensor<T>> {
    if axes == 0 || axes > x.rank() {
        let rule =
            format!("it must have at least the {axes} axes to normalise, and those at least one");
        return Err(Error::shape("layer_norm", "the input", x.shape(), rule));
    }
    if eps.is_nan() || eps < 0.0 {
        return Err(Error::value("layer_norm", "eps", eps, "0 or more"));
    }
    let normalised = &x.shape()[x.rank() - axes..];
    for (name, affine) in [("the weight", weight), ("the bias", bias)] {
        if let Some(affine) = affine.filter(|affine| affine.shape()[..] != *normalised) {
            let rule = format!("it must be {normalised:?}, the normalised axes");
            return Err(Error::shape("layer_norm", name, affine.shape(), rule));
        }
    }
    let columns: usize = normalised.iter().product();
    let rows = x.shape()[..x.rank() - axes].iter().product::<usize>();
    let flat = |affine: &Tensor<T>| affine.reshape([columns]);
    let input = x.reshape([rows, columns])?;
    let (weight, bias) = (weight.map(flat).transpose()?, bias.map(flat).transpose()?);
    let op = LayerNorm {
        eps: T::from_f64(eps),
        has_weight: weight.is_some(),
        has_bias: bias.is_some(),
        statistics: Vec::new(),
    };
    let inputs: Vec<&Tensor<T>> = [Some(&input), weight.as_ref(), bias.as_ref()]
        .into_iter()
        .flatten()
        .collect();
    apply(op, &inputs)?.reshape(x.shape())
}
