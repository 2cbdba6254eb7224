//! Views and rearrangements: the same elements under another shape.

use lexigrad_macros::compiled;
use smallvec::SmallVec;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The same elements in row-major order under `to`; its adjoint goes back to `from`.
struct Reshape {
    from: Shape,
    to: Shape,
}

impl<T: Element> Op<T> for Reshape {
    fn name(&self) -> &'static str {
        "reshape"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let dense = inputs[0].dense()?;
        Ok(dense.with_layout(dense.layout().reshape(self.to.clone())))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent.reshape(&self.from)?))
    }
}

/// Two axes exchanged; its own adjoint.
struct Transpose {
    a: usize,
    b: usize,
}

impl<T: Element> Op<T> for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].with_layout(inputs[0].layout().transpose(self.a, self.b)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let (a, b) = (self.a as isize, self.b as isize);
        Ok(Cotangents::one(cotangent.transpose(a, b)?))
    }
}

/// Axis i of the result is axis `order[i]`; the adjoint is the inverse order.
struct Permute {
    order: SmallVec<[usize; 4]>,
}

impl<T: Element> Op<T> for Permute {
    fn name(&self) -> &'static str {
        "permute"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].with_layout(inputs[0].layout().permute(&self.order)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let mut inverse = vec![0; self.order.len()];
        for (to, &from) in self.order.iter().enumerate() {
            inverse[from] = to as isize;
        }
        Ok(Cotangents::one(cotangent.permute(&inverse)?))
    }
}

/// Repetition to a larger shape; the tape sums the gradient back to the input's.
struct Expand {
    to: Shape,
}

impl<T: Element> Op<T> for Expand {
    fn name(&self) -> &'static str {
        "expand"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].with_layout(inputs[0].layout().expand(&self.to)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(cotangent))
    }
}

/// An axis of size 1 taken away; its adjoint is [`Unsqueeze`].
struct Squeeze {
    axis: usize,
}

impl<T: Element> Op<T> for Squeeze {
    fn name(&self) -> &'static str {
        "squeeze"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].with_layout(inputs[0].layout().squeeze(self.axis)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let unsqueeze = Unsqueeze { axis: self.axis };
        Ok(Cotangents::one(apply(unsqueeze, &[&cotangent])?))
    }
}

/// An axis of size 1 put in; its adjoint is [`Squeeze`].
struct Unsqueeze {
    axis: usize,
}

impl<T: Element> Op<T> for Unsqueeze {
    fn name(&self) -> &'static str {
        "unsqueeze"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].with_layout(inputs[0].layout().unsqueeze(self.axis)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let squeeze = Squeeze { axis: self.axis };
        Ok(Cotangents::one(apply(squeeze, &[&cotangent])?))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// The same elements in row-major order under another shape; a view if they stand so already.
    ///
    /// # Errors
    /// If the number of elements differs, or it is copied and there is no memory for the copy.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Result<Self> {
        let to = shape.into();
        if *self.shape() == to {
            return Ok(self.clone());
        }
        let (from, to) = (self.shape().clone(), to.checked("reshape")?);
        if from.elements() != to.elements() {
            let rule = format!("it must hold {} elements to become {to}", to.elements());
            return Err(Error::shape("reshape", "the tensor", &from, rule));
        }
        apply(Reshape { from, to }, &[self])
    }

    /// A view with the axes `a` and `b` exchanged; negative ones count from the end.
    ///
    /// # Errors
    /// If there is no such axis.
    pub fn transpose(&self, a: isize, b: isize) -> Result<Self> {
        let a = self.shape().axis("transpose", a)?;
        let b = self.shape().axis("transpose", b)?;
        apply(Transpose { a, b }, &[self])
    }

    /// A view whose axis i is this tensor's axis `order[i]`.
    ///
    /// # Errors
    /// If `order` does not name every axis once.
    pub fn permute(&self, order: &[isize]) -> Result<Self> {
        let named = self.shape().axis_set("permute", order)?;
        if order.len() != named.len() {
            let rule = format!("the order {order:?} must name every axis once");
            return Err(Error::shape("permute", "the tensor", self.shape(), rule));
        }
        let resolve = |&axis: &isize| self.shape().axis("permute", axis);
        let order = order.iter().map(resolve).collect::<Result<_>>()?;
        apply(Permute { order }, &[self])
    }

    /// A view repeated to `shape` without a copy: new axes in front, and axes of size 1 to any size.
    ///
    /// # Errors
    /// If this shape does not broadcast to it, or it has more elements than a tensor can have.
    pub fn expand(&self, shape: impl Into<Shape>) -> Result<Self> {
        let to = shape.into().checked("expand")?;
        if self.shape().broadcast("expand", &to)? != to {
            let rule = format!("it does not repeat to {to}");
            return Err(Error::shape("expand", "the tensor", self.shape(), rule));
        }
        apply(Expand { to }, &[self])
    }

    /// A view without the axis `axis`, which must have size 1.
    ///
    /// # Errors
    /// If it has another size, where PyTorch leaves the tensor as it is.
    pub fn squeeze(&self, axis: isize) -> Result<Self> {
        let index = self.shape().axis("squeeze", axis)?;
        if self.shape()[index] != 1 {
            let rule = format!("axis {axis} must have size 1 to be squeezed");
            return Err(Error::shape("squeeze", "the tensor", self.shape(), rule));
        }
        apply(Squeeze { axis: index }, &[self])
    }

    /// A view with a new axis of size 1 before `axis`; -1 puts it last.
    ///
    /// # Errors
    /// If `axis` is beyond the rank.
    pub fn unsqueeze(&self, axis: isize) -> Result<Self> {
        let mut longer = self.shape().clone();
        longer.push(1);
        let axis = longer.axis("unsqueeze", axis)?;
        apply(Unsqueeze { axis }, &[self])
    }

    /// The gradient of a broadcast tensor: summed over the axes that were repeated, so that it has `shape`.
    ///
    /// # Errors
    /// If `shape` does not broadcast to this tensor's.
    pub fn sum_to(&self, shape: &Shape) -> Result<Self> {
        if self.shape() == shape {
            return Ok(self.clone());
        }
        if shape.broadcast("sum_to", self.shape())? != *self.shape() {
            let rule = format!("{shape} was not broadcast to it");
            return Err(Error::shape("sum_to", "the tensor", self.shape(), rule));
        }
        let added = self.rank() - shape.rank();
        let repeated: Vec<isize> = (0..self.rank())
            .filter(|&axis| axis < added || shape[axis - added] != self.shape()[axis])
            .map(|axis| axis as isize)
            .collect();
        self.sum_keep(&repeated)?.reshape(shape)
    }
}
