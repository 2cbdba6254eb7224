//! The records of a tape, a list for each element type.

use super::accumulate::Accumulator;
use super::record::{CONSTANT, Record, Source};
use crate::element::{Both, Element, Family};
use crate::leaf::{Leaf, NodeId, ParamId, TapeId};
use crate::shape::Shape;

/// The records of one element type.
pub(super) struct Lane<T: Element> {
    pub(super) records: Vec<Record<T>>,
    /// Room for the sums of a backward pass, one for each record.
    pub(super) sums: Vec<Option<Accumulator<T>>>,
    /// The leaf of each parameter that was read, ascending by parameter.
    params: Vec<(ParamId, u32)>,
    /// The leaf of each tensor that was taken over from a tape around this one.
    imports: Vec<(NodeId, u32)>,
}

impl<T: Element> Default for Lane<T> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            sums: Vec::new(),
            params: Vec::new(),
            imports: Vec::new(),
        }
    }
}

impl<T: Element> Lane<T> {
    fn clear(&mut self) {
        self.records.clear();
        self.sums.clear();
        self.params.clear();
        self.imports.clear();
    }

    pub(super) fn push(&mut self, shape: Shape, source: Source<T>) -> u32 {
        let index = self.records.len() as u32;
        self.records.push(Record { shape, source });
        index
    }

    /// A new record for an operation. Its fields are written in place, which avoids a store-forwarding stall on a move.
    pub(super) fn push_empty(&mut self) -> &mut Record<T> {
        let index = self.records.len();
        self.records.push(Record::default());
        &mut self.records[index]
    }

    pub(super) fn param_leaf(&mut self, param: ParamId, shape: &Shape) -> u32 {
        match self.params.binary_search_by_key(&param, |entry| entry.0) {
            Ok(position) => self.params[position].1,
            Err(position) => {
                let index = self.push(shape.clone(), Source::Leaf(Leaf::Param(param)));
                self.params.insert(position, (param, index));
                index
            }
        }
    }

    /// Makes a tensor of a tape around this one a leaf.
    pub(super) fn import(&mut self, node: NodeId, shape: &Shape) {
        if self.imports.iter().all(|(import, _)| *import != node) {
            let index = self.push(shape.clone(), Source::Leaf(Leaf::Watched(node)));
            self.imports.push((node, index));
        }
    }

    /// The record of what an input of this tape's operations stands for, [`CONSTANT`] if there is none.
    #[inline]
    pub(super) fn place(&self, tape: TapeId, leaf: Option<Leaf>) -> u32 {
        let found = match leaf {
            None => return CONSTANT,
            Some(Leaf::Watched(node)) if node.tape == tape && !node.is_lost() => return node.index,
            Some(Leaf::Watched(node)) => self
                .imports
                .iter()
                .find(|(import, _)| *import == node)
                .map(|import| import.1),
            Some(Leaf::Param(param)) => {
                let position = self.params.binary_search_by_key(&param, |entry| entry.0);
                position.ok().map(|position| self.params[position].1)
            }
        };
        found.unwrap_or(CONSTANT)
    }
}

/// A lane for each element type.
pub(super) type Lanes = Both<Records>;

/// The family of the lanes.
pub(super) struct Records;

impl Family for Records {
    type Of<T: Element> = Lane<T>;
}

/// Lets go of all records, but keeps the room for the next tape's.
pub(super) fn clear(lanes: &mut Lanes) {
    lanes.of::<f32>().clear();
    lanes.of::<f64>().clear();
}

/// The most records that there is room for.
pub(super) fn room(lanes: &mut Lanes) -> usize {
    let single = lanes.of::<f32>().records.capacity();
    single.max(lanes.of::<f64>().records.capacity())
}
