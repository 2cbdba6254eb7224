//! Dropout as a layer.

use lexigrad_tensor::{Element, Error, Module, Result, Tensor, Visitor, dropout};

use crate::Layer;

/// `y = x m / (1 - p)`, m being 0 with probability p and else 1, under a training tape; `y = x` otherwise.
///
/// ```
/// use lexigrad_nn::Dropout;
/// use lexigrad_tensor::{Tape, Tensor};
/// let dropout = Dropout::new(0.5)?;
/// let x: Tensor = Tensor::ones([4]);
/// assert_eq!(dropout.forward(&x)?.to_vec(), [1.0; 4]); // no tape: off
/// let tape = Tape::new();
/// let y = dropout.forward(&x)?;
/// assert!(y.to_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Dropout`; there is no `train()` or `eval()`, the tape decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Dropout with probability `p`.
    ///
    /// # Errors
    /// If `p` is not between 0 and 1.
    pub fn new(p: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&p) {
            Ok(Self { p })
        } else {
            Err(Error::value("dropout", "p", p, "between 0 and 1"))
        }
    }

    /// The probability that a number is dropped.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// x, some of it dropped in training.
    ///
    /// # Errors
    /// If x belongs to a tape that is alive on another thread.
    pub fn forward<T: Element>(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        dropout(x, self.p)
    }
}

impl<T: Element> Module<T> for Dropout {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}

impl<T: Element> Layer<T> for Dropout {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}
