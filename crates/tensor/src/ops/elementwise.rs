//! The driver of unary elementwise operations: an operation states `f`, `df` and what `df` reads; the rest follows.
//!
//! The macro [`elementwise`] defines one with its method of [`Tensor`].

use lexigrad_kernels::elementwise as kernels;

use crate::apply::apply_total;
use crate::element::Element;
use crate::error::Result;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::tensor::Tensor;

/// What the derivative of `y = f(x)` is computed from.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Reads {
    X,
    Y,
}

impl Reads {
    fn of<'a, T: Element>(self, saved: &'a Saved<'_, T>) -> &'a Tensor<T> {
        match self {
            Self::X => saved.input(0),
            Self::Y => saved.output(),
        }
    }
}

/// `y = f(x)` for each element.
pub(crate) trait Elementwise<T: Element>: Copy + Send + Sync + 'static {
    const NAME: &'static str;
    const READS: Reads;

    fn f(self, x: T) -> T;

    /// `dy/dx` from x or y, as `READS` says; inlined into the one fused loop of the backward pass.
    fn df(self, v: T) -> T;

    /// `dy/dx` of all elements in tensor operations, for when the backward pass is itself recorded.
    fn derivative(self, v: &Tensor<T>) -> Result<Tensor<T>>;
}

pub(super) struct Unary<E>(pub(super) E);

impl<T: Element, E: Elementwise<T>> Op<T> for Unary<E> {
    fn name(&self) -> &'static str {
        E::NAME
    }

    fn saves(&self, _needs: Needs) -> Saves {
        match E::READS {
            Reads::X => Saves::input(0),
            Reads::Y => Saves::OUTPUT,
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        inputs[0].in_memory_order(|x, _, _| {
            let values = x.read()?;
            Tensor::build(x.shape(), |out| kernels::map(&values, out, Forward(self.0)))
        })
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let derivative = self.0.derivative(E::READS.of(saved))?;
        Ok(Cotangents::one(cotangent.mul(&derivative)?))
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, mut cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let (op, read) = (self.0, E::READS.of(saved));
        if cotangent.is_writable() && read.layout().is_dense() {
            kernels::zip_in_place(cotangent.values_mut(), &read.read()?, Chain(op));
            return Ok(Cotangents::one(cotangent));
        }
        let gradient = read.in_memory_order(|read, alike, _| {
            let given = alike(&cotangent);
            let (given, read) = (given.read()?, read.read()?);
            Tensor::build(alike(&cotangent).shape(), |out| {
                kernels::zip(&given, &read, out, Chain(op));
            })
        })?;
        Ok(Cotangents::one(gradient))
    }
}

#[derive(Clone, Copy)]
struct Forward<E>(E);

impl<T: Element, E: Elementwise<T>> kernels::Unary<T> for Forward<E> {
    #[inline(always)]
    fn call(self, x: T) -> T {
        self.0.f(x)
    }
}

/// The chain rule: the cotangent of x from that of y.
#[derive(Clone, Copy)]
struct Chain<E>(E);

impl<T: Element, E: Elementwise<T>> kernels::Binary<T> for Chain<E> {
    #[inline(always)]
    fn call(self, g: T, v: T) -> T {
        g * self.0.df(v)
    }
}

/// `f` of every element, recorded.
pub(super) fn unary<T: Element, E: Elementwise<T>>(x: &Tensor<T>, op: E) -> Tensor<T> {
    apply_total(Unary(op), x)
}

/// `change` of every element, a constant; for derivatives that are constant between kinks.
pub(super) fn constant_map<T: Element>(
    x: &Tensor<T>,
    change: impl Fn(T) -> T + Sync + Copy,
) -> Result<Tensor<T>> {
    let values = x.read()?;
    Tensor::build(x.shape(), |out| kernels::map(&values, out, change))
}

/// Operations `y = f(x)` with their methods of `Tensor`: the method's name and the operation's, with its parameters, and what the
/// derivative is computed from; then f, the derivative of a number, and that of a tensor in tensor operations. A derivative that is
/// constant between kinks needs no formula in tensor operations.
macro_rules! elementwise {
    ($(
        $(#[$doc:meta])*
        $method:ident as $op:ident $(<$t:ident>($($parameter:ident),+))?, from $reads:ident {
            f: |$x:ident| $f:expr,
            df: |$v:ident| $df:expr,
            $(derivative: |$w:ident| $derivative:expr,)?
        }
    )+) => {
        $(
            #[derive(Clone, Copy)]
            struct $op $(<$t>)? {
                $($($parameter: $t,)+)?
            }

            impl<T: Element> $crate::ops::elementwise::Elementwise<T> for $op $(<$t>)? {
                const NAME: &'static str = stringify!($method);
                const READS: $crate::ops::elementwise::Reads =
                    $crate::ops::elementwise::Reads::$reads;

                #[inline(always)]
                fn f(self, $x: T) -> T {
                    #[allow(unused_variables, reason = "not every formula reads every parameter")]
                    let Self { $($($parameter),+)? } = self;
                    $f
                }

                #[inline(always)]
                fn df(self, $v: T) -> T {
                    #[allow(unused_variables, reason = "not every formula reads every parameter")]
                    let Self { $($($parameter),+)? } = self;
                    $df
                }

                fn derivative(self, read: &Tensor<T>) -> Result<Tensor<T>> {
                    #[allow(unused_variables, reason = "not every formula reads every parameter")]
                    let Self { $($($parameter),+)? } = self;
                    elementwise!(@derivative self, read $(, |$w| $derivative)?)
                }
            }
        )+

        #[lexigrad_macros::compiled]
        impl<T: Element> Tensor<T> {
            $(
                $(#[$doc])*
                ///
                /// # Panics
                /// If there is no memory for the result.
                #[track_caller]
                pub fn $method(&self $($(, $parameter: T)+)?) -> Self {
                    $crate::ops::elementwise::unary(self, $op { $($($parameter),+)? })
                }
            )+
        }
    };
    (@derivative $op:ident, $read:ident) => {
        $crate::ops::elementwise::constant_map($read, |v| {
            $crate::ops::elementwise::Elementwise::df($op, v)
        })
    };
    (@derivative $op:ident, $read:ident, |$w:ident| $derivative:expr) => {{
        let $w = $read;
        $derivative
    }};
}

pub(super) use elementwise;
