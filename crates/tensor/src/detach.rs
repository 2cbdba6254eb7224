//! Numbers that leave the tape: each way out is noted by a tape that [records cuts](crate::Tape::record_cuts).

use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::tape::note_cut;
use crate::tensor::Tensor;

#[compiled]
impl<T: Element> Tensor<T> {
    /// The elements in row-major order, as a `Vec`.
    ///
    /// # Panics
    /// If there is no memory for them.
    #[track_caller]
    pub fn to_vec(&self) -> Vec<T> {
        note_cut("to_vec", self);
        self.values().to_vec()
    }

    /// The one number of a tensor that holds one.
    ///
    /// # Errors
    /// If it holds more or none.
    #[track_caller]
    pub fn item(&self) -> Result<T> {
        note_cut("item", self);
        match self.values()[..] {
            [value] => Ok(value),
            _ => Err(Error::shape(
                "item",
                "the tensor",
                self.shape(),
                "it must hold one element",
            )),
        }
    }

    /// The same values as a constant: nothing flows back through it.
    ///
    /// PyTorch: `detach`; here writing to either never changes the other. JAX: `stop_gradient`.
    #[doc(alias = "stop_gradient")]
    #[track_caller]
    pub fn detach(&self) -> Self {
        note_cut("detach", self);
        self.constant()
    }

    /// Converts every element to another type; a constant.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor<f32> = Tensor::new([0.5, 0.25]);
    /// let wide: Tensor<f64> = x.cast();
    /// assert_eq!(wide.to_vec(), [0.5, 0.25]);
    /// ```
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn cast<U: Element>(&self) -> Tensor<U> {
        note_cut("cast", self);
        let values = self.values();
        let converted = Tensor::build(self.shape(), |out| {
            for (to, from) in out.iter_mut().zip(values.iter()) {
                *to = U::from_f64(from.as_f64());
            }
        });
        or_panic("cast", converted)
    }
}
