//! From a sequence to one vector.

use lexigrad_tensor::{Element, Error, Mask, Module, Result, Tensor, Visitor};

use crate::sequence::check_input_lengths;

const NAME: &str = "pool_over_time";

/// `y[b] = max, mean or Σ of x[b, t]` over the times `t < lengths[b]`, `x: [B, L, D]`, `y: [B, D]`.
///
/// Padding changes neither a result nor a gradient. A sequence of length 0 gives zeros and gets zero gradients. Equal largest
/// elements share the gradient evenly.
///
/// ```
/// use lexigrad_nn::PoolOverTime;
/// use lexigrad_tensor::Tensor;
/// let x: Tensor = Tensor::new([[[1.0], [3.0], [9.0]], [[5.0], [9.0], [9.0]]]);
/// assert_eq!(PoolOverTime::Mean.forward(&x, Some(&[2, 1]))?.to_vec(), [2.0, 5.0]);
/// assert_eq!(PoolOverTime::Max.forward(&x, Some(&[2, 0]))?.to_vec(), [3.0, 0.0]);
/// assert_eq!(PoolOverTime::Sum.forward(&x, None)?.to_vec(), [13.0, 23.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `amax`, `mean` or `sum` over the axis after filling the padding by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolOverTime {
    /// The largest element of each feature.
    Max,
    /// The mean of each feature.
    Mean,
    /// The sum of each feature.
    Sum,
}

impl PoolOverTime {
    /// One vector for each sequence; all are of the whole length if no lengths are given.
    ///
    /// # Errors
    /// If x has not three axes, the lengths are not one for each sequence, or one is beyond x.
    pub fn forward<T: Element>(
        self,
        x: &Tensor<T>,
        lengths: Option<&[usize]>,
    ) -> Result<Tensor<T>> {
        let [batch, longest, _] = x.shape()[..] else {
            let rule = "it must be [batch, length, features]";
            return Err(Error::shape(NAME, "the input", x.shape(), rule));
        };
        let all = vec![longest; batch];
        let lengths = lengths.unwrap_or(&all);
        check_input_lengths(NAME, lengths, batch, longest)?;
        if longest == 0 {
            return x.sum_axes(&[1]);
        }
        let padding = Mask::from_lengths(lengths, longest).not();
        let padding = Mask::new(padding.to_vec(), [batch, longest, 1])?;
        match self {
            Self::Sum => x.masked_fill(&padding, T::zero())?.sum_axes(&[1]),
            Self::Mean => {
                let counts = lengths
                    .iter()
                    .map(|&length| T::from_f64(length.max(1) as f64));
                let counts = Tensor::from_slice(&counts.collect::<Vec<T>>(), [batch, 1])?;
                let sum = x.masked_fill(&padding, T::zero())?.sum_axes(&[1])?;
                sum.div(&counts)
            }
            Self::Max => {
                let empty = lengths.iter().map(|&length| length == 0).collect();
                let x = x.masked_fill(&padding, T::neg_infinity())?;
                let largest = x.max_axes(&[1])?;
                largest.masked_fill(&Mask::new(empty, [batch, 1])?, T::zero())
            }
        }
    }
}

impl<T: Element> Module<T> for PoolOverTime {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}
