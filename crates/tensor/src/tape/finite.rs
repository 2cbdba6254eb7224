//! The first operation whose output or gradient is not finite: its name, its operands and where in the model it stands.

use std::fmt;

use super::record::{CONSTANT, Computed, Indices, Record, Source};
use super::recording;
use super::thread;
use super::trace::Finite;
use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::grad::Grad;
use crate::ids::Ids;
use crate::leaf::{Leaf, ParamId, TapeId};
use crate::op::{Cotangents, Op};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The shape of a tensor and the range of its numbers.
struct Summary {
    shape: Shape,
    low: f64,
    high: f64,
    nan: usize,
    infinite: usize,
}

impl Summary {
    fn of<T: Element>(tensor: &Tensor<T>) -> Self {
        let mut summary = Self {
            shape: tensor.shape().clone(),
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            nan: 0,
            infinite: 0,
        };
        for value in tensor.values().iter().map(|value| value.as_f64()) {
            summary.low = summary.low.min(value);
            summary.high = summary.high.max(value);
            summary.nan += usize::from(value.is_nan());
            summary.infinite += usize::from(value.is_infinite());
        }
        summary
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.shape)?;
        if self.low <= self.high {
            write!(f, " from {:.4e} to {:.4e}", self.low, self.high)?;
        }
        if self.nan > 0 {
            write!(f, ", {} NaN", self.nan)?;
        }
        Ok(())
    }
}

/// The first number that is NaN, or infinite if `infinity` is a fault too, and its position.
fn first_fault<T: Element>(tensor: &Tensor<T>, infinity: bool) -> Option<(f64, Shape)> {
    let values = tensor.values();
    let fault = |value: &T| value.is_nan() || (infinity && value.is_infinite());
    let position = values.iter().position(fault)?;
    Some((values[position].as_f64(), tensor.shape().index_of(position)))
}

/// Checks the output of an operation that is about to be recorded; the first fault is remembered and returned from then on.
pub(super) fn check_output<T: Element>(
    tape: TapeId,
    op: &dyn Op<T>,
    inputs: &[&Tensor<T>],
    indices: &Indices,
    output: &Tensor<T>,
) -> Result<()> {
    let checked = with_finite(tape, |finite| finite.failure.clone());
    match checked {
        None => return Ok(()),
        Some(Some(failure)) => return Err(failure),
        Some(None) => {}
    }
    let summaries: Vec<Summary> = inputs.iter().map(|input| Summary::of(input)).collect();
    let params = param_inputs::<T>(tape, indices);
    let infinite = |in_param: bool| {
        let mut operands = summaries.iter().zip(&params);
        operands.any(|(summary, param)| summary.infinite > 0 && param.is_some() == in_param)
    };
    // The user means an infinity in an input, such as that of a mask. In a parameter it is a fault.
    let is_fault = infinite(true) || !(infinite(false) || op.notes().writes_infinity);
    let texts: Vec<String> = summaries.iter().map(Summary::to_string).collect();
    let operands = texts.join("; ");
    let Some((value, position)) = first_fault(output, is_fault) else {
        let index = recording::look::<T, u32>(tape, |records| records.len() as u32);
        with_finite(tape, |finite| {
            finite.operands.insert((T::NAME, index), operands)
        });
        return Ok(());
    };
    let table = inputs.first().zip(op.notes().ids);
    let kind = ErrorKind::NotFinite {
        quantity: "the output".to_owned(),
        value,
        position,
        operands,
        module: module_of::<T>(tape, indices, &summaries, &params),
        ids: table.map_or_else(Vec::new, |(table, ids)| faulty_rows(table, ids)),
    };
    let failure = Error::new(op.name(), kind);
    with_finite(tape, |finite| finite.failure = Some(failure.clone()));
    Err(failure)
}

/// The fault that an operation without a `Result` could not return.
pub(super) fn failure(tape: TapeId) -> Result<()> {
    match with_finite(tape, |finite| finite.failure.clone()).flatten() {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Whether the tape checks its numbers.
pub(super) fn is_on(tape: TapeId) -> bool {
    with_finite(tape, |_| ()).is_some()
}

fn with_finite<R>(tape: TapeId, use_it: impl FnOnce(&mut Finite) -> R) -> Option<R> {
    thread::with_recording(tape, |recording| {
        let trace = recording.trace.as_mut()?;
        trace.finite.as_mut().map(use_it)
    })
    .flatten()
}

/// The cotangent of an operation, looked at before its vector-Jacobian product consumes it.
pub(super) struct Incoming(Summary);

impl Incoming {
    pub(super) fn new<T: Element>(cotangent: &Tensor<T>) -> Self {
        Self(Summary::of(cotangent))
    }

    /// Checks the gradients that record `index`, an operation, has made of this cotangent.
    pub(super) fn check<T: Element>(
        &self,
        tape: TapeId,
        index: usize,
        computed: &Computed<T>,
        earlier: &[Record<T>],
        gradients: &Cotangents<T>,
    ) -> Result<()> {
        for (input, gradient) in gradients.0.iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let Some((value, position)) = first_fault(gradient.stored(), self.0.infinite == 0)
            else {
                continue;
            };
            let operands = with_finite(tape, |finite| {
                finite.operands.remove(&(T::NAME, index as u32))
            });
            let operands = operands.flatten().unwrap_or_default();
            let nearest = nearest_param(earlier, computed.inputs.iter());
            let kind = ErrorKind::NotFinite {
                quantity: format!("the gradient of input {input}"),
                value,
                position,
                operands: format!("{operands}; cotangent {}", self.0),
                module: nearest.and_then(|nearest| name(tape, nearest)),
                ids: match gradient {
                    Grad::RowSparse(sparse) => faulty_entries(sparse.values(), sparse.rows()),
                    Grad::Dense(_) => Vec::new(),
                },
            };
            return Err(Error::new(computed.op.name(), kind));
        }
        Ok(())
    }
}

/// How many ids a message names.
const NAMED_IDS: usize = 8;

/// Those of `ids` whose row of the table holds a number that is not finite.
fn faulty_rows<T: Element>(table: &Tensor<T>, ids: &Ids) -> Vec<u32> {
    let (values, dim) = (table.values(), table.shape().last().copied().unwrap_or(1));
    let faulty = |&id: &u32| {
        let row = values.get(id as usize * dim..(id as usize + 1) * dim);
        row.is_some_and(|row| row.iter().any(|value| !value.is_finite()))
    };
    distinct(ids.as_slice().iter().copied().filter(|id| faulty(id)))
}

/// The rows of those entries that hold a number that is not finite.
fn faulty_entries<T: Element>(values: &Tensor<T>, rows: &Ids) -> Vec<u32> {
    let (values, dim) = (values.values(), values.shape()[1].max(1));
    let entries = values.chunks_exact(dim).zip(rows.as_slice());
    let faulty = entries.filter(|(entry, _)| entry.iter().any(|value| !value.is_finite()));
    distinct(faulty.map(|(_, &row)| row))
}

fn distinct(ids: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut found = Vec::new();
    for id in ids {
        if found.len() < NAMED_IDS && !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// The parameter that each input is, if it is one.
fn param_inputs<T: Element>(tape: TapeId, inputs: &Indices) -> Vec<Option<ParamId>> {
    recording::look::<T, _>(tape, |records| {
        let inputs = inputs.iter().map(|input| param_at(records, input));
        inputs.collect()
    })
}

/// Where in the model an operation stands: the parameter it reads that holds a number that is not finite, or else the nearest.
fn module_of<T: Element>(
    tape: TapeId,
    inputs: &Indices,
    summaries: &[Summary],
    params: &[Option<ParamId>],
) -> Option<String> {
    let faulty = summaries.iter().zip(params);
    let mut faulty = faulty.filter(|(summary, _)| summary.nan + summary.infinite > 0);
    let nearest = match faulty.find_map(|(_, &param)| param) {
        Some(param) => Some((param, true)),
        None => recording::look::<T, _>(tape, |records| nearest_param(records, inputs.iter())),
    };
    name(tape, nearest?)
}

fn param_at<T: Element>(records: &[Record<T>], input: u32) -> Option<ParamId> {
    match records.get(input as usize)?.source {
        Source::Leaf(Leaf::Param(param)) => Some(param),
        _ => None,
    }
}

/// The parameter that was read last on the way to these inputs, and whether it is one of them.
fn nearest_param<T: Element>(
    records: &[Record<T>],
    inputs: impl Iterator<Item = u32>,
) -> Option<(ParamId, bool)> {
    let param_at = |&input: &usize| param_at(records, input as u32);
    let on_tape = inputs.filter(|&input| input != CONSTANT);
    let inputs: Vec<usize> = on_tape.map(|input| input as usize).collect();
    if let Some(param) = inputs.iter().find_map(param_at) {
        return Some((param, true));
    }
    let mut on_path = vec![false; records.len()];
    inputs.into_iter().for_each(|input| on_path[input] = true);
    for index in (0..records.len()).rev() {
        if let (true, Source::Computed(computed)) = (on_path[index], &records[index].source) {
            let inputs: Vec<usize> = computed.recorded_inputs().collect();
            if let Some(param) = inputs.iter().find_map(param_at) {
                return Some((param, false));
            }
            inputs.into_iter().for_each(|input| on_path[input] = true);
        }
    }
    None
}

fn name(tape: TapeId, (param, read_here): (ParamId, bool)) -> Option<String> {
    let path = with_finite(tape, |finite| finite.paths.get(&param).cloned()).flatten()?;
    if path.is_empty() {
        return None;
    }
    let preposition = if read_here { "at" } else { "after" };
    Some(format!("{preposition} `{path}`"))
}
