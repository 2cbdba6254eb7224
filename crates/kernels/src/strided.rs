//! Loops over views: copying one into order, and combining two that are broadcast.

use smallvec::{SmallVec, smallvec};

use crate::number::Number;
use crate::transpose::transpose;
use crate::view::Strided;
use crate::{PartKernel, for_each_part};

/// The axes of some views over one shape, those of size 1 left out and neighbours merged where every view allows it.
struct Axes<const N: usize> {
    sizes: SmallVec<[usize; 4]>,
    strides: SmallVec<[[usize; N]; 4]>,
}

impl<const N: usize> Axes<N> {
    fn merged(shape: &[usize], strides: [&[usize]; N]) -> Self {
        let mut axes = Self {
            sizes: SmallVec::new(),
            strides: SmallVec::new(),
        };
        for (axis, &size) in shape.iter().enumerate().filter(|(_, size)| **size != 1) {
            let inner = strides.map(|strides| strides[axis]);
            match (axes.sizes.last_mut(), axes.strides.last_mut()) {
                (Some(last), Some(outer)) if (0..N).all(|n| outer[n] == inner[n] * size) => {
                    *last *= size;
                    *outer = inner;
                }
                _ => {
                    axes.sizes.push(size);
                    axes.strides.push(inner);
                }
            }
        }
        axes
    }

    /// The length of a run along the innermost axis.
    fn row(&self) -> usize {
        self.sizes.last().copied().unwrap_or(1)
    }

    /// Calls `row(starts, strides)` for `count` runs along the innermost axis, in order from number `first` on.
    #[inline(always)]
    fn for_each_row(
        &self,
        first: usize,
        count: usize,
        mut row: impl FnMut([usize; N], [usize; N]),
    ) {
        let Some((_, outer)) = self.sizes.split_last() else {
            return row([0; N], [0; N]);
        };
        let inner = self.strides[outer.len()];
        let mut index: SmallVec<[usize; 4]> = smallvec![0; outer.len()];
        let mut starts = [0; N];
        let mut before = first;
        for axis in (0..outer.len()).rev() {
            index[axis] = before % outer[axis];
            before /= outer[axis];
            (0..N).for_each(|n| starts[n] += index[axis] * self.strides[axis][n]);
        }
        for _ in 0..count {
            row(starts, inner);
            for axis in (0..outer.len()).rev() {
                index[axis] += 1;
                let strides = self.strides[axis];
                (0..N).for_each(|n| starts[n] += strides[n]);
                if index[axis] < outer[axis] {
                    break;
                }
                index[axis] = 0;
                (0..N).for_each(|n| starts[n] -= strides[n] * outer[axis]);
            }
        }
    }
}

/// Copies a view of this shape into row-major order.
pub fn copy_strided<T: Copy + Send + Sync + 'static>(
    shape: &[usize],
    x: Strided<'_, T>,
    out: &mut [T],
) {
    if out.is_empty() {
        return;
    }
    let mut axes = Axes::merged(shape, [x.strides]);
    let out_len = out.len();
    // Rows that are columns of the buffer are turned together: each would touch all its cache lines.
    if let ([.., columns, rows], [.., [1], [stride]]) = (&axes.sizes[..], &axes.strides[..])
        && *stride > 1
    {
        let (columns, rows, stride) = (*columns, *rows, *stride);
        let outer = axes.sizes.len() - 2;
        axes.sizes.truncate(outer);
        axes.strides.truncate(outer);
        let mut blocks = out.chunks_exact_mut(rows * columns);
        let (count, runs) = (axes.row(), out_len / (axes.row() * rows * columns));
        axes.for_each_row(0, runs, |[start], [step]| {
            for (index, part) in blocks.by_ref().take(count).enumerate() {
                transpose(
                    &x.values[start + index * step..],
                    rows,
                    columns,
                    stride,
                    part,
                );
            }
        });
        return;
    }
    let row = axes.row();
    for_each_part(out, row, row, &CopyRows { axes, x: x.values });
}

struct CopyRows<'a, T> {
    axes: Axes<1>,
    x: &'a [T],
}

impl<T: Copy + Sync> PartKernel<T> for CopyRows<'_, T> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let &Self { ref axes, x } = self;
        let length = axes.row();
        let mut rows = out.chunks_exact_mut(length);
        axes.for_each_row(first, rows.len(), |[start], [stride]| {
            let row = rows.next().unwrap_or_default();
            match stride {
                0 => row.fill(x[start]),
                1 => row.copy_from_slice(&x[start..start + length]),
                _ => {
                    for (out, &x) in row.iter_mut().zip(x[start..].iter().step_by(stride)) {
                        *out = x;
                    }
                }
            }
        });
    }
}

/// `out = f(x, y)` for two views of this shape.
pub fn zip_strided<T: Number, U: Copy + Sync>(
    shape: &[usize],
    x: Strided<'_, T>,
    y: Strided<'_, U>,
    out: &mut [T],
    f: impl Fn(T, U) -> T + Sync,
) {
    if out.is_empty() {
        return;
    }
    let axes = Axes::merged(shape, [x.strides, y.strides]);
    let row = axes.row();
    for_each_part(out, row, row, &ZipRows { axes, x, y, f });
}

struct ZipRows<'a, T, U, F> {
    axes: Axes<2>,
    x: Strided<'a, T>,
    y: Strided<'a, U>,
    f: F,
}

impl<T: Number, U: Copy + Sync, F: Fn(T, U) -> T + Sync> PartKernel<T> for ZipRows<'_, T, U, F> {
    #[inline(always)]
    fn run(&self, first: usize, out: &mut [T]) {
        let Self { axes, x, y, f } = self;
        let mut rows = out.chunks_exact_mut(axes.row());
        axes.for_each_row(first, rows.len(), |[x_start, y_start], strides| {
            let row = rows.next().unwrap_or_default();
            zip_row(&x.values[x_start..], &y.values[y_start..], strides, row, f);
        });
    }
}

#[inline(always)]
fn zip_row<T: Number, U: Copy>(
    x: &[T],
    y: &[U],
    strides: [usize; 2],
    out: &mut [T],
    f: impl Fn(T, U) -> T,
) {
    let length = out.len();
    match strides {
        [1, 1] => {
            let pairs = x[..length].iter().zip(&y[..length]);
            out.iter_mut()
                .zip(pairs)
                .for_each(|(out, (&x, &y))| *out = f(x, y));
        }
        [1, 0] => {
            let y = y[0];
            out.iter_mut()
                .zip(&x[..length])
                .for_each(|(out, &x)| *out = f(x, y));
        }
        [0, 1] => {
            let x = x[0];
            out.iter_mut()
                .zip(&y[..length])
                .for_each(|(out, &y)| *out = f(x, y));
        }
        [x_stride, y_stride] => {
            for (i, out) in out.iter_mut().enumerate() {
                *out = f(x[i * x_stride], y[i * y_stride]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::View;

    #[test]
    fn a_transposed_view_is_copied_into_order() {
        let x: Vec<u8> = (0..6).collect();
        let mut out = [0; 6];
        copy_strided(
            &[3, 2],
            View {
                values: &x[0..],
                strides: &[1, 3],
            },
            &mut out,
        );
        assert_eq!(out, [0, 3, 1, 4, 2, 5]);
        copy_strided(
            &[2, 1, 3],
            View {
                values: &x[3..],
                strides: &[0, 7, 1],
            },
            &mut out,
        );
        assert_eq!(out, [3, 4, 5, 3, 4, 5]);
        let mut one = [0];
        copy_strided(
            &[],
            View {
                values: &x[5..],
                strides: &[],
            },
            &mut one,
        );
        assert_eq!(one, [5]);
        copy_strided(
            &[0, 3],
            View {
                values: &x[0..],
                strides: &[3, 1],
            },
            &mut [],
        );
    }

    #[test]
    fn any_two_views_are_combined() {
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let shape = [2, 3, 4];
        for (x_strides, y_strides) in [
            ([12, 4, 1], [12, 4, 1]),
            ([12, 4, 1], [0, 0, 1]),
            ([12, 4, 1], [3, 1, 0]),
            ([0, 1, 3], [12, 4, 1]),
            ([1, 2, 6], [4, 8, 1]),
            ([0, 0, 0], [0, 0, 0]),
        ] {
            let mut out = vec![0.0; 24];
            let view = |strides| Strided {
                values: &x,
                strides,
            };
            zip_strided(
                &shape,
                view(&x_strides[..]),
                view(&y_strides[..]),
                &mut out,
                |x, y| 100.0 * x + y,
            );
            for (position, &found) in out.iter().enumerate() {
                let index = [position / 12, position / 4 % 3, position % 4];
                let at = |strides: [usize; 3]| {
                    x[(0..3)
                        .map(|axis| index[axis] * strides[axis])
                        .sum::<usize>()]
                };
                assert_eq!(found, 100.0 * at(x_strides) + at(y_strides));
            }
        }
    }
}
