//! Order along one axis of `[outer, size, inner]`: sums so far, and the places of the largest or smallest elements.

use std::cmp::Ordering;

use lexigrad_macros::compiled;

use crate::number::Number;

/// `out[o, j, i] = Σ x[o, k, i]` over k up to j; from j on if `reverse`.
#[compiled]
pub fn cumsum_axis<T: Number>(x: &[T], size: usize, inner: usize, reverse: bool, out: &mut [T]) {
    out.copy_from_slice(x);
    for block in out.chunks_exact_mut((size * inner).max(1)) {
        for place in 1..size {
            let (from, to) = if reverse {
                (size - place, size - place - 1)
            } else {
                (place - 1, place)
            };
            for i in 0..inner {
                let sum = block[from * inner + i];
                block[to * inner + i] += sum;
            }
        }
    }
}

/// The places of the first `count` elements along the axis in ascending (or descending) order, `[outer, count, inner]`; equal ones
/// in the order they stand, NaN above everything.
#[compiled]
pub fn argsort_axis<T: Number>(
    x: &[T],
    size: usize,
    inner: usize,
    count: usize,
    descending: bool,
) -> Vec<u32> {
    if x.is_empty() {
        return Vec::new();
    }
    let outer = x.len() / (size * inner);
    let mut out = vec![0; outer * count * inner];
    let mut places: Vec<u32> = Vec::with_capacity(size);
    for lane in 0..outer * inner {
        let (block, i) = (lane / inner, lane % inner);
        let value = |place: u32| x[(block * size + place as usize) * inner + i];
        let before = |&a: &u32, &b: &u32| {
            let order = compare(value(a), value(b));
            let order = if descending { order.reverse() } else { order };
            order.then(a.cmp(&b))
        };
        places.clear();
        places.extend(0..size as u32);
        if count < size {
            places.select_nth_unstable_by(count, before);
            places.truncate(count);
        }
        places.sort_unstable_by(before);
        for (rank, &place) in places.iter().enumerate() {
            out[(block * count + rank) * inner + i] = place;
        }
    }
    out
}

fn compare<T: Number>(x: T, y: T) -> Ordering {
    let by_value = x.partial_cmp(&y);
    by_value.unwrap_or_else(|| x.is_nan().cmp(&y.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_run_either_way() {
        let x = [1.0_f32, 10.0, 2.0, 20.0, 3.0, 30.0];
        let mut out = [0.0; 6];
        cumsum_axis(&x, 3, 2, false, &mut out);
        assert_eq!(out, [1.0, 10.0, 3.0, 30.0, 6.0, 60.0]);
        cumsum_axis(&x, 3, 2, true, &mut out);
        assert_eq!(out, [6.0, 60.0, 5.0, 50.0, 3.0, 30.0]);
    }

    #[test]
    fn equal_elements_keep_their_order_and_nan_is_largest() {
        let x = [2.0_f32, f32::NAN, 1.0, 2.0, 1.0];
        assert_eq!(argsort_axis(&x, 5, 1, 5, false), [2, 4, 0, 3, 1]);
        assert_eq!(argsort_axis(&x, 5, 1, 5, true), [1, 0, 3, 2, 4]);
        assert_eq!(argsort_axis(&x, 5, 1, 2, true), [1, 0]);
        assert!(argsort_axis::<f32>(&[], 0, 1, 0, false).is_empty());
    }
}
