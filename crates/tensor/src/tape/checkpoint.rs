//! Gradient checkpointing: what a closure computes is not kept, but computed again when its gradient is asked for.

use super::Tape;
use super::recording;
use super::reverse::{self, Until};
use super::thread::{self, Scope};
use crate::element::Element;
use crate::error::Result;
use crate::leaf::{Leaf, NodeId};
use crate::op::{Cotangents, Needs, Op, Saved};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `y = f()`, recorded as one operation that keeps nothing: the backward pass runs `f` again.
///
/// The closure may read parameters and tensors of the tape; all get their gradients. They are the same bits as without the
/// checkpoint, dropout included. It pays where the tensors inside take much memory and little time; two runs of `f` cost what they
/// cost.
///
/// ```
/// use lexigrad_tensor::{Param, Tape, Tensor, checkpoint};
/// let weight: Param = Param::new(Tensor::new([0.5, -0.25]));
/// let tape = Tape::new();
/// let x = tape.watch(&Tensor::new([1.0, 2.0]));
/// let (w, input) = (weight.clone(), x.clone());
/// let y = checkpoint(move || input.mul(&w.value())?.tanh().exp().add(&input))?;
/// let grads = tape.backward(&y.sum())?;
/// assert!(grads.get(&weight).is_some() && grads.of(&x).is_some());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// A parameter that is changed between the two runs falsifies the gradient; nothing but an optimizer's step does that, and a step
/// comes after the backward pass.
///
/// # Errors
/// Those of `f`.
///
/// PyTorch: `torch.utils.checkpoint.checkpoint(use_reentrant=False)`; JAX: `jax.checkpoint`.
pub fn checkpoint<T: Element>(f: impl Fn() -> Result<Tensor<T>> + 'static) -> Result<Tensor<T>> {
    if thread::current().is_none() {
        return f();
    }
    let seeds = thread::with_current(|recording| recording.seeds).flatten();
    let mut op = Checkpoint {
        f: Box::new(f),
        seeds,
        leaves: Vec::new(),
    };
    let mut output = op.probe()?;
    // What the closure only passes on stands on the tape already.
    if output.node().is_none() {
        let leaves = op.leaves.clone();
        let inputs = leaves.iter().map(|(leaf, shape)| (Some(*leaf), shape));
        let needs = recording::needs::<T>(op.name(), inputs)?;
        if needs.any() {
            let leaves = leaves.iter().map(|(leaf, _)| Some(*leaf));
            recording::push_computed(Box::new(op), needs, &[], leaves, &mut output);
        }
    }
    Ok(output)
}

struct Checkpoint<T: Element> {
    f: Box<dyn Fn() -> Result<Tensor<T>>>,
    /// Where the randomness of the tape stood.
    seeds: Option<u64>,
    /// What the closure reads: parameters, and tensors of the tape around.
    leaves: Vec<(Leaf, Shape)>,
}

impl<T: Element> Op<T> for Checkpoint<T> {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn forward(&mut self, _inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        self.probe()
    }

    fn fused_vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let again = Tape::nested(self.seeds, Scope::Open);
        let output = (self.f)()?;
        let gradients = again.backward_with(&output, &cotangent)?;
        let leaves = self.leaves.iter();
        Ok(Cotangents(
            leaves
                .map(|(leaf, _)| gradients.leaf(*leaf).cloned())
                .collect(),
        ))
    }

    /// The closure's operations recorded on the tape that records, so that their gradient can be differentiated.
    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let output = {
            let _as_then = thread::with_seeds(self.seeds);
            (self.f)()?
        };
        let Some(NodeId { tape, index }) = output.node() else {
            return Ok(Cotangents::from_iter([]));
        };
        let place = |(leaf, shape): &(Leaf, Shape)| match *leaf {
            Leaf::Param(param) => recording::param_leaf::<T>(param, shape),
            Leaf::Watched(node) => Some(node),
        };
        let on_tape = |node: &NodeId| node.tape == tape;
        let places: Vec<Option<NodeId>> = self
            .leaves
            .iter()
            .map(|leaf| place(leaf).filter(on_tape))
            .collect();
        let targets: Vec<u32> = places.iter().flatten().map(|node| node.index).collect();
        // What lies before the leaves is the tape's to pass on.
        let mut found =
            reverse::retrace(tape, index, &targets, Until::Targets, cotangent)?.into_iter();
        let gradients = places
            .iter()
            .map(|place| place.and_then(|_| found.next()).flatten());
        Ok(Cotangents::from_iter(gradients))
    }
}

impl<T: Element> Checkpoint<T> {
    /// Runs the closure under a tape that notes only what it reads: so its inputs are found.
    fn probe(&mut self) -> Result<Tensor<T>> {
        let probe = Tape::nested(self.seeds, Scope::LeavesOnly);
        let mut output = (self.f)()?;
        self.leaves = recording::leaves::<T>(probe.id);
        if output.node().is_some_and(|node| node.tape == probe.id) {
            output.set_node(None);
        }
        let seeds = thread::seeds(probe.id);
        drop(probe);
        thread::with_current(|recording| recording.seeds = seeds);
        Ok(output)
    }
}
