//! Where a tensor's elements stand in its storage: shape, strides and offset.

use crate::shape::Shape;

/// Element `[i, j, ..]` stands at `offset + i * strides[0] + j * strides[1] + ..`.
///
/// Views (transpose, narrow, expand) are other layouts over the same storage; an expanded axis has stride 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    shape: Shape,
    strides: Shape,
    offset: usize,
}

impl Layout {
    /// The row-major layout of `shape`, starting at the first element.
    pub fn dense(shape: Shape) -> Self {
        let mut strides = shape.clone();
        let mut stride = 1;
        for axis in (0..shape.rank()).rev() {
            strides.set(axis, stride);
            stride *= shape[axis];
        }
        Self {
            shape,
            strides,
            offset: 0,
        }
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The distance in the storage between neighbours along each axis.
    pub fn strides(&self) -> &[usize] {
        &self.strides
    }

    /// Where the first element stands.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether the elements stand one after the other in row-major order.
    pub fn is_dense(&self) -> bool {
        let mut stride = 1;
        for (&size, &actual) in self.shape.iter().zip(self.strides.iter()).rev() {
            if size != 1 {
                if actual != stride && size != 0 {
                    return false;
                }
                stride *= size;
            }
        }
        true
    }

    /// Two axes exchanged.
    pub(crate) fn transpose(&self, a: usize, b: usize) -> Self {
        let mut layout = self.clone();
        layout.shape.swap(a, b);
        layout.strides.swap(a, b);
        layout
    }

    /// Axis `i` of the result is axis `order[i]` of this layout.
    pub(crate) fn permute(&self, order: &[usize]) -> Self {
        Self {
            shape: order.iter().map(|&axis| self.shape[axis]).collect(),
            strides: order.iter().map(|&axis| self.strides[axis]).collect(),
            offset: self.offset,
        }
    }

    /// The part of `axis` from `start`, `length` long.
    pub(crate) fn narrow(&self, axis: usize, start: usize, length: usize) -> Self {
        let mut layout = self.clone();
        layout.shape.set(axis, length);
        // A view of nothing stays where it is: the place may lie beyond the storage.
        if layout.shape.elements() > 0 {
            layout.offset += start * self.strides[axis];
        }
        layout
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
        let mut layout = self.clone();
        let stride = self.strides[axis];
        layout.shape.set(axis, count);
        layout.strides.set(axis, stride * step);
        layout.shape.push(size);
        layout.strides.push(stride * dilation);
        layout
    }

    /// This layout repeated to `shape`, which it must broadcast to.
    pub(crate) fn expand(&self, shape: &Shape) -> Self {
        let added = shape.rank() - self.shape.rank();
        let strides = (0..shape.rank())
            .map(|axis| {
                if axis < added || self.shape[axis - added] != shape[axis] {
                    0
                } else {
                    self.strides[axis - added]
                }
            })
            .collect();
        Self {
            shape: shape.clone(),
            strides,
            offset: self.offset,
        }
    }

    /// A new axis of size 1 before `axis`.
    pub(crate) fn unsqueeze(&self, axis: usize) -> Self {
        let mut layout = self.clone();
        layout.shape.insert(axis, 1);
        layout.strides.insert(axis, 0);
        layout
    }

    /// Without `axis`, whose size is 1.
    pub(crate) fn squeeze(&self, axis: usize) -> Self {
        let mut layout = self.clone();
        layout.shape.remove(axis);
        layout.strides.remove(axis);
        layout
    }

    /// The same elements as `shape`; only for a dense layout with as many elements.
    pub(crate) fn reshape(&self, shape: Shape) -> Self {
        let mut layout = Self::dense(shape);
        layout.offset = self.offset;
        layout
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
