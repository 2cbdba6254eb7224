//! Missed steps of gradient descent: each maps (w, b) linearly, so that many are one map.

use lexigrad_tensor::Element;

use crate::rule::{Missed, Rule, Runs};

/// `(w, b) ← A (w, b)`, the same for every number of a row: `A: [2, 2]`, row by row.
type Map = [f64; 4];

const IDENTITY: Map = [1.0, 0.0, 0.0, 1.0];

/// The map that does `first`, then `second`.
fn compose(second: &Map, first: &Map) -> Map {
    let [a, b, c, d] = *second;
    let [e, f, g, h] = *first;
    [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
}

/// Steps of a rule that, at a zero gradient, are linear in the parameter and one run of state.
pub trait LinearStep {
    /// `A`, row by row.
    fn map(&self) -> [f64; 4];
}

/// Missed steps that are linear in the parameter and its state: any number of them is one map, found in O(log steps).
#[derive(Debug)]
pub struct LinearMissed {
    /// Level l holds the maps of 2ˡ steps each, aligned: a row's missed steps are at most two blocks of each level.
    levels: Vec<Vec<Map>>,
}

impl LinearMissed {
    /// Gives parameter and state, if there is any, all steps but the first `had`.
    #[inline(always)]
    pub(crate) fn apply<T: Element>(&self, had: usize, parameter: &mut [T], state: &mut [T]) {
        let [a, b, c, d] = self.since(had).map(T::from_f64);
        if state.is_empty() {
            parameter.iter_mut().for_each(|w| *w *= a);
            return;
        }
        for (w, v) in parameter.iter_mut().zip(state) {
            (*w, *v) = (a * *w + b * *v, c * *w + d * *v);
        }
    }

    /// The map of all steps from number `had` on.
    fn since(&self, had: usize) -> Map {
        let mut map = IDENTITY;
        let (mut place, mut level) = (had, 0);
        while place < self.levels[0].len() {
            let doubles = place.is_multiple_of(2 << level)
                && self
                    .levels
                    .get(level + 1)
                    .is_some_and(|next| place >> (level + 1) < next.len());
            if doubles {
                level += 1;
                continue;
            }
            match self.levels[level].get(place >> level) {
                Some(block) => {
                    map = compose(block, &map);
                    place += 1 << level;
                }
                None => level -= 1,
            }
        }
        map
    }
}

impl<T: Element, R: Rule<T, Factors: LinearStep>> Missed<T, R> for LinearMissed {
    fn new(_rule: &R) -> Self {
        Self {
            levels: vec![Vec::new()],
        }
    }

    fn len(&self) -> usize {
        self.levels[0].len()
    }

    fn push(&mut self, factors: &R::Factors) {
        self.levels[0].push(factors.map());
        let mut level = 0;
        while self.levels[level].len().is_multiple_of(2) {
            let maps = &self.levels[level];
            let last = maps.len() - 1;
            let pair = compose(&maps[last], &maps[last - 1]);
            level += 1;
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            self.levels[level].push(pair);
        }
    }

    fn clear(&mut self) {
        self.levels.truncate(1);
        self.levels[0].clear();
    }

    #[inline(always)]
    fn replay(&self, _rule: &R, had: usize, parameter: &mut [T], state: Runs<'_, T>) {
        let [velocity, ..] = state;
        self.apply(had, parameter, velocity);
    }
}
