//! The pass over a tape in reverse: from the gradient of an output to those of what it was computed from.
//!
//! `backward` is the pass over a tape that ends, `grad` the pass over one that lives on; what a pass computes may be recorded.

use super::accumulate::Accumulator;
use super::finite::{self, Incoming};
use super::lent::{Lent, lend};
use super::record::{Computed, Indices, Record, Source};
use super::recording;
use super::thread;
use crate::element::Element;
use crate::error::Result;
use crate::grad::Grad;
use crate::gradients::Gradients;
use crate::leaf::{Leaf, TapeId};
use crate::op::{Cotangents, Saved};
use crate::shape::Shape;
use crate::tensor::Tensor;

const GOES_ON: &str = "a pass goes on from operations alone";

type Sums<T> = Vec<Option<Accumulator<T>>>;

/// The records that a pass goes over, and what it leaves behind at those that it came for.
trait Records<T: Element> {
    /// Takes the sum at a record. If the pass goes on from there, it is the gradient of an operation's output.
    fn arrive(
        &mut self,
        index: usize,
        sum: Accumulator<T>,
        recorded: bool,
    ) -> Result<Option<Tensor<T>>>;

    /// The operation of the record at which the pass is, if it goes on from there.
    fn computed(&self, index: usize) -> &Computed<T>;

    /// Whether the gradients that operations make are checked.
    fn checks(&self) -> bool {
        false
    }

    /// Checks the gradients that an operation has made of `incoming`.
    fn check(&self, _index: usize, _incoming: &Incoming, _gradients: &Cotangents<T>) -> Result<()> {
        Ok(())
    }

    /// What the operation of a record kept is read no more.
    fn let_go_of_saved(&mut self, index: usize);

    /// Whether the way to what the pass came for leads over a record; never if that is a constant.
    fn leads_over(&self, index: usize) -> bool;

    /// Sums the gradient of a broadcast input to the shape of its record.
    fn fit(&self, index: usize, gradient: &mut Option<Grad<T>>) -> Result<()>;

    /// The pass comes to a record no more.
    fn leave(&mut self, index: usize);
}

/// Passes gradients back, from the last of the sums to the first.
///
/// If what it computes is `recorded`, that is tensor operations; otherwise kernels, which write in place where nobody else holds a
/// buffer.
fn pass<T: Element>(
    records: &mut impl Records<T>,
    sums: &mut Sums<T>,
    recorded: bool,
) -> Result<()> {
    // Records and gradients are looked at where they stand: moving one costs as much as a small operation.
    while let Some(sum) = sums.pop() {
        let index = sums.len();
        if let Some(sum) = sum
            && let Some(cotangent) = records.arrive(index, sum, recorded)?
        {
            let incoming = records.checks().then(|| Incoming::new(&cotangent));
            let mut cotangents = pull_back(records.computed(index), cotangent, recorded);
            let cotangents = cotangents.as_mut().map_err(|error| error.clone())?;
            if let Some(incoming) = incoming {
                records.check(index, &incoming, cotangents)?;
            }
            records.let_go_of_saved(index);
            let inputs = &records.computed(index).inputs;
            for (input, gradient) in inputs.iter().zip(&mut cotangents.0) {
                let input = input as usize;
                if gradient.is_some() && records.leads_over(input) {
                    records.fit(input, gradient)?;
                    Accumulator::add_to(&mut sums[input], gradient, recorded)?;
                }
            }
        }
        records.leave(index);
    }
    Ok(())
}

fn pull_back<T: Element>(
    computed: &Computed<T>,
    cotangent: Tensor<T>,
    recorded: bool,
) -> Result<Cotangents<T>> {
    let saved = Saved {
        saves: computed.saves,
        tensors: &computed.saved,
        needs: computed.needs,
    };
    if recorded {
        computed.op.vjp(&saved, cotangent)
    } else {
        computed.op.fused_vjp(&saved, cotangent)
    }
}

/// A tape that ends with the pass: each record is freed on the way, and the gradients of the leaves are left behind.
struct Ending<T: Element> {
    tape: TapeId,
    records: Vec<Record<T>>,
    gradients: Vec<(Leaf, Grad<T>)>,
    /// Whether the tape checks its numbers.
    checks: bool,
    /// Whether all gradients of leaves were seen to be finite.
    are_finite: bool,
}

impl<T: Element> Records<T> for Ending<T> {
    #[inline]
    fn arrive(
        &mut self,
        index: usize,
        sum: Accumulator<T>,
        recorded: bool,
    ) -> Result<Option<Tensor<T>>> {
        match self.records[index].source {
            Source::Leaf(leaf) => {
                let gradient = sum.finish();
                self.are_finite = self.are_finite && gradient.first_not_finite().is_none();
                self.gradients.push((leaf, gradient));
                Ok(None)
            }
            Source::Computed(_) => sum.into_dense(recorded).map(Some),
            Source::Lent(_) | Source::Empty => Ok(None),
        }
    }

    #[inline]
    fn computed(&self, index: usize) -> &Computed<T> {
        match &self.records[index].source {
            Source::Computed(computed) => computed,
            _ => unreachable!("{GOES_ON}"),
        }
    }

    #[inline]
    fn let_go_of_saved(&mut self, index: usize) {
        if let Source::Computed(computed) = &mut self.records[index].source {
            computed.saved.clear();
        }
    }

    fn checks(&self) -> bool {
        self.checks
    }

    fn check(&self, index: usize, incoming: &Incoming, gradients: &Cotangents<T>) -> Result<()> {
        let earlier = &self.records[..index];
        let computed = self.computed(index);
        incoming.check(self.tape, index, computed, earlier, gradients)
    }

    fn leads_over(&self, index: usize) -> bool {
        index < self.records.len()
    }

    #[inline]
    fn fit(&self, index: usize, gradient: &mut Option<Grad<T>>) -> Result<()> {
        fit(gradient, &self.records[index].shape)
    }

    fn leave(&mut self, _index: usize) {
        self.records.pop();
    }
}

/// Passes `cotangent` back from record `output` to the leaves of a tape, which ends.
pub(super) fn consume<T: Element>(
    tape: TapeId,
    output: u32,
    cotangent: Tensor<T>,
) -> Result<Gradients<T>> {
    let (mut records, mut sums) = recording::take::<T>(tape);
    records.truncate(output as usize + 1);
    let inspects = thread::with_recording(tape, |recording| recording.inspects);
    let mut ending = Ending {
        tape,
        records,
        gradients: Vec::new(),
        checks: finite::is_on(tape),
        are_finite: inspects.unwrap_or(false),
    };
    start(&mut sums, output, cotangent);
    pass(&mut ending, &mut sums, false)?;
    recording::give_back(tape, ending.records, sums);
    let mut gradients = Gradients::of_leaves(ending.gradients);
    gradients.set_finite(ending.are_finite);
    Ok(gradients)
}

/// How far a pass back goes.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Until {
    /// To the leaves, so that a target from which another was computed gets that one's part too.
    Leaves,
    /// To the targets, each on its own.
    Targets,
}

/// A tape that lives on: each record is lent while its gradient is computed, and the gradients of targets are left behind.
struct Living<'a, T: Element> {
    tape: TapeId,
    targets: &'a [u32],
    until: Until,
    /// For each record whether it is a target or was computed from one.
    on_path: Vec<bool>,
    lent: Option<Lent<T>>,
    found: Vec<Option<Tensor<T>>>,
}

impl<T: Element> Records<T> for Living<'_, T> {
    fn arrive(
        &mut self,
        index: usize,
        sum: Accumulator<T>,
        recorded: bool,
    ) -> Result<Option<Tensor<T>>> {
        let cotangent = sum.into_dense(recorded)?;
        let targets = self.found.iter_mut().zip(self.targets);
        for (found, _) in targets.filter(|(_, target)| **target as usize == index) {
            *found = Some(cotangent.clone());
        }
        if self.until == Until::Targets && self.targets.contains(&(index as u32)) {
            return Ok(None);
        }
        let leads_on = |inputs: &Indices| inputs.recorded().any(|input| self.on_path[input]);
        self.lent = lend::<T>(self.tape, index as u32, leads_on)?;
        Ok(self.lent.is_some().then_some(cotangent))
    }

    fn computed(&self, _index: usize) -> &Computed<T> {
        match self.lent.as_ref().and_then(Lent::computed) {
            Some(computed) => computed,
            None => unreachable!("{GOES_ON}"),
        }
    }

    fn let_go_of_saved(&mut self, _index: usize) {}

    fn leads_over(&self, index: usize) -> bool {
        self.on_path.get(index) == Some(&true)
    }

    fn fit(&self, index: usize, gradient: &mut Option<Grad<T>>) -> Result<()> {
        // The gradient is summed while nobody looks at the tape, since that is an operation.
        let other_shape = |records: &[Record<T>]| match gradient {
            Some(Grad::Dense(tensor)) if *tensor.shape() != records[index].shape => {
                Some(records[index].shape.clone())
            }
            _ => None,
        };
        match recording::look(self.tape, other_shape) {
            Some(shape) => fit(gradient, &shape),
            None => Ok(()),
        }
    }

    fn leave(&mut self, _index: usize) {
        self.lent = None;
    }
}

/// Passes `cotangent` back from record `output` to the records `targets`, and leaves the tape whole. The innermost tape, if there is
/// one, records the pass.
pub(super) fn retrace<T: Element>(
    tape: TapeId,
    output: u32,
    targets: &[u32],
    until: Until,
    cotangent: Tensor<T>,
) -> Result<Vec<Option<Tensor<T>>>> {
    let on_path = |records: &[Record<T>]| depends_on(records, output, targets);
    let mut living = Living {
        tape,
        targets,
        until,
        on_path: recording::look(tape, on_path),
        lent: None,
        found: vec![None; targets.len()],
    };
    let mut sums = recording::take_sums::<T>(tape);
    start(&mut sums, output, cotangent);
    pass(&mut living, &mut sums, thread::is_recording())?;
    recording::give_back_sums(tape, sums);
    Ok(living.found)
}

/// A sum for each record up to `output`, whose own is `cotangent`.
fn start<T: Element>(sums: &mut Sums<T>, output: u32, cotangent: Tensor<T>) {
    sums.resize_with(output as usize, || None);
    sums.push(Some(Accumulator::Dense(cotangent)));
}

/// For each record up to `output` whether it is one of `targets` or was computed from one.
fn depends_on<T: Element>(records: &[Record<T>], output: u32, targets: &[u32]) -> Vec<bool> {
    let mut on_path = vec![false; output as usize + 1];
    for &target in targets.iter().filter(|&&target| target <= output) {
        on_path[target as usize] = true;
    }
    for index in 0..on_path.len() {
        if let Source::Computed(Computed { inputs, .. }) | Source::Lent(inputs) =
            &records[index].source
        {
            on_path[index] |= inputs.recorded().any(|input| on_path[input]);
        }
    }
    on_path
}

/// The one place where the gradient of a broadcast input is summed to the input's shape.
fn fit<T: Element>(gradient: &mut Option<Grad<T>>, shape: &Shape) -> Result<()> {
    if let Some(Grad::Dense(tensor)) = gradient
        && tensor.shape() != shape
    {
        *tensor = tensor.sum_to(shape)?;
    }
    Ok(())
}
