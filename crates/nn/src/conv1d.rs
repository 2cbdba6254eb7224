//! Convolution over time.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Conv1dOptions, Element, Error, Param, Result, Tensor, conv1d};
use rand::Rng;

use crate::Layer;
use crate::start;

/// `y[b, o, t] = bias[o] + Σ weight[o, c, k] x[b, c, t stride + k dilation - padding]`, `x: [B, C, L]`,
/// `weight: [O, C / groups, K]`, `y: [B, O, (L + 2 padding - dilation (K - 1) - 1) / stride + 1]`.
///
/// Channels come before time: `embedded.transpose(1, 2)` of `[B, L, C]`. Weight and bias start evenly drawn between
/// ±1/√(C / groups K).
///
/// ```
/// use lexigrad_nn::Conv1d;
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let trigrams = Conv1d::new(8, 16, 3, &mut StdRng::seed_from_u64(1));
/// assert_eq!(*trigrams.forward(&Tensor::ones([2, 8, 5]))?.shape(), [2, 16, 3]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Conv1d`, with the same names and layout of the parameters and the same initial distribution; padding is a number
/// of zeros.
#[derive(Clone, Debug, crate::Module)]
pub struct Conv1d<T: Element = f32> {
    /// `[O, C / groups, K]`
    pub weight: Param<T>,
    /// `[O]`, unless the layer has none.
    pub bias: Option<Param<T>>,
    #[module(skip)]
    options: Conv1dOptions,
}

/// The sizes and options of a [`Conv1d`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conv1dConfig {
    /// C, the number of channels of an input.
    pub in_channels: usize,
    /// O, the number of channels of an output.
    pub out_channels: usize,
    /// K, the elements of a window.
    pub kernel_size: usize,
    /// How a window moves over time.
    pub options: Conv1dOptions,
    /// Whether the layer has a bias.
    pub bias: bool,
}

impl Conv1dConfig {
    /// Windows of K neighbours at every place that holds them, with a bias.
    pub fn new(in_channels: usize, out_channels: usize, kernel_size: usize) -> Self {
        Self {
            in_channels,
            out_channels,
            kernel_size,
            options: Conv1dOptions::default(),
            bias: true,
        }
    }

    /// The layer, with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If the groups do not divide the channels, or there is no memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Conv1d<T>> {
        let (inputs, outputs, groups) = (self.in_channels, self.out_channels, self.options.groups);
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            let rule = format!("a divisor of in_channels, {inputs}, and out_channels, {outputs}");
            return Err(Error::value("conv1d", "groups", groups as f64, rule));
        }
        let inputs = inputs / groups;
        let read = inputs.saturating_mul(self.kernel_size);
        let mut draw = |shape: &[usize]| start::uniform("conv1d", shape, read, rng);
        Ok(Conv1d {
            weight: draw(&[outputs, inputs, self.kernel_size])?,
            bias: self.bias.then(|| draw(&[outputs])).transpose()?,
            options: self.options,
        })
    }
}

impl Conv1d {
    /// Windows of `kernel_size` neighbours, with a bias, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        kernel_size: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let config = Conv1dConfig::new(in_channels, out_channels, kernel_size);
        start::or_panic(config.build(rng))
    }
}

#[compiled]
impl<T: Element> Conv1d<T> {
    /// The windows of x weighed and summed.
    ///
    /// # Errors
    /// If x is not `[B, C, L]`, or a window does not fit into its padded length.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let bias = self.bias.as_ref().map(Param::value);
        conv1d(x, &self.weight.value(), bias.as_ref(), &self.options)
    }
}

impl<T: Element> Layer<T> for Conv1d<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
