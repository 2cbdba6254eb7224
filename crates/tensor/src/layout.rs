//! Where a tensor's elements stand in its storage: shape, strides and offset.

use lexigrad_kernels::view::View;
use smallvec::SmallVec;

use crate::shape::Shape;

/// Element `[i, j, ..]` stands at `offset + i * strides[0] + j * strides[1] + ..`.
///
/// Views (transpose, narrow, expand) are other layouts over the same storage; an expanded axis has stride 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    shape: Shape,
    /// How a view stands in its storage; none for elements in row-major order from the first on. Boxed, because most tensors are
    /// no views, and all of them are moved about.
    view: Option<Box<Place>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Place {
    strides: Shape,
    offset: usize,
}

/// The strides of `shape` in row-major order.
fn row_major(shape: &Shape) -> Shape {
    let mut strides = shape.clone();
    let mut stride = 1;
    for axis in (0..shape.rank()).rev() {
        strides.set(axis, stride);
        stride = stride.saturating_mul(shape[axis]);
    }
    strides
}

/// Whether elements with these strides stand one after the other in row-major order.
fn is_row_major(shape: &Shape, strides: &Shape) -> bool {
    let mut stride = 1;
    for (&size, &actual) in shape.iter().zip(strides.iter()).rev() {
        if size != 1 {
            if actual != stride && size != 0 {
                return false;
            }
            stride = stride.saturating_mul(size);
        }
    }
    true
}

impl Layout {
    /// The row-major layout of `shape`, starting at the first element.
    pub fn dense(shape: Shape) -> Self {
        Self { shape, view: None }
    }

    fn new(shape: Shape, strides: Shape, offset: usize) -> Self {
        let plain = offset == 0 && is_row_major(&shape, &strides);
        let view = (!plain).then(|| Box::new(Place { strides, offset }));
        Self { shape, view }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The distance in the storage between neighbours along each axis.
    pub fn strides(&self) -> Shape {
        match &self.view {
            Some(view) => view.strides.clone(),
            None => row_major(&self.shape),
        }
    }

    /// Where the first element stands.
    pub fn offset(&self) -> usize {
        self.view.as_ref().map_or(0, |view| view.offset)
    }

    /// The numbers of a storage that stand so.
    pub(crate) fn view<'a, T>(&self, storage: &'a [T]) -> View<'a, T, Shape> {
        View {
            values: storage.get(self.offset()..).unwrap_or_default(),
            strides: self.strides(),
        }
    }

    /// [`view`](Self::view) of so many axes as this layout has.
    pub(crate) fn view_of<'a, T, const N: usize>(
        &self,
        storage: &'a [T],
    ) -> View<'a, T, [usize; N]> {
        let mut strides = [1; N];
        match &self.view {
            Some(view) => strides.copy_from_slice(&view.strides),
            None => {
                for axis in (1..N).rev() {
                    strides[axis - 1] = strides[axis].saturating_mul(self.shape[axis]);
                }
            }
        }
        View {
            values: storage.get(self.offset()..).unwrap_or_default(),
            strides,
        }
    }

    /// Whether the elements stand one after the other in row-major order.
    pub fn is_dense(&self) -> bool {
        let view = self.view.as_ref();
        view.is_none_or(|view| is_row_major(&self.shape, &view.strides))
    }

    /// The axes of a view from the outermost in memory to the innermost, if its elements stand together in that order; none for what
    /// is in row-major order already.
    pub(crate) fn memory_order(&self) -> Option<SmallVec<[usize; 4]>> {
        let view = self.view.as_ref().filter(|_| !self.is_dense())?;
        let mut order: SmallVec<[usize; 4]> = (0..self.shape.rank()).collect();
        order.sort_by_key(|&axis| std::cmp::Reverse(view.strides[axis]));
        self.permute(&order).is_dense().then_some(order)
    }

    /// The layout whose shape and strides are those of this one, changed alike.
    fn with_axes(&self, change: impl Fn(&mut Shape)) -> Self {
        let (mut shape, mut strides) = (self.shape.clone(), self.strides());
        change(&mut shape);
        change(&mut strides);
        Self::new(shape, strides, self.offset())
    }

    /// Two axes exchanged.
    pub(crate) fn transpose(&self, a: usize, b: usize) -> Self {
        self.with_axes(|axes| axes.swap(a, b))
    }

    /// Axis `i` of the result is axis `order[i]` of this layout.
    pub(crate) fn permute(&self, order: &[usize]) -> Self {
        self.with_axes(|axes| *axes = order.iter().map(|&axis| axes[axis]).collect())
    }

    /// The part of `axis` from `start`, `length` long.
    pub(crate) fn narrow(&self, axis: usize, start: usize, length: usize) -> Self {
        let (mut shape, strides) = (self.shape.clone(), self.strides());
        shape.set(axis, length);
        // A view of nothing stays where it is: the place may lie beyond the storage.
        let moved = if shape.elements() > 0 {
            start * strides[axis]
        } else {
            0
        };
        Self::new(shape, strides, self.offset() + moved)
    }

    /// `count` windows of `size` elements, `dilation` apart, at every `step`th place of `axis`; the elements of a window are the
    /// last axis.
    pub(crate) fn windows(
        &self,
        axis: usize,
        count: usize,
        step: usize,
        size: usize,
        dilation: usize,
    ) -> Self {
        let (mut shape, mut strides) = (self.shape.clone(), self.strides());
        let stride = strides[axis];
        shape.set(axis, count);
        strides.set(axis, stride * step);
        shape.push(size);
        strides.push(stride * dilation);
        Self::new(shape, strides, self.offset())
    }

    /// This layout repeated to `shape`, which it must broadcast to.
    pub(crate) fn expand(&self, shape: &Shape) -> Self {
        if self.shape == *shape {
            return self.clone();
        }
        let added = shape.rank() - self.shape.rank();
        let own = self.strides();
        let strides = (0..shape.rank())
            .map(|axis| {
                if axis < added || self.shape[axis - added] != shape[axis] {
                    0
                } else {
                    own[axis - added]
                }
            })
            .collect();
        Self::new(shape.clone(), strides, self.offset())
    }

    /// A new axis of size 1 before `axis`.
    pub(crate) fn unsqueeze(&self, axis: usize) -> Self {
        self.with_axes(|axes| axes.insert(axis, 1))
    }

    /// Without `axis`, whose size is 1.
    pub(crate) fn squeeze(&self, axis: usize) -> Self {
        self.with_axes(|axes| {
            axes.remove(axis);
        })
    }

    /// The same elements as `shape`; only for a dense layout with as many elements.
    pub(crate) fn reshape(&self, shape: Shape) -> Self {
        let strides = row_major(&shape);
        Self::new(shape, strides, self.offset())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_nothing_does_not_point_beyond_the_storage() {
        let columns = Layout::dense(Shape::from([2, 3])).transpose(0, 1);
        assert_eq!(columns.narrow(0, 2, 1).narrow(1, 2, 0).offset(), 2);
        assert_eq!(
            Layout::dense(Shape::from([0, 3])).narrow(1, 2, 1).offset(),
            0
        );
    }
}
