//! Convolution and pooling over time, as products and reductions of windows.

use super::windows::Windows;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::apply;
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
    let (batch, channels) = (x.shape()[0], x.shape()[1]);
    let (outputs, size) = (weight.shape()[0], weight.shape()[2]);
    let windows = windows_of("conv1d", x, padding, T::zero(), [size, stride, dilation])?;
    let length = windows.shape()[2];
    // [B, G, C/G, L', K] to [G, B L', C/G K]: one product for each group.
    let inner = channels / groups * size;
    let windows = windows.reshape([batch, groups, channels / groups, length, size])?;
    let rows = windows
        .permute(&[1, 0, 3, 2, 4])?
        .reshape([groups, batch * length, inner])?;
    let weights = weight
        .reshape([groups, outputs / groups, inner])?
        .transpose(1, 2)?;
    let product = rows
        .matmul(&weights)?
        .reshape([groups, batch, length, outputs / groups])?;
    let output = product
        .permute(&[1, 0, 3, 2])?
        .reshape([batch, outputs, length])?;
    match bias {
        Some(bias) => output.add(&bias.unsqueeze(-1)?),
        None => Ok(output),
    }
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
    if groups == 0 || channels % groups != 0 || outputs % groups != 0 {
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
