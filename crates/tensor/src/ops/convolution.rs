//! Convolution and pooling over time, as products and reductions of windows.

use lexigrad_kernels::convolution::{self as kernels, Sizes};
use lexigrad_macros::compiled;

use super::join::cat;
use super::windows::{Fold, Windows};
use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::room;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How a window moves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv1dOptions {
    /// The distance between windows.
    pub stride: usize,
    /// Zeros put at either end.
    pub padding: usize,
    /// The distance between the elements of a window.
    pub dilation: usize,
    /// Into how many groups the channels are cut; each output reads the inputs of its group alone.
    pub groups: usize,
}

impl Default for Conv1dOptions {
    fn default() -> Self {
        Self {
            stride: 1,
            padding: 0,
            dilation: 1,
            groups: 1,
        }
    }
}

/// `y[b, o, t] = bias[o] + Σ weight[o, c, k] x[b, c, t stride + k dilation - padding]`, `x: [B, C, L]`, `weight: [O, C / groups, K]`,
/// `bias: [O]`, `y: [B, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1]`.
///
/// ```
/// use lexigrad_tensor::{Conv1dOptions, Tensor, conv1d};
/// let x: Tensor = Tensor::new([[[1.0, 2.0, 4.0]]]);
/// let weight: Tensor = Tensor::new([[[-1.0, 1.0]]]);
/// assert_eq!(conv1d(&x, &weight, None, &Conv1dOptions::default())?.to_vec(), [1.0, 2.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, the groups do not divide the channels, or a window does not fit into the padded input.
///
/// PyTorch: `nn.functional.conv1d`; like there it is a cross-correlation.
#[compiled]
pub fn conv1d<T: Element>(
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    options: &Conv1dOptions,
) -> Result<Tensor<T>> {
    let Conv1dOptions {
        stride,
        padding,
        dilation,
        groups,
    } = *options;
    check_conv1d(x, weight, bias, groups)?;
    let padded = if padding > 0 {
        x.pad(-1, padding, padding, T::zero())?
    } else {
        x.clone()
    };
    let size = weight.shape()[2];
    let windows = Windows::new(2, padded.shape()[2], [size, stride, dilation])
        .map_err(|rule| Error::shape("conv1d", "the padded input", padded.shape(), rule))?;
    let by_group = |tensor: &Tensor<T>, axis: isize| {
        let size = tensor.shape()[axis as usize] / groups;
        let mut parts = room::room(&Shape::from(groups))?;
        for group in 0..groups {
            parts.push(tensor.narrow(axis, group * size, size)?);
        }
        Ok::<_, Error>(parts)
    };
    let convolve = |x: &Tensor<T>, weight: &Tensor<T>, bias: Option<&Tensor<T>>| {
        let inputs = [x, weight].into_iter().chain(bias);
        apply(Convolution(windows), &inputs.collect::<Vec<_>>())
    };
    if groups == 1 {
        return convolve(&padded, weight, bias);
    }
    let (inputs, weights) = (by_group(&padded, 1)?, by_group(weight, 0)?);
    let outputs = inputs.iter().zip(&weights);
    let outputs = outputs.map(|(x, weight)| convolve(x, weight, None));
    let outputs = outputs.collect::<Result<Vec<_>>>()?;
    let output = cat(&outputs.iter().collect::<Vec<_>>(), 1)?;
    match bias {
        Some(bias) => output.add(&bias.unsqueeze(-1)?),
        None => Ok(output),
    }
}

/// `y[b, o, t] = bias[o] + Σ weight[o, c, k] window[b, c, t, k]`, x: `[B, C, L]`.
///
/// Works on texts whose channels stand together, `[B, L, C]`, as a lookup makes them, and its output is a view of `[B, L', O]`.
struct Convolution(Windows);

impl Convolution {
    fn sizes<T: Element>(&self, x: &Tensor<T>, weight: &Tensor<T>) -> Sizes {
        let Windows {
            size,
            step,
            dilation,
            whole,
            ..
        } = self.0;
        Sizes {
            batch: x.shape()[0],
            length: whole,
            channels: x.shape()[1],
            outputs: weight.shape()[0],
            size,
            step,
            dilation,
            count: self.0.count(),
        }
    }

    /// The gradients in tensor operations, on windows written out.
    fn composed<T: Element>(
        &self,
        x: &Tensor<T>,
        weight: &Tensor<T>,
        grad: &Tensor<T>,
    ) -> Result<[Tensor<T>; 2]> {
        let sizes = self.sizes(x, weight);
        let Sizes {
            batch,
            channels,
            outputs,
            size,
            count,
            ..
        } = sizes;
        let (rows, inner) = (batch * count, channels * size);
        let windows = apply(self.0, &[x])?
            .permute(&[0, 2, 1, 3])?
            .reshape([rows, inner])?;
        let grad = grad.permute(&[0, 2, 1])?.reshape([rows, outputs])?;
        let dw = grad.transpose(0, 1)?.matmul(&windows)?;
        let dx = grad.matmul(&weight.reshape([outputs, inner])?)?;
        let dx = dx
            .reshape([batch, count, channels, size])?
            .permute(&[0, 2, 1, 3])?;
        Ok([apply(Fold(self.0), &[&dx])?, dw.reshape(weight.shape())?])
    }

    /// The gradients of those that need one, in one pass.
    fn fused<T: Element>(
        &self,
        saved: &Saved<'_, T>,
        grad: &Tensor<T>,
    ) -> Result<[Option<Tensor<T>>; 2]> {
        let (x, weight) = (saved.input(0), saved.input(1));
        let sizes = self.sizes(x, weight);
        let Sizes {
            batch,
            length,
            channels,
            outputs,
            size,
            ..
        } = sizes;
        // [O, K, C], or [K, O, C] if the elements of a window are apart.
        let order: [isize; 3] = if sizes.runs().0 == 1 {
            [0, 2, 1]
        } else {
            [2, 0, 1]
        };
        let back: [isize; 3] = if sizes.runs().0 == 1 {
            [0, 2, 1]
        } else {
            [1, 2, 0]
        };
        let weight = weight.constant().permute(&order)?;
        let text = x.constant().transpose(1, 2)?;
        let grad = grad.constant().transpose(1, 2)?;
        let mut dx = saved
            .needs(0)
            .then(|| Tensor::build_zeros([batch, length, channels]))
            .transpose()?;
        let mut dw = saved
            .needs(1)
            .then(|| Tensor::build_zeros(weight.shape()))
            .transpose()?;
        debug_assert_eq!(weight.elements(), outputs * size * channels);
        kernels::convolution_backward(
            &text.read()?,
            &weight.read()?,
            &grad.read()?,
            &sizes,
            dx.as_mut().map(Tensor::values_mut),
            dw.as_mut().map(Tensor::values_mut),
        );
        Ok([
            dx.map(|dx| dx.transpose(1, 2)).transpose()?,
            dw.map(|dw| dw.permute(&back)).transpose()?,
        ])
    }
}

impl<T: Element> Op<T> for Convolution {
    fn name(&self) -> &'static str {
        "conv1d"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::input(1))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let sizes = self.sizes(inputs[0], inputs[1]);
        let text = inputs[0].constant().transpose(1, 2)?;
        let weight = inputs[1].constant().permute(&[2, 1, 0])?;
        let bias = inputs.get(2).map(|bias| bias.read()).transpose()?;
        let (text, weight) = (text.read()?, weight.read()?);
        let output = Tensor::build([sizes.batch, sizes.count, sizes.outputs], |out| {
            kernels::convolution(&text, &weight, bias.as_deref(), &sizes, out);
        })?;
        output.transpose(1, 2)
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let [dx, dw] = self.composed(saved.input(0), saved.input(1), &cotangent)?;
        let db = bias_gradient(saved, &cotangent)?;
        Ok([Some(dx), Some(dw), db].into_iter().collect())
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let [dx, dw] = self.fused(saved, &cotangent)?;
        let db = bias_gradient(saved, &cotangent)?;
        Ok([dx, dw, db].into_iter().collect())
    }
}

/// `db = Σ g` over the batch and the positions.
fn bias_gradient<T: Element>(
    saved: &Saved<'_, T>,
    cotangent: &Tensor<T>,
) -> Result<Option<Tensor<T>>> {
    let gradient = || cotangent.sum_axes(&[0, 2]);
    saved.needs(2).then(gradient).transpose()
}

fn check_conv1d<T: Element>(
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
    groups: usize,
) -> Result<()> {
    let fault = |operand: &str, tensor: &Tensor<T>, rule: String| {
        Err(Error::shape("conv1d", operand, tensor.shape(), rule))
    };
    let [_, channels, _] = x.shape()[..] else {
        return fault(
            "the input",
            x,
            "it must be [batch, channels, length]".to_owned(),
        );
    };
    let [outputs, inputs, _] = weight.shape()[..] else {
        return fault(
            "the weight",
            weight,
            "it must be [out, channels / groups, size]".to_owned(),
        );
    };
    let most = channels.max(outputs).max(1);
    if groups == 0 || groups > most || channels % groups != 0 || outputs % groups != 0 {
        let message =
            format!("{groups} groups do not divide {channels} channels and {outputs} outputs");
        return Err(Error::other("conv1d", message));
    }
    if inputs != channels / groups {
        let rule =
            format!("axis 1 must be the {channels} channels of the input by {groups} groups");
        return fault("the weight", weight, rule);
    }
    match bias {
        Some(bias) if *bias.shape() != [outputs] => fault(
            "the bias",
            bias,
            format!("it must be [{outputs}], one for each output"),
        ),
        _ => Ok(()),
    }
}

/// The windows of the padded last axis of `x: [B, C, L]`: `[B, C, L', size]`.
fn windows_of<T: Element>(
    operation: &'static str,
    x: &Tensor<T>,
    padding: usize,
    value: T,
    window: [usize; 3],
) -> Result<Tensor<T>> {
    let padded = if padding > 0 {
        x.pad(-1, padding, padding, value)?
    } else {
        x.clone()
    };
    let windows = Windows::new(2, padded.shape()[2], window)
        .map_err(|rule| Error::shape(operation, "the padded input", padded.shape(), rule))?;
    apply(windows, &[&padded])
}

/// How a window of pooling moves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOptions {
    /// The elements of a window.
    pub size: usize,
    /// The distance between windows.
    pub stride: usize,
    /// Elements put at either end, at most half a window: zeros for the mean, which counts them, nothing for the maximum.
    pub padding: usize,
}

impl PoolOptions {
    /// Windows of this size side by side, without padding.
    pub fn new(size: usize) -> Self {
        Self {
            size,
            stride: size,
            padding: 0,
        }
    }
}

/// `y[b, c, t] = max x[b, c, t stride + k - padding]` over the k of a window, `x: [B, C, L]`,
/// `y: [B, C, (L + 2 padding - size) / stride + 1]`.
///
/// Equal largest elements share the gradient evenly; PyTorch gives all of it to the first.
///
/// # Errors
/// If the input has not three axes, the padding is more than half a window, or a window does not fit.
///
/// PyTorch: `nn.functional.max_pool1d`. Over the whole of time: [`max_axes`](Tensor::max_axes).
#[compiled]
pub fn max_pool1d<T: Element>(x: &Tensor<T>, options: &PoolOptions) -> Result<Tensor<T>> {
    pool("max_pool1d", x, options, T::neg_infinity())?.max_axes(&[-1])
}

/// `y[b, c, t] = Σ x[b, c, t stride + k - padding] / size` over the k of a window, `x: [B, C, L]`,
/// `y: [B, C, (L + 2 padding - size) / stride + 1]`; padding counts.
///
/// # Errors
/// As for [`max_pool1d`].
///
/// PyTorch: `nn.functional.avg_pool1d`. Over the whole of time: [`mean_axes`](Tensor::mean_axes).
#[compiled]
pub fn avg_pool1d<T: Element>(x: &Tensor<T>, options: &PoolOptions) -> Result<Tensor<T>> {
    pool("avg_pool1d", x, options, T::zero())?.mean_axes(&[-1])
}

fn pool<T: Element>(
    operation: &'static str,
    x: &Tensor<T>,
    options: &PoolOptions,
    value: T,
) -> Result<Tensor<T>> {
    let PoolOptions {
        size,
        stride,
        padding,
    } = *options;
    if x.rank() != 3 {
        let rule = "it must be [batch, channels, length]";
        return Err(Error::shape(operation, "the input", x.shape(), rule));
    }
    if padding > size / 2 {
        let rule = format!("at most half of the window's {size}");
        return Err(Error::value(operation, "the padding", padding as f64, rule));
    }
    windows_of(operation, x, padding, value, [size, stride, 1])
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;
    use crate::Tape;

    /// The fused gradients, of a gradient with few numbers and of one with many, against those in tensor operations.
    #[test]
    fn fused_gradients_are_the_composed_ones() {
        let rng = &mut StdRng::seed_from_u64(1);
        let draw =
            |shape: [usize; 3], rng: &mut StdRng| Tensor::<f64>::normal(shape, 0.0, 1.0, rng);
        for (stride, dilation) in [(1, 1), (2, 1), (1, 3), (3, 2)] {
            let options = Conv1dOptions {
                stride,
                dilation,
                padding: 1,
                ..Conv1dOptions::default()
            };
            let (x, weight) = (draw([2, 3, 20], rng), draw([5, 3, 4], rng));
            for kept in [1, 40] {
                let run = |recorded: bool| {
                    let tape = Tape::new();
                    let (x, weight) = (tape.watch(&x), tape.watch(&weight));
                    let y = conv1d(&x, &weight, None, &options).unwrap();
                    let numbers =
                        (0..y.elements()).map(|i| if i % 41 < kept { 1.0 + i as f64 } else { 0.0 });
                    let cotangent =
                        Tensor::from_slice(&numbers.collect::<Vec<_>>(), y.shape()).unwrap();
                    if recorded {
                        let gradients = tape.grad_with(&y, &cotangent, &[&x, &weight]).unwrap();
                        return gradients
                            .iter()
                            .flat_map(Tensor::to_vec)
                            .collect::<Vec<f64>>();
                    }
                    let gradients = tape.backward_with(&y, &cotangent).unwrap();
                    let of = |leaf| gradients.of(leaf).unwrap().to_dense().unwrap().to_vec();
                    [of(&x), of(&weight)].concat()
                };
                for (fused, composed) in run(false).into_iter().zip(run(true)) {
                    assert!((fused - composed).abs() < 1e-10 * (1.0 + composed.abs()));
                }
            }
        }
    }
}
