//! Adding up the contributions to one gradient: the first is moved, later ones are added in place.

use lexigrad_kernels::elementwise;

use crate::element::Element;
use crate::error::{Result, or_panic};
use crate::grad::Grad;
use crate::row_sparse::RowSparse;
use crate::tensor::Tensor;

/// A gradient in the making. Sparse parts are kept apart until it is finished, so that many lookups of one table cost no more
/// than their rows.
pub(crate) enum Accumulator<T: Element> {
    Dense(Tensor<T>),
    RowSparse(Vec<RowSparse<T>>),
}

impl<T: Element> From<Grad<T>> for Accumulator<T> {
    fn from(gradient: Grad<T>) -> Self {
        match gradient {
            Grad::Dense(tensor) => Self::Dense(tensor),
            Grad::RowSparse(sparse) => Self::RowSparse(vec![*sparse]),
        }
    }
}

impl<T: Element> Accumulator<T> {
    /// Moves a contribution of the same shape into a sum. A `recorded` pass adds by operations, so that the sum can be differentiated.
    #[inline]
    pub(super) fn add_to(
        sum: &mut Option<Self>,
        gradient: &mut Option<Grad<T>>,
        recorded: bool,
    ) -> Result<()> {
        match (&mut *sum, gradient.take()) {
            (_, None) => {}
            (None, Some(gradient)) => *sum = Some(Self::from(gradient)),
            (Some(sum), Some(gradient)) if recorded => {
                let own = std::mem::replace(sum, Self::RowSparse(Vec::new()));
                let total = own.into_dense(recorded)?.add(&gradient.to_dense()?)?;
                *sum = Self::Dense(total);
            }
            (Some(sum), Some(gradient)) => sum.add(gradient),
        }
        Ok(())
    }

    /// Adds a contribution of the same shape.
    pub(crate) fn add(&mut self, gradient: Grad<T>) {
        match (self, gradient) {
            (Self::Dense(sum), Grad::Dense(tensor)) => add_dense(sum, tensor),
            (Self::Dense(sum), Grad::RowSparse(sparse)) => sparse.add_into(sum),
            (Self::RowSparse(parts), Grad::RowSparse(sparse)) => parts.push(*sparse),
            (this @ Self::RowSparse(_), Grad::Dense(tensor)) => {
                let sparse = std::mem::replace(this, Self::Dense(tensor));
                if let (Self::RowSparse(parts), Self::Dense(sum)) = (sparse, this) {
                    parts.iter().for_each(|part| part.add_into(sum));
                }
            }
        }
    }

    /// The sum; sparse if every contribution was.
    pub(crate) fn finish(self) -> Grad<T> {
        match self {
            Self::Dense(tensor) => Grad::Dense(tensor),
            Self::RowSparse(parts) => Grad::RowSparse(Box::new(RowSparse::concatenate(parts))),
        }
    }

    /// The sum, dense.
    pub(super) fn into_dense(self, recorded: bool) -> Result<Tensor<T>> {
        match self {
            Self::Dense(tensor) => Ok(tensor),
            Self::RowSparse(parts) if recorded => {
                let mut sums = parts.iter().map(RowSparse::to_dense);
                match sums.next() {
                    None => Ok(Tensor::zeros([0])),
                    Some(first) => sums.try_fold(first?, |sum, part| sum.add(&part?)),
                }
            }
            Self::RowSparse(parts) => RowSparse::concatenate(parts).to_dense(),
        }
    }
}

/// `sum += tensor`, in whichever of the two buffers nobody else holds.
///
/// # Panics
/// If both are held by others and there is no memory for a third.
fn add_dense<T: Element>(sum: &mut Tensor<T>, mut tensor: Tensor<T>) {
    if !sum.is_writable() && tensor.is_writable() {
        std::mem::swap(sum, &mut tensor);
    }
    let added = tensor.values();
    if sum.is_writable() {
        elementwise::zip_in_place(sum.values_mut(), &added, |x, y| x + y);
    } else {
        let own = sum.values();
        let total = Tensor::build(sum.shape(), |out| {
            elementwise::zip(&own, &added, out, |x, y| x + y);
        });
        drop(own);
        *sum = or_panic("backward", total);
    }
}
