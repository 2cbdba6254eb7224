//! Taking and adding elements by index along one axis of `[outer, size, inner]`.

use lexigrad_macros::compiled;

use crate::number::Number;

/// `out[o, j, i] = x[o, ids[j], i]`
#[compiled]
pub fn select_axis<T: Number>(x: &[T], size: usize, inner: usize, ids: &[u32], out: &mut [T]) {
    if out.is_empty() {
        return;
    }
    let blocks = out.chunks_exact_mut(ids.len() * inner);
    for (out, x) in blocks.zip(x.chunks_exact(size * inner)) {
        for (out, &id) in out.chunks_exact_mut(inner).zip(ids) {
            out.copy_from_slice(&x[id as usize * inner..][..inner]);
        }
    }
}

/// `out[o, ids[j], i] += x[o, j, i]`
#[compiled]
pub fn add_axis<T: Number>(x: &[T], size: usize, inner: usize, ids: &[u32], out: &mut [T]) {
    if x.is_empty() {
        return;
    }
    let blocks = x.chunks_exact(ids.len() * inner);
    for (x, out) in blocks.zip(out.chunks_exact_mut(size * inner)) {
        for (x, &id) in x.chunks_exact(inner).zip(ids) {
            let out = &mut out[id as usize * inner..][..inner];
            out.iter_mut().zip(x).for_each(|(out, &x)| *out += x);
        }
    }
}

/// `out[o, j, i] = x[o, ids[o, j, i], i]`, ids and out: `[outer, count, inner]`
#[compiled]
pub fn gather_axis<T: Number>(
    x: &[T],
    size: usize,
    inner: usize,
    ids: &[u32],
    count: usize,
    out: &mut [T],
) {
    let block = (count * inner).max(1);
    for (position, (out, &id)) in out.iter_mut().zip(ids).enumerate() {
        *out = x[position / block * size * inner + id as usize * inner + position % inner];
    }
}

/// `out[o, ids[o, j, i], i] += x[o, j, i]`, ids and x: `[outer, count, inner]`
#[compiled]
pub fn scatter_axis<T: Number>(
    x: &[T],
    size: usize,
    inner: usize,
    ids: &[u32],
    count: usize,
    out: &mut [T],
) {
    let block = (count * inner).max(1);
    for (position, (&x, &id)) in x.iter().zip(ids).enumerate() {
        out[position / block * size * inner + id as usize * inner + position % inner] += x;
    }
}
