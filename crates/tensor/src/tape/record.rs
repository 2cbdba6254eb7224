//! One record of a tape.

use crate::element::Element;
use crate::leaf::Leaf;
use crate::op::{Needs, Op, Saves};
use crate::shape::Shape;
use crate::tensor::Tensor;

/// How one tensor came about.
pub(super) struct Record<T: Element> {
    pub(super) shape: Shape,
    pub(super) source: Source<T>,
}

impl<T: Element> Default for Record<T> {
    #[inline(always)]
    fn default() -> Self {
        let (shape, source) = (Shape::default(), Source::Empty);
        Self { shape, source }
    }
}

pub(super) enum Source<T: Element> {
    Leaf(Leaf),
    Computed(Computed<T>),
    /// Taken out while its gradient is computed; what it was computed from.
    Lent(Indices),
    /// Not written yet.
    Empty,
}

/// An operation that was run: what it needs to pass a gradient on. A leaf's data is not held here.
pub(super) struct Computed<T: Element> {
    pub(super) op: Box<dyn Op<T>>,
    /// The record of each input.
    pub(super) inputs: Indices,
    pub(super) needs: Needs,
    pub(super) saves: Saves,
    pub(super) saved: Vec<Tensor<T>>,
}

impl<T: Element> Computed<T> {
    /// The records of the inputs that are on the tape.
    pub(super) fn recorded_inputs(&self) -> impl Iterator<Item = usize> {
        self.inputs.recorded()
    }
}

/// Stands for an input that is not on the tape.
pub(super) const CONSTANT: u32 = u32::MAX;

/// Places of records: up to four of them in place, [`CONSTANT`] where there are fewer, and the rest.
#[derive(Clone, Debug)]
pub(super) struct Indices {
    few: [u32; 4],
    more: Box<[u32]>,
}

impl FromIterator<u32> for Indices {
    #[inline(always)]
    fn from_iter<I: IntoIterator<Item = u32>>(indices: I) -> Self {
        let mut indices = indices.into_iter();
        let mut next = || indices.next().unwrap_or(CONSTANT);
        let few = [next(), next(), next(), next()];
        let more = match indices.size_hint() {
            (0, Some(0)) => Box::default(),
            _ => indices.collect(),
        };
        Self { few, more }
    }
}

impl Indices {
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        self.few.iter().chain(&self.more).copied()
    }

    /// Those that are on the tape.
    pub(super) fn recorded(&self) -> impl Iterator<Item = usize> {
        let recorded = self.iter().filter(|&index| index != CONSTANT);
        recorded.map(|index| index as usize)
    }
}
