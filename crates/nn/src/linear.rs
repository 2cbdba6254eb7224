//! The linear layer.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Param, Result, Tensor, linear};
use rand::Rng;

use crate::{Layer, start};

/// `y = x Wᵀ + b`, `x: [.., in]`, `W: [out, in]`, `b: [out]`, `y: [.., out]`.
///
/// W and b start evenly drawn between ±1/√in.
///
/// ```
/// use lexigrad_nn::Linear;
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let layer = Linear::new(3, 2, &mut StdRng::seed_from_u64(1));
/// assert_eq!(*layer.forward(&Tensor::ones([5, 4, 3]))?.shape(), [5, 4, 2]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Linear`, with the same names and layout of the parameters and the same initial distribution.
#[derive(Clone, Debug, crate::Module)]
pub struct Linear<T: Element = f32> {
    /// W: `[out, in]`
    pub weight: Param<T>,
    /// b: `[out]`, unless the layer has none.
    pub bias: Option<Param<T>>,
}

/// The sizes of a [`Linear`], and whether it has a bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinearConfig {
    /// The size of an input.
    pub in_features: usize,
    /// The size of an output.
    pub out_features: usize,
    /// Whether b is added.
    pub bias: bool,
}

impl LinearConfig {
    /// A layer of these sizes, with a bias.
    pub fn new(in_features: usize, out_features: usize) -> Self {
        Self {
            in_features,
            out_features,
            bias: true,
        }
    }

    /// The layer, with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Linear<T>> {
        let (inputs, outputs) = (self.in_features, self.out_features);
        let mut draw = |shape: &[usize]| start::uniform("linear", shape, inputs, rng);
        Ok(Linear {
            weight: draw(&[outputs, inputs])?,
            bias: self.bias.then(|| draw(&[outputs])).transpose()?,
        })
    }
}

impl Linear {
    /// A layer from `in_features` to `out_features` numbers with a bias, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(in_features: usize, out_features: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        start::or_panic(LinearConfig::new(in_features, out_features).build(rng))
    }
}

#[compiled]
impl<T: Element> Linear<T> {
    /// `y = x Wᵀ + b`, `x: [.., in]`, `y: [.., out]`.
    ///
    /// # Errors
    /// If the last axis of x is not `in`.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let bias = self.bias.as_ref().map(Param::value);
        linear(x, &self.weight, bias.as_ref())
    }
}

impl<T: Element> Layer<T> for Linear<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
