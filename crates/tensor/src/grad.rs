//! A gradient, dense or row-sparse.

use lexigrad_kernels::reduce;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::Result;
use crate::row_sparse::RowSparse;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The gradient of a parameter or a watched tensor, in its shape.
///
/// Nothing turns a sparse gradient dense on its own; [`to_dense`](Self::to_dense) does when asked.
#[derive(Clone, Debug)]
pub enum Grad<T: Element = f32> {
    /// All entries.
    Dense(Tensor<T>),
    /// Some rows of a table; boxed, so that a gradient is no larger to move than a tensor.
    RowSparse(Box<RowSparse<T>>),
}

#[compiled]
impl<T: Element> Grad<T> {
    /// The shape of what this is the gradient of.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Dense(gradient) => gradient.shape().clone(),
            Self::RowSparse(gradient) => gradient.shape(),
        }
    }

    /// Every entry of the gradient; for a row-sparse one zeros where no row was read.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub fn to_dense(&self) -> Result<Tensor<T>> {
        match self {
            Self::Dense(gradient) => Ok(gradient.clone()),
            Self::RowSparse(gradient) => gradient.to_dense(),
        }
    }

    /// The row-sparse form, if that is what this is.
    pub fn as_row_sparse(&self) -> Option<&RowSparse<T>> {
        match self {
            Self::Dense(_) => None,
            Self::RowSparse(gradient) => Some(gradient),
        }
    }

    /// The numbers that are stored: all entries, or those of the rows that are there.
    pub fn stored(&self) -> &Tensor<T> {
        match self {
            Self::Dense(gradient) => gradient,
            Self::RowSparse(gradient) => gradient.values(),
        }
    }

    /// The first number that is NaN or infinite, and its index in the shape of the gradient; `None` if all are finite.
    ///
    /// In a row-sparse gradient it is the sum over the entries of a row that counts.
    ///
    /// ```
    /// use lexigrad_tensor::{Grad, Ids, RowSparse, Tensor};
    /// let values = Tensor::new([[1.0, 2.0], [f32::INFINITY, 0.0]]);
    /// let gradient = Grad::RowSparse(Box::new(RowSparse::new(Ids::new([7, 3])?, values, 10)?));
    /// let (value, index) = gradient.first_not_finite().unwrap();
    /// assert_eq!((value, &index[..]), (f32::INFINITY, &[3, 0][..]));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    pub fn first_not_finite(&self) -> Option<(T, Shape)> {
        // If the sum of squares is finite, so is every sum over the entries of a row. Otherwise the numbers are looked at one by one.
        if reduce::sum_of_squares(&self.stored().values()).is_finite() {
            return None;
        }
        let whole = self.coalesce();
        let values = whole.stored().values();
        let position = values.iter().position(|value| !value.is_finite())?;
        let mut index = whole.stored().shape().index_of(position);
        if let Self::RowSparse(sparse) = &whole {
            index.set(0, sparse.rows().as_slice()[index[0]] as usize);
        }
        Some((values[position], index))
    }

    /// The same gradient with each row at most once; a dense one as it is.
    ///
    /// # Panics
    /// If there is no memory for the sums.
    #[track_caller]
    pub fn coalesce(&self) -> Self {
        match self {
            Self::Dense(_) => self.clone(),
            Self::RowSparse(gradient) => Self::RowSparse(Box::new(gradient.coalesce())),
        }
    }
}
