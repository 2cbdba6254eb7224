//! Giving a row the steps that it has missed one after another.

use std::marker::PhantomData;

use lexigrad_tensor::Element;

use crate::rule::{Missed, Rule, Runs};

/// Missed steps that are replayed one by one: the bits of the dense trajectory, whatever the rule.
///
/// A row that [rests](Rule::rests) costs nothing.
pub struct Replay<T: Element, R: Rule<T>> {
    steps: Vec<R::Factors>,
    element: PhantomData<T>,
}

impl<T: Element, R: Rule<T>> Missed<T, R> for Replay<T, R> {
    fn new(_rule: &R) -> Self {
        Self {
            steps: Vec::new(),
            element: PhantomData,
        }
    }

    fn len(&self) -> usize {
        self.steps.len()
    }

    fn push(&mut self, factors: &R::Factors) {
        self.steps.push(*factors);
    }

    fn clear(&mut self) {
        self.steps.clear();
    }

    #[inline(always)]
    fn replay(&self, rule: &R, had: usize, parameter: &mut [T], mut state: Runs<'_, T>) {
        /// The zeros of a gradient up to this length stand on the stack; longer ones are allocated.
        const PIECE: usize = 256;
        if rule.rests(&state) {
            return;
        }
        let zeros;
        let allocated;
        let gradient = if parameter.len() <= PIECE {
            zeros = [T::zero(); PIECE];
            &zeros[..parameter.len()]
        } else {
            allocated = vec![T::zero(); parameter.len()];
            &allocated[..]
        };
        for factors in &self.steps[had..] {
            let state = state.each_mut().map(|run| &mut **run);
            R::update(factors, parameter, gradient, state);
        }
    }
}
