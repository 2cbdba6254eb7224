//! Layer normalisation as a layer.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Param, Result, Shape, Tensor, layer_norm};

use crate::Layer;
use crate::start;

/// `y = (x - mean) / √(var + eps) w + b` over the last axes, `x: [.., n1, ..]`, `w` and `b: [n1, ..]`, the variance biased.
///
/// ```
/// use lexigrad_nn::LayerNorm;
/// use lexigrad_tensor::Tensor;
/// let norm = LayerNorm::new(2);
/// let y = norm.forward(&Tensor::new([[1.0, 3.0], [10.0, -10.0]]))?;
/// assert!(y.to_vec().iter().zip([-1.0, 1.0, 1.0, -1.0]).all(|(y, z)| (y - z).abs() < 1e-4));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.LayerNorm`, with the same names and defaults (Ba, Kiros and Hinton 2016).
#[derive(Clone, Debug, crate::Module)]
pub struct LayerNorm<T: Element = f32> {
    /// w, starting at 1, unless the layer has none.
    pub weight: Option<Param<T>>,
    /// b, starting at 0, unless the layer has none.
    pub bias: Option<Param<T>>,
    axes: usize,
    eps: f64,
}

/// The shape and options of a [`LayerNorm`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerNormConfig {
    /// The sizes of the last axes, which are normalised together.
    pub normalized_shape: Shape,
    /// What is added to the variance.
    pub eps: f64,
    /// Whether there is a w, and a b if `bias` says so.
    pub elementwise_affine: bool,
    /// Whether there is a b.
    pub bias: bool,
}

impl LayerNormConfig {
    /// Normalisation over these sizes with w, b and eps 1e-5.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        Self {
            normalized_shape: normalized_shape.into(),
            eps: 1e-5,
            elementwise_affine: true,
            bias: true,
        }
    }

    /// The layer, w being 1 and b 0.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self) -> Result<LayerNorm<T>> {
        let (shape, affine) = (&self.normalized_shape, self.elementwise_affine);
        let weight = affine.then(|| start::ones("layer_norm", shape));
        let bias = (affine && self.bias).then(|| start::zeros("layer_norm", shape));
        Ok(LayerNorm {
            weight: weight.transpose()?,
            bias: bias.transpose()?,
            axes: shape.rank(),
            eps: self.eps,
        })
    }
}

impl LayerNorm {
    /// Normalisation over the last axes, of these sizes, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        start::or_panic(LayerNormConfig::new(normalized_shape).build())
    }
}

#[compiled]
impl<T: Element> LayerNorm<T> {
    /// x with each group of its last axes normalised, in the shape of x.
    ///
    /// # Errors
    /// If the last axes of x do not have the normalised sizes.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let weight = self.weight.as_ref().map(Param::value);
        let bias = self.bias.as_ref().map(Param::value);
        layer_norm(x, self.axes, weight.as_ref(), bias.as_ref(), self.eps)
    }
}

impl<T: Element> Layer<T> for LayerNorm<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
