//! Running an operation, and recording it.

use crate::element::Element;
use crate::error::Result;
use crate::leaf::NodeId;
use crate::op::{Needs, Op};
use crate::tape::{needs_of, record};
use crate::tensor::Tensor;

/// Runs `op` on `inputs` and records it, if a tape is recording and one of the inputs is on it.
///
/// # Errors
/// Those of the operation; and if an input belongs to a tape that is alive on another thread.
pub fn apply<T: Element>(mut op: impl Op<T>, inputs: &[&Tensor<T>]) -> Result<Tensor<T>> {
    let needs = needs_of(op.name(), inputs)?;
    // The output stays where the operation wrote it: moving it costs as much as adding a few numbers.
    let mut output = op.forward(inputs, needs);
    match &mut output {
        Ok(tensor) if needs.any() => record(Box::new(op), needs, inputs, tensor)?,
        Ok(tensor) => tensor.set_node(None),
        Err(_) => return output.map_err(|error| error.within(op.name())),
    }
    output
}

/// [`apply`] for an operation whose `forward` takes any input, so that its result is no `Result`.
///
/// An input of a tape on another thread leaves its mark on the output, so that the next operation that can fail says so; also
/// on the thread of that tape, which has not recorded this operation.
///
/// # Panics
/// If there is no memory for the output.
#[track_caller]
pub(crate) fn apply_total<T: Element>(mut op: impl Op<T>, input: &Tensor<T>) -> Tensor<T> {
    let needs = needs_of(op.name(), &[input]);
    let known = *needs.as_ref().unwrap_or(&Needs::NONE);
    let mut output = match op.forward(&[input], known) {
        Ok(output) => output,
        Err(error) => panic!("{}", error.within(op.name())),
    };
    match needs {
        // A fault that the tape finds in the output is remembered by it.
        Ok(_) if known.any() => drop(record(Box::new(op), known, &[input], &mut output)),
        Ok(_) => output.set_node(None),
        Err(_) => output.set_node(input.node().map(NodeId::lost)),
    }
    output
}
