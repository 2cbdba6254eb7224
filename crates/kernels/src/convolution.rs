//! Convolution over time as products. A window of a text `[L, C]` is a row of `size C` numbers that stand together, and rows of
//! neighbouring windows overlap; so the windows are a strided operand and are never written out.

use lexigrad_macros::compiled;

use crate::number::Number;
use crate::product::{Reused, Start, product};
use crate::storage::Storage;
use crate::view::Matrix;
use crate::{Kernel, PARALLEL_PRODUCTS, dispatch, equal_parts, repetitions, threads};

/// The sizes of a convolution of `[batch, length, channels]` to `[batch, count, outputs]`.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// How many texts.
    pub batch: usize,
    /// How many places a text has.
    pub length: usize,
    /// How many numbers a place has.
    pub channels: usize,
    /// How many numbers a window gives.
    pub outputs: usize,
    /// How many places a window reads.
    pub size: usize,
    /// How many places lie between the starts of neighbouring windows.
    pub step: usize,
    /// How far apart the places of a window are.
    pub dilation: usize,
    /// How many windows a text has.
    pub count: usize,
}

impl Sizes {
    /// How many runs of numbers that stand together a window has, and how long one is: all at once, or one for each element if
    /// they are apart.
    pub fn runs(&self) -> (usize, usize) {
        if self.dilation == 1 {
            (1, self.size * self.channels)
        } else {
            (self.size, self.channels)
        }
    }

    /// The distance between windows.
    fn stride(&self) -> usize {
        self.step * self.channels
    }

    /// Where a run begins within its window.
    fn start(&self, run: usize) -> usize {
        run * self.dilation * self.channels
    }

    /// The numbers of a text's gradient that are not zero: for each run where its window and its weights begin, and the number.
    #[inline(always)]
    fn given<T: Number>(&self, grad: &[T]) -> impl Iterator<Item = (usize, usize, T)> {
        let (runs, run) = self.runs();
        let numbers = grad.iter().copied().enumerate();
        let given = numbers.filter(|(_, grad)| *grad != T::zero());
        given.flat_map(move |(place, grad)| {
            let (t, o) = (place / self.outputs, place % self.outputs);
            (0..runs).map(move |index| {
                let window = t * self.stride() + self.start(index);
                (window, (index * self.outputs + o) * run, grad)
            })
        })
    }

    /// Runs `work` on each text of the batch, which may hold nothing, and its part of `out`.
    fn for_each_text<T: Number>(
        &self,
        x: &[T],
        out: &mut [T],
        work: impl Fn(&[T], &mut [T]) + Sync,
    ) {
        let text = self.length * self.channels;
        let Self {
            batch,
            count,
            outputs,
            channels,
            size,
            ..
        } = *self;
        let multiplications = repetitions(&[batch, count, outputs, channels, size]);
        let is_worth_it = multiplications >= PARALLEL_PRODUCTS;
        let parts = equal_parts(out, self.batch);
        threads::for_each_alone(parts, is_worth_it, |index, out| {
            work(&x[index * text..][..text], out);
        });
    }
}

/// `out[b, t] = bias + Σ w[r] window[b, t, r]` over the runs r, `w: [runs, run, outputs]`.
#[compiled]
pub fn convolution<T: Number>(x: &[T], w: &[T], bias: Option<&[T]>, sizes: &Sizes, out: &mut [T]) {
    let Sizes { outputs, count, .. } = *sizes;
    let (_, run) = sizes.runs();
    let weights = weights_by_run(w, [run, outputs], sizes);
    sizes.for_each_text(x, out, |x, out| {
        for (index, w) in weights.iter().enumerate() {
            let windows = Matrix::rows(&x[sizes.start(index)..], sizes.stride());
            let start = match bias {
                _ if index > 0 => Start::Out,
                Some(bias) => Start::Row(bias),
                None => Start::Zero,
            };
            product([count, run, outputs], windows, w, (out, outputs), start);
        }
    });
}

/// `w: [runs, rows, columns]`, run by run, for the products of each text.
fn weights_by_run<'a, T: Number>(
    w: &'a [T],
    [rows, columns]: [usize; 2],
    sizes: &Sizes,
) -> Vec<Reused<'a, T>> {
    let (runs, _) = sizes.runs();
    let weights = (0..runs).map(|index| {
        let w = Matrix::rows(&w[index * rows * columns..], columns);
        Reused::new([rows, columns], w, sizes.batch)
    });
    weights.collect()
}

/// The gradients of `x` and `w`, `w: [runs, outputs, run]`; where few numbers of `grad` are not zero, as behind a maximum over
/// time, only those are worked on.
#[compiled]
pub fn convolution_backward<T: Number>(
    x: &[T],
    w: &[T],
    grad: &[T],
    sizes: &Sizes,
    dx: Option<&mut [T]>,
    dw: Option<&mut [T]>,
) {
    let given = grad.iter().filter(|grad| **grad != T::zero()).count();
    let sparse = given * SPARSE < grad.len();
    let of_x = || {
        let Some(dx) = dx else { return };
        dx.fill(T::zero());
        let as_grad = Sizes {
            length: sizes.count,
            channels: sizes.outputs,
            ..*sizes
        };
        let weights = match sparse {
            true => Vec::new(),
            false => weights_by_run(w, [sizes.outputs, sizes.runs().1], sizes),
        };
        as_grad.for_each_text(grad, dx, |grad, dx| {
            if sparse {
                dispatch(ScatterWeights { w, grad, sizes, dx });
            } else {
                windows_of_gradient(&weights, grad, sizes, dx);
            }
        });
    };
    let of_w = || {
        let Some(dw) = dw else { return };
        dw.fill(T::zero());
        let texts = x.chunks_exact((sizes.length * sizes.channels).max(1));
        for (x, grad) in texts.zip(grad.chunks_exact((sizes.count * sizes.outputs).max(1))) {
            if sparse {
                dispatch(GatherWindows { x, grad, sizes, dw });
            } else {
                weights_of_gradient(x, grad, sizes, dw);
            }
        }
    };
    threads::join(of_x, of_w);
}

/// Below a share of one in so many, the numbers of a gradient are worked on one by one.
const SPARSE: usize = 12;

/// `dx += Σ grad[t] w` at the window of each t.
fn windows_of_gradient<T: Number>(
    weights: &[Reused<'_, T>],
    grad: &[T],
    sizes: &Sizes,
    dx: &mut [T],
) {
    let Sizes { outputs, count, .. } = *sizes;
    let (_, run) = sizes.runs();
    let mut windows = Storage::scratch(count * run);
    let windows = windows.make_mut();
    for (index, w) in weights.iter().enumerate() {
        let grad = Matrix::rows(grad, outputs);
        let target = (&mut *windows, run);
        product([count, outputs, run], grad, w, target, Start::Zero);
        let dx = &mut dx[sizes.start(index)..];
        dispatch(AddWindows {
            windows: &*windows,
            run,
            stride: sizes.stride(),
            dx,
        });
    }
}

/// `dw[r, o] += Σ grad[t, o] window[t, r]`
fn weights_of_gradient<T: Number>(x: &[T], grad: &[T], sizes: &Sizes, dw: &mut [T]) {
    let Sizes { outputs, count, .. } = *sizes;
    let (_, run) = sizes.runs();
    for (index, dw) in dw.chunks_exact_mut((outputs * run).max(1)).enumerate() {
        let grad = Matrix::rows(grad, outputs).transposed();
        let windows = Matrix::rows(&x[sizes.start(index)..], sizes.stride());
        product([outputs, count, run], grad, windows, (dw, run), Start::Out);
    }
}

/// Each window added to where it was taken from.
struct AddWindows<'a, T> {
    windows: &'a [T],
    run: usize,
    stride: usize,
    dx: &'a mut [T],
}

impl<T: Number> Kernel for AddWindows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for (t, window) in self.windows.chunks_exact(self.run.max(1)).enumerate() {
            add_scaled(
                &mut self.dx[t * self.stride..][..self.run],
                window,
                T::one(),
            );
        }
    }
}

struct ScatterWeights<'a, T> {
    w: &'a [T],
    grad: &'a [T],
    sizes: &'a Sizes,
    dx: &'a mut [T],
}

impl<T: Number> Kernel for ScatterWeights<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { w, grad, sizes, dx } = self;
        let run = sizes.runs().1;
        for (window, weights, grad) in sizes.given(grad) {
            add_scaled(&mut dx[window..][..run], &w[weights..][..run], grad);
        }
    }
}

struct GatherWindows<'a, T> {
    x: &'a [T],
    grad: &'a [T],
    sizes: &'a Sizes,
    dw: &'a mut [T],
}

impl<T: Number> Kernel for GatherWindows<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { x, grad, sizes, dw } = self;
        let run = sizes.runs().1;
        for (window, weights, grad) in sizes.given(grad) {
            add_scaled(&mut dw[weights..][..run], &x[window..][..run], grad);
        }
    }
}

#[inline(always)]
fn add_scaled<T: Number>(sum: &mut [T], x: &[T], factor: T) {
    for (sum, &x) in sum.iter_mut().zip(x) {
        *sum = x.mul_add(factor, *sum);
    }
}
