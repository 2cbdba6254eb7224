//! Broadcasting elementwise functions of two tensors.

use lexigrad_kernels::elementwise;
use lexigrad_kernels::extremum::wins;
use lexigrad_kernels::strided::zip_strided;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::Result;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::tensor::Tensor;

/// `f` of the elements of both, broadcast; a constant.
fn zip<T: Element>(
    operation: &'static str,
    x: &Tensor<T>,
    y: &Tensor<T>,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Result<Tensor<T>> {
    if let (true, Some(x_values), Some(y_values)) =
        (x.shape() == y.shape(), x.in_order(), y.in_order())
    {
        return Tensor::build(x.shape(), |out| {
            elementwise::zip(x_values, y_values, out, f);
        });
    }
    zip_broadcast(operation, x, y, f)
}

/// [`zip`] of two tensors that do not stand alike; apart from it, so that the common case is short.
#[inline(never)]
fn zip_broadcast<T: Element>(
    operation: &'static str,
    x: &Tensor<T>,
    y: &Tensor<T>,
    f: impl Fn(T, T) -> T + Sync + Copy,
) -> Result<Tensor<T>> {
    let shape = x.shape().broadcast(operation, y.shape())?;
    if let (Some(x), true) = (repeated(x), y.layout().is_dense() && *y.shape() == shape) {
        let values = y.read()?;
        return Tensor::build(&shape, |out| {
            elementwise::map(&values, out, |y| f(x, y));
        });
    }
    if let (Some(y), true) = (repeated(y), x.layout().is_dense() && *x.shape() == shape) {
        let values = x.read()?;
        return Tensor::build(&shape, |out| {
            elementwise::map(&values, out, |x| f(x, y));
        });
    }
    let [x, y] = [x, y].map(|operand| operand.layout().expand(&shape).view(operand.buffer()));
    Tensor::build(&shape, |out| {
        zip_strided(&shape, x.strided(), y.strided(), out, f);
    })
}

/// The one number that all elements are, as in the gradient of a sum.
fn repeated<T: Element>(x: &Tensor<T>) -> Option<T> {
    let strides = x.layout().strides();
    let mut axes = x.shape().iter().zip(strides.iter());
    let is_one = x.elements() > 0 && axes.all(|(&size, &stride)| size == 1 || stride == 0);
    is_one.then(|| x.buffer()[x.layout().offset()])
}

struct Add;

impl<T: Element> Op<T> for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        zip("add", inputs[0], inputs[1], |x, y| x + y)
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let second = saved.needs(1).then(|| cotangent.clone());
        Ok(Cotangents::two(saved.needs(0).then_some(cotangent), second))
    }
}

struct Sub;

impl<T: Element> Op<T> for Sub {
    fn name(&self) -> &'static str {
        "sub"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        zip("sub", inputs[0], inputs[1], |x, y| x - y)
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let second = saved.needs(1).then(|| cotangent.neg());
        Ok(Cotangents::two(saved.needs(0).then_some(cotangent), second))
    }
}

struct Mul;

impl<T: Element> Op<T> for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn saves(&self, needs: Needs) -> Saves {
        let first = Saves::input(0).when(needs.input(1));
        first.and(Saves::input(1).when(needs.input(0)))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        zip("mul", inputs[0], inputs[1], |x, y| x * y)
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let times = |index: usize, other: usize| {
            let gradient = || cotangent.mul(saved.input(other));
            saved.needs(index).then(gradient).transpose()
        };
        Ok(Cotangents::two(times(0, 1)?, times(1, 0)?))
    }
}

struct Div;

impl<T: Element> Op<T> for Div {
    fn name(&self) -> &'static str {
        "div"
    }

    fn saves(&self, needs: Needs) -> Saves {
        Saves::input(1).and(Saves::OUTPUT.when(needs.input(1)))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        zip("div", inputs[0], inputs[1], |x, y| x / y)
    }

    /// `d(x/y) = dx / y - (x/y) dy / y`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let first = cotangent.div(saved.input(1))?;
        let second = || Ok(first.mul(saved.output())?.neg());
        let second = saved.needs(1).then(second).transpose()?;
        Ok(Cotangents::two(saved.needs(0).then_some(first), second))
    }
}

/// The elementwise maximum or minimum.
struct Extremum {
    name: &'static str,
    minimum: bool,
}

impl Extremum {
    /// Whether x is taken and not y, if they are not alike.
    fn prefers<T: Element>(&self, x: T, y: T) -> bool {
        let beyond = if self.minimum { x < y } else { x > y };
        beyond || x.is_nan()
    }
}

impl<T: Element> Op<T> for Extremum {
    fn name(&self) -> &'static str {
        self.name
    }

    fn saves(&self, _needs: Needs) -> Saves {
        Saves::input(0).and(Saves::input(1))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        zip(self.name, inputs[0], inputs[1], |x, y| {
            if self.prefers(x, y) { x } else { y }
        })
    }

    /// The gradient goes to the side that was taken; half to each where they are equal, or both NaN.
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let share = |x: T, y: T| {
            if wins(x, y) {
                T::from_f64(0.5)
            } else if self.prefers(x, y) {
                T::one()
            } else {
                T::zero()
            }
        };
        let (x, y) = (saved.input(0), saved.input(1));
        let first = cotangent.mul(&zip(self.name, x, y, share)?)?;
        let second = cotangent.mul(&zip(self.name, y, x, share)?)?;
        Ok(Cotangents::two(Some(first), Some(second)))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `z = x + y`, broadcast.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.add(&Tensor::new([10.0, 20.0]))?.to_vec(), [11.0, 22.0, 13.0, 24.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn add(&self, other: &Self) -> Result<Self> {
        apply(Add, &[self, other])
    }

    /// `z = x - y`, broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn sub(&self, other: &Self) -> Result<Self> {
        apply(Sub, &[self, other])
    }

    /// `z = x y` element by element, broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn mul(&self, other: &Self) -> Result<Self> {
        apply(Mul, &[self, other])
    }

    /// `z = x / y` element by element, broadcast.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn div(&self, other: &Self) -> Result<Self> {
        apply(Div, &[self, other])
    }

    /// `z = max(x, y)` element by element, broadcast; NaN if one is NaN. Equal elements share the gradient by halves.
    ///
    /// A NaN is taken, so it gets the gradient, where PyTorch gives all of it to both sides.
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn maximum(&self, other: &Self) -> Result<Self> {
        let op = Extremum {
            name: "maximum",
            minimum: false,
        };
        apply(op, &[self, other])
    }

    /// `z = min(x, y)` element by element, broadcast; NaN if one is NaN. Equal elements share the gradient by halves.
    ///
    /// A NaN is taken, as by [`maximum`](Self::maximum).
    ///
    /// # Errors
    /// If the shapes do not broadcast.
    pub fn minimum(&self, other: &Self) -> Result<Self> {
        let op = Extremum {
            name: "minimum",
            minimum: true,
        };
        apply(op, &[self, other])
    }
}
