//! Normalisation by the root of the mean square (Zhang and Sennrich 2019).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Param, Result, Shape, Tensor};

use crate::Layer;
use crate::start;

/// `y = x / √(mean(x²) + eps) w` over the last axes, `x: [.., n1, ..]`, `w: [n1, ..]`.
///
/// ```
/// use lexigrad_nn::RmsNorm;
/// use lexigrad_tensor::Tensor;
/// let norm = RmsNorm::new(2);
/// let y = norm.forward(&Tensor::new([[1.0, 7.0], [0.0, 0.0]]))?;
/// assert!(y.to_vec().iter().zip([0.2, 1.4, 0.0, 0.0]).all(|(y, z)| (y - z).abs() < 1e-6));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.RMSNorm`, with the same names and defaults.
#[derive(Clone, Debug, crate::Module)]
pub struct RmsNorm<T: Element = f32> {
    /// w, starting at 1, unless the layer has none.
    pub weight: Option<Param<T>>,
    #[module(skip)]
    normalized_shape: Shape,
    #[module(skip)]
    eps: T,
}

/// The shape and options of an [`RmsNorm`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct RmsNormConfig {
    /// The sizes of the last axes, which are normalised together.
    pub normalized_shape: Shape,
    /// What is added to the mean square; if none is given, the distance from 1 to the next larger number of the element type.
    pub eps: Option<f64>,
    /// Whether there is a w.
    pub elementwise_affine: bool,
}

impl RmsNormConfig {
    /// Normalisation over these sizes with w and the default eps.
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        Self {
            normalized_shape: normalized_shape.into(),
            eps: None,
            elementwise_affine: true,
        }
    }

    /// The layer, w being 1.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self) -> Result<RmsNorm<T>> {
        let (shape, affine) = (&self.normalized_shape, self.elementwise_affine);
        Ok(RmsNorm {
            weight: affine.then(|| start::ones("rms_norm", shape)).transpose()?,
            normalized_shape: shape.clone(),
            eps: self.eps.map_or_else(T::epsilon, T::from_f64),
        })
    }
}

impl RmsNorm {
    /// Normalisation over the last axes, of these sizes, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(normalized_shape: impl Into<Shape>) -> Self {
        start::or_panic(RmsNormConfig::new(normalized_shape).build())
    }
}

#[compiled]
impl<T: Element> RmsNorm<T> {
    /// x with each group of its last axes normalised, in the shape of x.
    ///
    /// # Errors
    /// If the last axes of x do not have the normalised sizes.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let normalized = &self.normalized_shape;
        if !x.shape().ends_with(normalized) {
            let rule = format!("its last axes must be {normalized}");
            return Err(Error::shape("rms_norm", "the input", x.shape(), rule));
        }
        let axes: Vec<isize> = (1..=normalized.rank() as isize).map(|axis| -axis).collect();
        let mean_square = x.square().mean_keep(&axes)?;
        let y = x.div(&mean_square.add_scalar(self.eps).sqrt())?;
        match &self.weight {
            Some(weight) => y.mul(&weight.value()),
            None => Ok(y),
        }
    }
}

impl<T: Element> Layer<T> for RmsNorm<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
