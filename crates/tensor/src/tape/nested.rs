//! Tapes and pauses by number: mostly the last one ends first, but they may end in any order.

/// Values under ascending numbers. The last one is found at once, any other in O(log n), and taking one out costs no more.
pub(super) struct Nested<V> {
    /// A value that was taken out leaves its place empty; the last place never is.
    places: Vec<(u64, Option<V>)>,
    empty: usize,
}

impl<V> Default for Nested<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Nested<V> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            empty: 0,
        }
    }

    /// Adds a value under a number above all others.
    pub(super) fn push(&mut self, number: u64, value: V) {
        self.places.push((number, Some(value)));
    }

    pub(super) fn last(&self) -> Option<&V> {
        self.places.last()?.1.as_ref()
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        let place = self.place(number)?;
        self.places[place].1.as_mut()
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let place = self.place(number);
        place.is_some_and(|place| self.places[place].1.is_some())
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<V> {
        let place = self.place(number)?;
        let value = self.places[place].1.take()?;
        self.empty += 1;
        while self.places.pop_if(|(_, value)| value.is_none()).is_some() {
            self.empty -= 1;
        }
        // At least as many values were removed since the last time as are moved now, so the cost of a removal stays constant on average.
        if self.empty > self.places.len() / 2 {
            self.places.retain(|(_, value)| value.is_some());
            self.empty = 0;
        }
        Some(value)
    }

    #[inline(always)]
    fn place(&self, number: u64) -> Option<usize> {
        match self.places.last() {
            Some(&(last, _)) if last == number => Some(self.places.len() - 1),
            _ => self.earlier_place(number),
        }
    }

    /// Apart, so that a look at the last value is inlined into each record of a tape.
    #[cold]
    fn earlier_place(&self, number: u64) -> Option<usize> {
        let found = self.places.binary_search_by_key(&number, |place| place.0);
        found.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that are left after the removal of each of `order`.
    fn left(order: &[u64]) -> Vec<Vec<u64>> {
        let mut nested = Nested::default();
        (0..order.len() as u64).for_each(|number| nested.push(number, number));
        let remove = |&number: &u64| {
            assert_eq!(nested.remove(number), Some(number));
            assert_eq!(nested.remove(number), None);
            let left = (0..order.len() as u64).filter(|&number| nested.contains(number));
            let left: Vec<u64> = left.collect();
            assert_eq!(nested.last(), left.last());
            assert!(left.iter().all(|&n| nested.get_mut(n) == Some(&mut { n })));
            left
        };
        order.iter().map(remove).collect()
    }

    #[test]
    fn values_go_in_any_order() {
        assert_eq!(left(&[2, 1, 0]), [vec![0, 1], vec![0], vec![]]);
        assert_eq!(left(&[0, 1, 2]), [vec![1, 2], vec![2], vec![]]);
        assert_eq!(left(&[1, 3, 0, 2])[1..3], [vec![0, 2], vec![2]]);
    }

    #[test]
    fn places_do_not_pile_up_where_the_last_value_always_stays() {
        let mut nested = Nested::default();
        nested.push(0, ());
        for number in 1..1_000 {
            nested.push(number, ());
            nested.remove(number - 1);
        }
        assert!(nested.places.len() < 4);
    }
}
