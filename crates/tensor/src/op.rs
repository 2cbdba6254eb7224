//! A differentiable operation: what it computes, what it keeps, and how a gradient passes through it backwards.

use lexigrad_macros::compiled;
use smallvec::SmallVec;

use crate::element::Element;
use crate::error::Result;
use crate::grad::Grad;
use crate::ids::Ids;
use crate::tensor::Tensor;

/// A differentiable operation `y = f(x0, x1, ..)` with its vector-Jacobian product `(dL/dy) -> (dL/dx0, dL/dx1, ..)`.
///
/// [`apply`](fn@crate::apply) runs it and, while a tape is recording, keeps what [`saves`](Self::saves) names for [`vjp`](Self::vjp). A `vjp`
/// written with tensor operations can itself be differentiated, to any order. If an input was broadcast, `vjp` may return the
/// gradient in the output's shape: the tape sums it to the input's.
///
/// An operation asks nobody what is going on around it. The engine knows which inputs need a gradient, and tells
/// [`forward`](Self::forward). It knows whether a backward pass is itself recorded, and calls `vjp` if so, and otherwise
/// [`fused_vjp`](Self::fused_vjp).
///
/// ```
/// use lexigrad_tensor::{Cotangents, Needs, Op, Result, Saved, Saves, Tape, Tensor, apply};
///
/// /// y = x³
/// struct Cube;
///
/// impl Op<f32> for Cube {
///     fn name(&self) -> &'static str {
///         "cube"
///     }
///     fn saves(&self, _needs: Needs) -> Saves {
///         Saves::input(0)
///     }
///     fn forward(&mut self, inputs: &[&Tensor], _needs: Needs) -> Result<Tensor> {
///         let cubes: Vec<f32> = inputs[0].values().iter().map(|x| x * x * x).collect();
///         Tensor::from_slice(&cubes, inputs[0].shape())
///     }
///     fn vjp(&self, saved: &Saved<'_, f32>, cotangent: Tensor) -> Result<Cotangents<f32>> {
///         let derivative = saved.input(0).square().mul_scalar(3.0);
///         Ok(Cotangents::one(cotangent.mul(&derivative)?))
///     }
/// }
///
/// let tape = Tape::new();
/// let x = tape.watch(&Tensor::new([2.0, -1.0]));
/// let y = apply(Cube, &[&x])?;
/// let first = tape.grad(&y.sum(), &[&x])?;
/// assert_eq!(first[0].to_vec(), [12.0, 3.0]); // 3 x²
/// let second = tape.grad(&first[0].sum(), &[&x])?;
/// assert_eq!(second[0].to_vec(), [12.0, -6.0]); // 6 x
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `torch.autograd.Function`.
pub trait Op<T: Element>: 'static {
    /// The operation's name in messages.
    fn name(&self) -> &'static str;

    /// What `vjp` will read, given which inputs need a gradient. Nothing, unless overridden.
    fn saves(&self, needs: Needs) -> Saves {
        let _ = needs;
        Saves::NOTHING
    }

    /// Computes the output from the inputs' data; what is no tensor (winners, counts, a seed) may be kept in `self`.
    ///
    /// `needs` says which inputs need a gradient. If [none](Needs::any) does, there is no way back, and nothing is worth keeping.
    ///
    /// # Errors
    /// If the inputs do not fit.
    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>>;

    /// The gradient of each input from the output's, `cotangent`, which has the output's shape; in tensor operations, so that it can be
    /// differentiated in turn.
    ///
    /// # Errors
    /// Those of the operations it uses.
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>>;

    /// The same gradients by kernels, for a backward pass that nothing records. Unless overridden, it is [`vjp`](Self::vjp).
    ///
    /// The cotangent may be overwritten in place.
    ///
    /// # Errors
    /// As for [`vjp`](Self::vjp).
    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        self.vjp(saved, cotangent)
    }

    /// What diagnostics say of the operation.
    fn notes(&self) -> Notes<'_> {
        Notes::default()
    }
}

/// What diagnostics say of an operation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Notes<'a> {
    /// The ids by which rows are looked up.
    pub ids: Option<&'a Ids>,
    /// Why the gradient is not the derivative, where that is so by a convention.
    pub convention: Option<&'static str>,
    /// Whether infinities are written on purpose, such as a mask's.
    pub writes_infinity: bool,
}

/// Which inputs of an operation need a gradient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs(u64);

impl Needs {
    pub(crate) const NONE: Self = Self(0);

    /// Whether input `index` needs one; from the 64th input on, whether one of those does.
    pub fn input(self, index: usize) -> bool {
        self.0 >> index.min(63) & 1 == 1
    }

    pub(crate) fn with(self, index: usize) -> Self {
        Self(self.0 | 1 << index.min(63))
    }

    /// Whether an input needs one. If none does, nothing will be differentiated.
    pub fn any(self) -> bool {
        self.0 != 0
    }
}

/// Which tensors an operation keeps for its `vjp`: inputs (of the first 63), its output, or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Saves(u64);

const OUTPUT_BIT: u64 = 1 << 63;

impl Saves {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// The output.
    pub const OUTPUT: Self = Self(OUTPUT_BIT);

    /// Input `index`, below 63.
    pub const fn input(index: usize) -> Self {
        Self(1 << index)
    }

    /// Both what `self` and what `other` names.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This if `condition` holds, else nothing.
    pub const fn when(self, condition: bool) -> Self {
        if condition { self } else { Self::NOTHING }
    }

    pub(crate) fn has_output(self) -> bool {
        self.0 & OUTPUT_BIT != 0
    }

    /// The indices of the inputs named, ascending.
    pub(crate) fn inputs(self) -> impl Iterator<Item = usize> {
        (0..63)
            .take_while(move |&i| self.0 & !OUTPUT_BIT >= 1 << i)
            .filter(move |&i| self.0 >> i & 1 == 1)
    }

    /// Where input `index` stands among what was saved.
    fn position(self, index: usize) -> usize {
        (self.0 & ((1 << index) - 1)).count_ones() as usize
    }
}

/// What an operation kept, as its `vjp` reads it.
pub struct Saved<'a, T: Element> {
    pub(crate) saves: Saves,
    pub(crate) tensors: &'a [Tensor<T>],
    pub(crate) needs: Needs,
}

impl<T: Element> Saved<'_, T> {
    /// The saved input `index`.
    ///
    /// # Panics
    /// If [`Op::saves`] did not name it.
    pub fn input(&self, index: usize) -> &Tensor<T> {
        assert!(
            index < 63 && self.saves.0 >> index & 1 == 1,
            "input {index} is read by vjp, but Op::saves does not name it"
        );
        &self.tensors[self.saves.position(index)]
    }

    /// The saved output.
    ///
    /// # Panics
    /// If [`Op::saves`] did not name it.
    pub fn output(&self) -> &Tensor<T> {
        assert!(
            self.saves.has_output(),
            "the output is read by vjp, but Op::saves does not name it"
        );
        &self.tensors[self.tensors.len() - 1]
    }

    /// Whether input `index` needs a gradient; computing one that is not needed is allowed, but wasted.
    pub fn needs(&self, index: usize) -> bool {
        self.needs.input(index)
    }
}

/// The gradients of an operation's inputs, in order; `None` where there is none or none is needed.
pub struct Cotangents<T: Element>(pub(crate) SmallVec<[Option<Grad<T>>; 2]>);

#[compiled]
impl<T: Element> Cotangents<T> {
    /// The gradient of the only input.
    pub fn one(gradient: Tensor<T>) -> Self {
        Self(SmallVec::from_buf_and_len(
            [Some(Grad::Dense(gradient)), None],
            1,
        ))
    }

    /// The row-sparse gradient of the first input, a table.
    pub fn row_sparse(gradient: crate::RowSparse<T>) -> Self {
        let gradient = Grad::RowSparse(Box::new(gradient));
        Self(SmallVec::from_buf_and_len([Some(gradient), None], 1))
    }

    /// The gradients of two inputs.
    #[inline(always)]
    pub fn two(first: Option<Tensor<T>>, second: Option<Tensor<T>>) -> Self {
        Self(SmallVec::from_buf([
            first.map(Grad::Dense),
            second.map(Grad::Dense),
        ]))
    }
}

impl<T: Element> FromIterator<Option<Tensor<T>>> for Cotangents<T> {
    fn from_iter<I: IntoIterator<Item = Option<Tensor<T>>>>(gradients: I) -> Self {
        Self(gradients.into_iter().map(|g| g.map(Grad::Dense)).collect())
    }
}
