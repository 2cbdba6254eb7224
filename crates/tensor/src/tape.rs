//! The tape: what is computed while it is alive is recorded, and differentiated when it is consumed.
//!
//! A tape is a plain list of records in the order of creation (a Wengert list). The backward pass is one loop over it in
//! reverse: no sort, no recursion, no graph of pointers; dropping it is a flat drop.

mod accumulate;
mod checkpoint;
mod cuts;
mod finite;
mod lane;
mod lent;
mod nested;
mod record;
mod recording;
mod reverse;
mod thread;
mod trace;

use std::marker::PhantomData;

use lexigrad_kernels::random;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::gradients::Gradients;
use crate::leaf::TapeId;
use crate::module::Module;
use crate::tensor::Tensor;

pub(crate) use accumulate::Accumulator;
pub use checkpoint::checkpoint;
pub use cuts::{MissingGradient, MissingReason};
pub(crate) use cuts::{Paths, note_cut};
pub(crate) use recording::{needs_of, param_leaf, record};
pub use thread::{change_state, dropout_seed, is_recording, is_shard, is_training, set_seed};
pub(crate) use thread::{next_thread_seed, run_shard};
pub use trace::{Cut, StaleUse};

use reverse::Until;
use thread::{Alive, Frame, FrameGuard, Scope};

/// Records what this thread computes, from its creation until it is consumed or dropped.
///
/// There is no `zero_grad`, no `no_grad` and no `train()`/`eval()`: without a tape nothing is recorded and dropout is off.
/// Tapes nest, and the innermost one records; to it, tensors of an outer tape are constants. A tensor that outlives its tape
/// becomes a constant.
///
/// ```
/// use lexigrad_tensor::{Tape, Tensor};
/// let tape = Tape::new();
/// let x = tape.watch(&Tensor::new([1.0, 2.0, 3.0]));
/// let loss = x.square().sum();
/// let grads = tape.backward(&loss)?;
/// let gradient = grads.of(&x).map(|grad| grad.to_dense()).transpose()?;
/// assert_eq!(gradient.map(|g| g.to_vec()), Some(vec![2.0, 4.0, 6.0]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// A thread of a rayon pool that waits may be given another task of that pool. While it waits in lexigrad, in a kernel or in
/// [`data_parallel`](crate::data_parallel), such a task sees neither this tape nor the thread's seed. In a call of rayon by your own
/// code it sees both: use `data_parallel`, or [`pause`](Self::pause) the tape for as long as the call waits.
///
/// PyTorch: the graph behind `requires_grad`, with an owner and an end. JAX: the trace of `jax.vjp`.
#[must_use = "a tape that is not bound to a name is dropped at once and records nothing"]
pub struct Tape {
    id: TapeId,
    /// A tape belongs to the thread that made it.
    not_send: PhantomData<*const ()>,
}

#[compiled]
impl Tape {
    /// Starts to record, for training: dropout is on, and draws from this thread's sequence of seeds.
    #[allow(
        clippy::new_without_default,
        reason = "starting to record is an effect"
    )]
    pub fn new() -> Self {
        Self::seeded(thread::next_thread_seed())
    }

    /// Starts to record, for training, with a seed for the randomness of this step.
    pub fn seeded(seed: u64) -> Self {
        Self::nested(Some(random::mix(seed)), Scope::Closed)
    }

    /// Starts to record with dropout off: gradients of the model as it is used.
    pub fn eval() -> Self {
        Self::nested(None, Scope::Closed)
    }

    fn nested(seeds: Option<u64>, scope: Scope) -> Self {
        Self {
            id: thread::start(seeds, scope),
            not_send: PhantomData,
        }
    }

    /// The same tape, which also notes where numbers leave it (`detach`, `item`, `argmax`, `mask`, ..), so that
    /// [`Gradients::missing`] says why a parameter got no gradient.
    ///
    /// ```
    /// use lexigrad_tensor::{Param, Tape, Tensor};
    /// let weight: Param = Param::new(Tensor::new([1.0, 2.0]));
    /// let scale: Param = Param::new(Tensor::new([3.0]));
    /// let tape = Tape::new().record_cuts();
    /// let logits = weight.value().detach().mul(&scale.value())?; // a mistake
    /// let grads = tape.backward(&logits.sum())?;
    /// let missing = grads.missing(&vec![weight, scale]);
    /// assert_eq!(missing.len(), 1);
    /// assert!(missing[0].to_string().starts_with("0: its path is cut by detach of [2] at "));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    pub fn record_cuts(self) -> Self {
        thread::trace(self.id, |trace| trace.cuts = Some(Default::default()));
        self
    }

    /// The same tape, which looks at each gradient that it returns as soon as it is complete, while a cache still holds it.
    ///
    /// Nothing is refused. The [`Gradients`] know whether [all are finite](Gradients::are_known_to_be_finite), and an optimizer that
    /// refuses others need not read them again. A gradient larger than the caches is read from memory.
    ///
    /// ```
    /// use lexigrad_tensor::{Param, Tape, Tensor};
    /// let weight: Param = Param::new(Tensor::new([0.0, 1.0]));
    /// let tape = Tape::new().inspect_gradients();
    /// let grads = tape.backward(&weight.value().sqrt().sum())?; // the slope at 0 is infinite
    /// assert!(!grads.are_known_to_be_finite());
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    pub fn inspect_gradients(self) -> Self {
        thread::with_recording(self.id, |recording| recording.inspects = true);
        self
    }

    /// The same tape, which also checks every output and every gradient: the first one that is not finite becomes an error that
    /// names the operation, the ranges of its inputs, the nearest parameter of `model`, and for a lookup the ids.
    ///
    /// The operation itself returns the error; one that returns no `Result` leaves it to the next, or to the backward pass.
    /// An infinity is a fault if a trained parameter that holds it is read, or if no input of the operation held one. An infinity that
    /// the user gives is no fault, such as the -inf of a mask or one in a frozen parameter.
    ///
    /// ```
    /// use lexigrad_tensor::{Param, Tape, Tensor};
    /// let weight: Param = Param::new(Tensor::new([[1.0, 0.0]]));
    /// let tape = Tape::new().check_finite(&vec![weight.clone()]);
    /// let loss = weight.value().ln().sum();
    /// let error = tape.backward(&loss).unwrap_err();
    /// assert_eq!(error.to_string(), "ln: the output holds -inf at [0, 1] (inputs: [1, 2] from 0.0000e0 to 1.0000e0), at `0`");
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// PyTorch: `autograd.detect_anomaly`, which looks at NaN in gradients alone.
    pub fn check_finite<T: Element>(self, model: &(impl Module<T> + ?Sized)) -> Self {
        let paths = model.named_parameters().into_iter();
        let paths = paths.map(|(path, param)| (param.id(), path)).collect();
        thread::trace(self.id, |trace| {
            let finite = trace.finite.get_or_insert_default();
            finite.paths = paths;
        });
        self
    }

    /// Operations recorded so far whose gradient is a convention and not the derivative, each with the convention.
    ///
    /// ```
    /// use lexigrad_tensor::{EmbeddingOptions, Ids, Tape, Tensor, embedding};
    /// let tape = Tape::new();
    /// let table = tape.watch(&Tensor::<f32>::ones([3, 2]));
    /// embedding(&table, &Ids::new([0, 1])?, &EmbeddingOptions { padding: Some(0), ..Default::default() })?;
    /// assert_eq!(tape.conventions::<f32>(), [("embedding", "the padding row gets no gradient")]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    pub fn conventions<T: Element>(&self) -> Vec<(&'static str, &'static str)> {
        recording::look::<T, _>(self.id, |records| {
            let mut found = Vec::new();
            for record in records {
                if let record::Source::Computed(computed) = &record.source
                    && let Some(convention) = computed.op.notes().convention
                    && !found.contains(&(computed.op.name(), convention))
                {
                    found.push((computed.op.name(), convention));
                }
            }
            found
        })
    }

    /// The tensor as a leaf of this tape, whose gradient [`Gradients::of`] and [`grad`](Self::grad) give.
    pub fn watch<T: Element>(&self, tensor: &Tensor<T>) -> Tensor<T> {
        let mut leaf = tensor.constant();
        leaf.set_node(recording::watched_leaf::<T>(self.id, tensor.shape()));
        leaf
    }

    /// `dL/dx` for every parameter and watched tensor x that the loss L depends on. Consumes the tape.
    ///
    /// Each record is freed as it is processed, so that when this returns nothing holds a parameter's buffer any more.
    ///
    /// # Errors
    /// If the loss does not hold exactly one element, was not recorded, or was recorded by another tape.
    ///
    /// PyTorch: `loss.backward()`, which does not sum a loss of several elements for you either.
    pub fn backward<T: Element>(self, loss: &Tensor<T>) -> Result<Gradients<T>> {
        if loss.elements() != 1 {
            let rule = "it must hold one element (take its sum or mean, or use backward_with)";
            return Err(Error::shape("backward", "the loss", loss.shape(), rule));
        }
        self.backward_with(loss, &Tensor::ones(loss.shape()))
    }

    /// The vector-Jacobian product `uᵀ dy/dx` for every parameter and watched tensor x, for an output `y: [..]` and a
    /// cotangent `u: [..]` of its shape. Consumes the tape.
    ///
    /// # Errors
    /// If the shapes differ, or as for [`backward`](Self::backward).
    ///
    /// PyTorch: `y.backward(gradient=u)`.
    pub fn backward_with<T: Element>(
        self,
        y: &Tensor<T>,
        cotangent: &Tensor<T>,
    ) -> Result<Gradients<T>> {
        let index = self.index_of("backward", "loss", y)?;
        check_cotangent("backward", y, cotangent)?;
        let paths = cuts::paths::<T>(self.id);
        let _paused = thread::enter(Frame::Paused);
        let mut gradients = reverse::consume(self.id, index, cotangent.constant())?;
        gradients.set_paths(paths);
        Ok(gradients)
    }

    /// `dy/dx` for each x of `xs`, itself recorded on this tape, so that it can be differentiated again.
    ///
    /// `y` holds one element; where y does not depend on an x, its gradient is zeros. To differentiate by a parameter, pass
    /// [`Param::value`](crate::Param::value) read under this tape.
    ///
    /// ```
    /// use lexigrad_tensor::{Tape, Tensor};
    /// let tape = Tape::new();
    /// let x = tape.watch(&Tensor::new(2.0_f64));
    /// let y = x.powf(4.0);
    /// let first = tape.grad(&y, &[&x])?.remove(0);
    /// let second = tape.grad(&first, &[&x])?.remove(0);
    /// assert_eq!((first.item()?, second.item()?), (32.0, 48.0));
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If `y` does not hold one element, or y or an x is not on this tape.
    ///
    /// PyTorch: `torch.autograd.grad(y, xs, create_graph=True, materialize_grads=True)`.
    pub fn grad<T: Element>(&self, y: &Tensor<T>, xs: &[&Tensor<T>]) -> Result<Vec<Tensor<T>>> {
        if y.elements() != 1 {
            let rule = "it must hold one element (take its sum or mean, or use grad_with)";
            return Err(Error::shape("grad", "the output", y.shape(), rule));
        }
        self.grad_with(y, &Tensor::ones(y.shape()), xs)
    }

    /// The vector-Jacobian product `uᵀ dy/dx` for each x of `xs`, recorded like [`grad`](Self::grad); it can be differentiated
    /// by u as well.
    ///
    /// # Errors
    /// If the shapes of `y` and `u` differ, or as for [`grad`](Self::grad).
    pub fn grad_with<T: Element>(
        &self,
        y: &Tensor<T>,
        cotangent: &Tensor<T>,
        xs: &[&Tensor<T>],
    ) -> Result<Vec<Tensor<T>>> {
        let _recording = thread::enter(Frame::Record(self.id));
        self.vjp(y, cotangent, xs)
    }

    /// A leaf for `x` of its own; if x is on this tape, one through which gradients flow on to it.
    pub(crate) fn leaf_of<T: Element>(&self, x: &Tensor<T>) -> Tensor<T> {
        if self.holds(x) {
            x.map_gradient(|gradient| Ok(gradient.clone()))
        } else {
            self.watch(x)
        }
    }

    /// Whether the tensor was recorded by this tape.
    pub(crate) fn holds<T: Element>(&self, x: &Tensor<T>) -> bool {
        x.node().is_some_and(|node| node.tape == self.id)
    }

    /// [`grad_with`](Self::grad_with), recorded by the innermost tape, if any.
    pub(crate) fn vjp<T: Element>(
        &self,
        y: &Tensor<T>,
        cotangent: &Tensor<T>,
        xs: &[&Tensor<T>],
    ) -> Result<Vec<Tensor<T>>> {
        let output = self.index_of("grad", "output", y)?;
        check_cotangent("grad", y, cotangent)?;
        let targets = xs.iter().map(|x| self.index_of("grad", "input", x));
        let targets = targets.collect::<Result<Vec<u32>>>()?;
        let found = reverse::retrace(self.id, output, &targets, Until::Leaves, cotangent.clone())?;
        let gradients = found.into_iter().zip(xs);
        Ok(gradients
            .map(|(gradient, x)| gradient.unwrap_or_else(|| Tensor::zeros(x.shape())))
            .collect())
    }

    /// A guard under which this thread records nothing and dropout is off.
    ///
    /// PyTorch: `torch.no_grad()`.
    #[must_use = "recording goes on as soon as the guard is dropped"]
    pub fn pause(&self) -> Pause<'_> {
        Pause {
            _guard: thread::enter(Frame::Paused),
            _tape: PhantomData,
        }
    }

    fn index_of<T: Element>(
        &self,
        operation: &'static str,
        quantity: &'static str,
        tensor: &Tensor<T>,
    ) -> Result<u32> {
        finite::failure(self.id)?;
        match tensor.node() {
            Some(node) if node.tape == self.id && !node.is_lost() => Ok(node.index),
            Some(node) if node.is_lost() || thread::whereabouts(node.tape) == Alive::Elsewhere => {
                Err(Error::new(operation, ErrorKind::OtherThread))
            }
            Some(_) => Err(Error::other(
                operation,
                format!(
                    "the {quantity} was recorded by another tape; use the tape that was the innermost one when it was computed"
                ),
            )),
            None => Err(Error::new(operation, ErrorKind::NotRecorded { quantity })),
        }
    }
}

impl Drop for Tape {
    fn drop(&mut self) {
        thread::end(self.id);
    }
}

/// Runs `use_it` with the tape that records, or else with a new one in eval mode, and whether it is new.
pub(crate) fn with_recording_tape<R>(use_it: impl FnOnce(&Tape, bool) -> R) -> R {
    match thread::current() {
        None => use_it(&Tape::eval(), true),
        Some(current) => {
            // Not ours to end.
            let tape = std::mem::ManuallyDrop::new(Tape {
                id: current.tape,
                not_send: PhantomData,
            });
            use_it(&tape, false)
        }
    }
}

/// While it lives, this thread records nothing; from [`Tape::pause`].
pub struct Pause<'a> {
    _guard: FrameGuard,
    _tape: PhantomData<&'a Tape>,
}

fn check_cotangent<T: Element>(
    operation: &'static str,
    y: &Tensor<T>,
    cotangent: &Tensor<T>,
) -> Result<()> {
    if y.shape() == cotangent.shape() {
        return Ok(());
    }
    let rule = format!("it must be the output's, {}", y.shape());
    Err(Error::shape(
        operation,
        "the cotangent",
        cotangent.shape(),
        rule,
    ))
}
