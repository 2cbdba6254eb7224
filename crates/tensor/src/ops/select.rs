//! Choosing elements by a mask.

use std::fmt;
use std::sync::Arc;

use lexigrad_kernels::{elementwise, strided};
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::layout::Layout;
use crate::op::{Cotangents, Needs, Notes, Op, Saved};
use crate::room;
use crate::shape::Shape;
use crate::tape::note_cut;
use crate::tensor::Tensor;

/// Truth values `[..]`, such as which positions of a batch are padding.
///
/// ```
/// use lexigrad_tensor::{Mask, Tensor};
/// let x: Tensor = Tensor::new([1.0, -2.0, 3.0]);
/// let negative = x.mask(|x| x < 0.0);
/// assert_eq!(negative.to_vec(), [false, true, false]);
/// assert_eq!(x.masked_fill(&negative, 0.0)?.to_vec(), [1.0, 0.0, 3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: a tensor of dtype `bool`.
#[derive(Clone, PartialEq)]
pub struct Mask {
    values: Arc<[bool]>,
    shape: Shape,
}

impl Mask {
    /// A mask from values in row-major order.
    ///
    /// # Errors
    /// If their number is not the shape's.
    pub fn new(values: Vec<bool>, shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        if shape.count().ok() != Some(values.len()) {
            let message = format!("{} values do not fill shape {shape}", values.len());
            return Err(Error::other("mask", message));
        }
        let values = values.into();
        Ok(Self { values, shape })
    }

    /// `mask[b, t] = t < lengths[b]`: `[B, L]`, true where a sequence of a padded batch has an element.
    ///
    /// ```
    /// use lexigrad_tensor::Mask;
    /// let present = Mask::from_lengths(&[2, 0], 3);
    /// assert_eq!(present.to_vec(), [true, true, false, false, false, false]);
    /// ```
    ///
    /// # Panics
    /// If there is no memory for so many values.
    #[track_caller]
    pub fn from_lengths(lengths: &[usize], longest: usize) -> Self {
        let rows = lengths.iter();
        let values = rows.flat_map(|&length| (0..longest).map(move |place| place < length));
        or_panic(
            "from_lengths",
            Self::filled([lengths.len(), longest], values),
        )
    }

    /// `mask[i, j] = j <= i + diagonal`: `[rows, columns]`. With diagonal 0 it is what a causal attention may see.
    ///
    /// # Panics
    /// If there is no memory for so many values.
    #[track_caller]
    pub fn lower_triangle(rows: usize, columns: usize, diagonal: isize) -> Self {
        or_panic("lower_triangle", Self::triangle(rows, columns, diagonal))
    }

    fn triangle(rows: usize, columns: usize, diagonal: isize) -> Result<Self> {
        Self::where_pairs(rows, columns, |i, j| {
            j as isize <= (i as isize).saturating_add(diagonal)
        })
    }

    /// `mask[i, j] = is_true(i, j)`: `[rows, columns]`.
    ///
    /// # Errors
    /// If there is no memory for so many values.
    pub(crate) fn where_pairs(
        rows: usize,
        columns: usize,
        is_true: impl Fn(usize, usize) -> bool + Copy,
    ) -> Result<Self> {
        let row = |i: usize| (0..columns).map(move |j| is_true(i, j));
        // Rows without a column may be more than can be counted.
        let rows_read = if columns == 0 { 0 } else { rows };
        Self::filled([rows, columns], (0..rows_read).flat_map(row))
    }

    /// # Errors
    /// If there is no memory for so many values.
    fn filled(shape: impl Into<Shape>, values: impl Iterator<Item = bool>) -> Result<Self> {
        let shape = shape.into();
        let mut room = room::room(&shape)?;
        room.extend(values);
        let values = room.into();
        Ok(Self { values, shape })
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The same values under another shape, which has as many.
    pub(crate) fn reshaped(&self, shape: impl Into<Shape>) -> Self {
        Self {
            values: self.values.clone(),
            shape: shape.into(),
        }
    }

    /// True where both are, broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn and(&self, other: &Self) -> Result<Self> {
        self.combine("and", other, |x, y| x && y)
    }

    /// True where one or both are, broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn or(&self, other: &Self) -> Result<Self> {
        self.combine("or", other, |x, y| x || y)
    }

    fn combine(
        &self,
        operation: &'static str,
        other: &Self,
        f: impl Fn(bool, bool) -> bool,
    ) -> Result<Self> {
        let shape = self.shape.broadcast(operation, &other.shape)?;
        let (x, y) = (
            self.expand(operation, &shape)?,
            other.expand(operation, &shape)?,
        );
        let pairs = x.values.iter().zip(y.values.iter());
        let values = pairs.map(|(&x, &y)| f(x, y));
        Self::filled(shape, values).map_err(|error| error.within(operation))
    }

    /// 1 where true, 0 where false; a constant.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn to_tensor<T: Element>(&self) -> Tensor<T> {
        let number = |&value: &bool| if value { T::one() } else { T::zero() };
        let numbers = Tensor::build(&self.shape, |out| {
            let pairs = out.iter_mut().zip(self.values.iter());
            pairs.for_each(|(out, value)| *out = number(value));
        });
        or_panic("to_tensor", numbers)
    }

    pub(crate) fn values(&self) -> &[bool] {
        &self.values
    }

    /// The values in row-major order.
    pub fn to_vec(&self) -> Vec<bool> {
        self.values.to_vec()
    }

    /// True where this is false.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[must_use]
    #[track_caller]
    pub fn not(&self) -> Self {
        let values = self.values.iter().map(|value| !value);
        or_panic("not", Self::filled(&self.shape, values))
    }

    /// Checks that the mask can be repeated to `shape`.
    fn check_expands(&self, operation: &'static str, shape: &Shape) -> Result<()> {
        if self.shape != *shape && self.shape.broadcast(operation, shape)? != *shape {
            let rule = format!("it must broadcast to {shape}");
            return Err(Error::shape(operation, "the mask", &self.shape, rule));
        }
        Ok(())
    }

    /// The mask repeated to `shape`.
    fn expand(&self, operation: &'static str, shape: &Shape) -> Result<Self> {
        if self.shape == *shape {
            return Ok(self.clone());
        }
        self.check_expands(operation, shape)?;
        let layout = Layout::dense(self.shape.clone()).expand(shape);
        let mut values = room::filled(shape, false).map_err(|error| error.within(operation))?;
        let view = layout.view(&self.values);
        strided::copy_strided(shape, view.strided(), &mut values);
        Ok(Self {
            values: values.into(),
            shape: shape.clone(),
        })
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask {} {:?}", self.shape, &self.values[..])
    }
}

/// `y = value where mask, else x`; the mask is broadcast to x's shape.
struct MaskedFill<T> {
    mask: Mask,
    value: T,
}

impl<T: Element> Op<T> for MaskedFill<T> {
    fn name(&self) -> &'static str {
        "masked_fill"
    }

    fn notes(&self) -> Notes<'_> {
        let writes_infinity = self.value.is_infinite();
        Notes {
            writes_infinity,
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (x, value) = (inputs[0].read()?, self.value);
        Tensor::build(inputs[0].shape(), |out| {
            let fill = |x, masked| if masked { value } else { x };
            if self.mask.shape == *inputs[0].shape() {
                return elementwise::zip(&x, &self.mask.values, out, fill);
            }
            let shape = inputs[0].shape();
            let x = Layout::dense(shape.clone()).view(&x);
            let mask = Layout::dense(self.mask.shape.clone()).expand(shape);
            let mask = mask.view(&self.mask.values);
            strided::zip_strided(shape, x.strided(), mask.strided(), out, fill);
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(
            cotangent.masked_fill(&self.mask, T::zero())?,
        ))
    }
}

/// `z = x where mask, else y`; all three of one shape.
struct Where {
    mask: Mask,
}

impl<T: Element> Op<T> for Where {
    fn name(&self) -> &'static str {
        "where"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (x, y) = (inputs[0].read()?, inputs[1].read()?);
        Tensor::build(inputs[0].shape(), |out| {
            let pairs = x.iter().zip(y.iter()).zip(self.mask.values.iter());
            for (out, ((&x, &y), &taken)) in out.iter_mut().zip(pairs) {
                *out = if taken { x } else { y };
            }
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let first = cotangent.masked_fill(&self.mask.not(), T::zero())?;
        let second = cotangent.masked_fill(&self.mask, T::zero())?;
        Ok(Cotangents::two(Some(first), Some(second)))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// Where `condition` holds, as a mask of this tensor's shape.
    ///
    /// # Panics
    /// If there is no memory for the result.
    #[track_caller]
    pub fn mask(&self, condition: impl Fn(T) -> bool) -> Mask {
        note_cut("mask", self);
        let values = self.values();
        let values = values.iter().map(|&x| condition(x));
        or_panic("mask", Mask::filled(self.shape(), values))
    }

    /// `y = value where mask, else x`; the mask is broadcast to x. No gradient passes where the mask is true.
    ///
    /// # Errors
    /// If the mask does not broadcast to this shape.
    pub fn masked_fill(&self, mask: &Mask, value: T) -> Result<Self> {
        mask.check_expands("masked_fill", self.shape())?;
        let mask = mask.clone();
        apply(MaskedFill { mask, value }, &[self])
    }

    /// `z = self where mask, else other`, all three broadcast. PyTorch: `torch.where(mask, self, other)`.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn where_mask(&self, mask: &Mask, other: &Self) -> Result<Self> {
        let shape = self.shape().broadcast("where", other.shape())?;
        let shape = shape.broadcast("where", &mask.shape)?;
        let mask = mask.expand("where", &shape)?;
        let (x, y) = (self.expand(&shape)?, other.expand(&shape)?);
        apply(Where { mask }, &[&x, &y])
    }

    /// The elements on and below the `diagonal`th diagonal of each matrix, zeros above: `[.., m, n]`.
    ///
    /// # Errors
    /// If the tensor has fewer than two axes.
    pub fn tril(&self, diagonal: isize) -> Result<Self> {
        let lower = self.triangle("tril", diagonal)?;
        self.masked_fill(&lower.not(), T::zero())
    }

    /// The elements on and above the `diagonal`th diagonal of each matrix, zeros below: `[.., m, n]`.
    ///
    /// # Errors
    /// If the tensor has fewer than two axes.
    pub fn triu(&self, diagonal: isize) -> Result<Self> {
        let below = self.triangle("triu", diagonal.saturating_sub(1))?;
        self.masked_fill(&below, T::zero())
    }

    fn triangle(&self, operation: &'static str, diagonal: isize) -> Result<Mask> {
        match self.shape()[..] {
            [.., rows, columns] => {
                Mask::triangle(rows, columns, diagonal).map_err(|error| error.within(operation))
            }
            _ => {
                let rule = "it must have at least two axes";
                Err(Error::shape(operation, "the tensor", self.shape(), rule))
            }
        }
    }
}
