//! Layers one after another.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Module, Result, Tensor, Visitor};

/// A layer from one tensor to one tensor, which a [`Sequential`] can hold.
pub trait Layer<T: Element = f32>: Module<T> + Send + Sync {
    /// The layer's output.
    ///
    /// # Errors
    /// If x does not fit the layer.
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>>;
}

/// `y = layerₙ(.. layer₁(layer₀(x)))`; parameters stand under `0.`, `1.` and so on.
///
/// ```
/// use lexigrad_nn::{Linear, Module, Relu, Sequential};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let mut rng = StdRng::seed_from_u64(1);
/// let model = Sequential::new().with(Linear::new(4, 8, &mut rng)).with(Relu).with(Linear::new(8, 2, &mut rng));
/// assert_eq!(*model.forward(&Tensor::ones([5, 4]))?.shape(), [5, 2]);
/// assert_eq!(model.named_parameters()[2].0, "2.weight");
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Sequential`.
pub struct Sequential<T: Element = f32> {
    layers: Vec<Box<dyn Layer<T>>>,
}

#[compiled]
impl<T: Element> Sequential<T> {
    /// No layers: the identity.
    pub fn new() -> Self {
        Self { layers: Vec::new() }
    }

    /// These layers and `layer` after them.
    #[must_use]
    pub fn with(mut self, layer: impl Layer<T> + 'static) -> Self {
        self.layers.push(Box::new(layer));
        self
    }

    /// The output of the last layer.
    ///
    /// # Errors
    /// If an input does not fit its layer.
    pub fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let start = x.clone();
        self.layers
            .iter()
            .try_fold(start, |x, layer| layer.forward(&x))
    }
}

impl<T: Element> Default for Sequential<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Element> Module<T> for Sequential<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        self.layers.visit(visitor);
    }
}

impl<T: Element> Layer<T> for Sequential<T> {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
