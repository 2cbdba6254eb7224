//! The bilinear layer.

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Param, Result, Tensor, linear};
use rand::Rng;

use crate::start;

/// `y_o = x1ᵀ W_o x2 + b_o`, `x1: [.., in1]`, `x2: [.., in2]`, `W: [out, in1, in2]`, `b: [out]`, `y: [.., out]`.
///
/// W and b start evenly drawn between ±1/√in1.
///
/// ```
/// use lexigrad_nn::Bilinear;
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let layer = Bilinear::new(3, 4, 2, &mut StdRng::seed_from_u64(1));
/// assert_eq!(*layer.forward(&Tensor::ones([5, 3]), &Tensor::ones([5, 4]))?.shape(), [5, 2]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Bilinear`, with the same names and layout of the parameters and the same initial distribution.
#[derive(Clone, Debug, crate::Module)]
pub struct Bilinear<T: Element = f32> {
    /// W: `[out, in1, in2]`
    pub weight: Param<T>,
    /// b: `[out]`, unless the layer has none.
    pub bias: Option<Param<T>>,
}

/// The sizes of a [`Bilinear`], and whether it has a bias.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BilinearConfig {
    /// The size of a first input.
    pub in1_features: usize,
    /// The size of a second input.
    pub in2_features: usize,
    /// The size of an output.
    pub out_features: usize,
    /// Whether b is added.
    pub bias: bool,
}

impl BilinearConfig {
    /// A layer of these sizes, with a bias.
    pub fn new(in1_features: usize, in2_features: usize, out_features: usize) -> Self {
        Self {
            in1_features,
            in2_features,
            out_features,
            bias: true,
        }
    }

    /// The layer, with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Bilinear<T>> {
        let (out, in1, in2) = (self.out_features, self.in1_features, self.in2_features);
        let mut draw = |shape: &[usize]| start::uniform("bilinear", shape, in1, rng);
        Ok(Bilinear {
            weight: draw(&[out, in1, in2])?,
            bias: self.bias.then(|| draw(&[out])).transpose()?,
        })
    }
}

impl Bilinear {
    /// A layer from pairs of `in1_features` and `in2_features` numbers to `out_features`, with a bias, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(
        in1_features: usize,
        in2_features: usize,
        out_features: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Self {
        let config = BilinearConfig::new(in1_features, in2_features, out_features);
        start::or_panic(config.build(rng))
    }
}

#[compiled]
impl<T: Element> Bilinear<T> {
    /// `y_o = x1ᵀ W_o x2 + b_o`, `x1: [.., in1]`, `x2: [.., in2]`, `y: [.., out]`.
    ///
    /// # Errors
    /// If the last axis of x1 is not `in1`, that of x2 not `in2`, or the axes before differ.
    pub fn forward(&self, x1: &Tensor<T>, x2: &Tensor<T>) -> Result<Tensor<T>> {
        let weight = self.weight.value();
        let [out, in1, in2] = [0, 1, 2].map(|axis| weight.shape()[axis]);
        for (operand, x, size) in [("x1", x1, in1), ("x2", x2, in2)] {
            if x.shape().last() != Some(&size) {
                let rule = format!(
                    "its last axis must be the {size} of weight {}",
                    weight.shape()
                );
                return Err(Error::shape("bilinear", operand, x.shape(), rule));
            }
        }
        let outer = &x1.shape()[..x1.rank() - 1];
        if *outer != x2.shape()[..x2.rank() - 1] {
            let rule = format!("before its last axis it must equal x1, {}", x1.shape());
            return Err(Error::shape("bilinear", "x2", x2.shape(), rule));
        }
        let rows = outer.iter().product::<usize>();
        let maps = weight.reshape([out * in1, in2])?;
        let mapped = linear(&x2.reshape([rows, in2])?, &maps, None)?.reshape([rows, out, in1])?;
        let product = mapped.matmul(&x1.reshape([rows, in1, 1])?)?;
        let shape: Vec<usize> = outer.iter().copied().chain([out]).collect();
        let y = product.reshape(shape)?;
        match &self.bias {
            Some(bias) => y.add(&bias.value()),
            None => Ok(y),
        }
    }
}
