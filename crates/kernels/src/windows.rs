//! Adding overlapping windows back to where they were taken from.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::{Kernel, dispatch};

/// `out[o, w * step + s * dilation, i] += x[o, w, i, s]`, x: `[outer, windows, inner, size]`, out: `[outer, whole, inner]`.
#[compiled]
pub fn fold<T: Number>(
    x: &[T],
    windows: usize,
    inner: usize,
    size: usize,
    [step, dilation]: [usize; 2],
    whole: usize,
    out: &mut [T],
) {
    dispatch(Fold {
        x,
        windows,
        inner,
        size,
        step,
        dilation,
        whole,
        out,
    });
}

struct Fold<'a, T> {
    x: &'a [T],
    windows: usize,
    inner: usize,
    size: usize,
    step: usize,
    dilation: usize,
    whole: usize,
    out: &'a mut [T],
}

impl<T: Number> Kernel for Fold<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let block = (self.whole * self.inner).max(1);
        let taken = (self.windows * self.inner * self.size).max(1);
        for (out, x) in self
            .out
            .chunks_exact_mut(block)
            .zip(self.x.chunks_exact(taken))
        {
            for (place, window) in x.chunks_exact(self.size).enumerate() {
                let start = place / self.inner * self.step * self.inner + place % self.inner;
                let stride = self.dilation * self.inner;
                for (s, &x) in window.iter().enumerate() {
                    out[start + s * stride] += x;
                }
            }
        }
    }
}
