//! The tensor: shared storage, a layout over it, and its place on a tape.

use std::ops::Deref;

use lexigrad_kernels::storage::Storage;
use lexigrad_kernels::strided;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::layout::Layout;
use crate::leaf::NodeId;
use crate::room;
use crate::shape::Shape;

/// An n-d array `[..]` of `f32` (or `f64`), an immutable value; clones and views share its storage.
///
/// While a [`Tape`](crate::Tape) is alive on this thread, what is computed from a watched tensor or a parameter is recorded.
///
/// An operation that returns a `Result` returns an error if there is no memory for what it computes; one that returns a tensor, such as
/// [`exp`](Self::exp) or an operator, panics with the same text.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// let x: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// let y = x.matmul(&x)?.sum();
/// assert_eq!(y.item()?, 54.0);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `torch.Tensor`, without `.grad` and without in-place operations.
#[derive(Clone)]
pub struct Tensor<T: Element = f32> {
    storage: Storage<T>,
    layout: Layout,
    node: Option<NodeId>,
}

#[compiled]
impl<T: Element> Tensor<T> {
    #[inline(always)]
    pub(crate) fn from_storage(storage: Storage<T>, shape: Shape) -> Self {
        Self {
            storage,
            layout: Layout::dense(shape),
            node: None,
        }
    }

    /// A tensor whose elements `write` sets, all of them. Inlined, so that it is made where it is to stand and not moved there.
    ///
    /// # Errors
    /// If the shape is too large, or the system does not give so much memory.
    #[inline(always)]
    pub(crate) fn build(shape: impl Into<Shape>, write: impl FnOnce(&mut [T])) -> Result<Self> {
        let shape = shape.into();
        let mut storage = room::uninitialised(&shape)?;
        write(storage.make_mut());
        Ok(Self::from_storage(storage, shape))
    }

    /// Zeros, for a kernel that adds to them.
    ///
    /// # Errors
    /// As for [`build`](Self::build).
    pub(crate) fn build_zeros(shape: impl Into<Shape>) -> Result<Self> {
        let shape = shape.into();
        let storage = Storage::zeroed(shape.count()?);
        let storage = storage.map_err(|error| Error::out_of_memory(&shape, error))?;
        Ok(Self::from_storage(storage, shape))
    }

    /// The same storage under another layout, on no tape.
    #[inline]
    pub(crate) fn with_layout(&self, layout: Layout) -> Self {
        Self {
            storage: self.storage.clone(),
            layout,
            node: None,
        }
    }

    #[inline]
    pub(crate) fn node(&self) -> Option<NodeId> {
        self.node
    }

    #[inline]
    pub(crate) fn set_node(&mut self, node: Option<NodeId>) {
        self.node = node;
    }

    /// The sizes of the axes, outermost first.
    #[inline]
    pub fn shape(&self) -> &Shape {
        self.layout.shape()
    }

    /// The number of axes.
    #[inline]
    pub fn rank(&self) -> usize {
        self.shape().rank()
    }

    /// The number of elements.
    #[inline]
    pub fn elements(&self) -> usize {
        self.shape().elements()
    }

    /// Shape, strides and offset.
    #[inline]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The whole storage, in which [`Layout`] says where the elements stand.
    #[inline]
    pub(crate) fn buffer(&self) -> &[T] {
        self.storage.as_slice()
    }

    /// The elements in row-major order: borrowed if they stand so, else copied.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// assert_eq!(x.transpose(0, 1)?.values()[..], [1.0, 3.0, 2.0, 4.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Panics
    /// If they are copied and there is no memory for the copy.
    #[track_caller]
    #[inline]
    pub fn values(&self) -> Values<'_, T> {
        match self.read() {
            Ok(values) => values,
            Err(error) => panic!("{}", error.within("values")),
        }
    }

    /// The elements, if they stand in row-major order.
    #[inline]
    pub(crate) fn in_order(&self) -> Option<&[T]> {
        let start = self.layout.offset();
        let range = start..start + self.elements();
        self.layout.is_dense().then(|| &self.buffer()[range])
    }

    /// [`values`](Self::values) for an operation, which passes the error on.
    ///
    /// # Errors
    /// If the elements are copied and there is no memory for the copy.
    #[inline]
    pub(crate) fn read(&self) -> Result<Values<'_, T>> {
        match self.in_order() {
            Some(values) => Ok(Values::Borrowed(values)),
            None => self.copied().map(Values::Copied),
        }
    }

    /// The elements of a view, copied in row-major order.
    fn copied(&self) -> Result<Storage<T>> {
        let mut copy = room::uninitialised(self.shape())?;
        let view = self.layout.view(self.buffer());
        strided::copy_strided(self.shape(), view.strided(), copy.make_mut());
        Ok(copy)
    }

    /// [`detach`](Self::detach), of which [`Tape::record_cuts`](crate::Tape::record_cuts) takes no note.
    ///
    /// It is for what a layer or a loss computes beside its output, such as the mask of a kink.
    pub fn constant(&self) -> Self {
        self.with_layout(self.layout.clone())
    }

    /// A constant of the same values whose elements stand in row-major order.
    ///
    /// # Errors
    /// If they are copied and there is no memory for the copy.
    pub(crate) fn dense(&self) -> Result<Self> {
        Ok(match self.read()? {
            Values::Borrowed(_) => self.constant(),
            Values::Copied(storage) => Self::from_storage(storage, self.shape().clone()),
        })
    }

    /// `compute` of this tensor with its axes in the order in which they stand in memory (as constants), and of where each axis went;
    /// the result, which has as many axes, in the order of this one. So a permuted view need not be copied into order.
    pub(crate) fn in_memory_order(
        &self,
        compute: impl FnOnce(&Self, &dyn Fn(&Self) -> Self, &dyn Fn(usize) -> usize) -> Result<Self>,
    ) -> Result<Self> {
        let Some(order) = self.layout.memory_order() else {
            return compute(self, &Self::constant, &|axis| axis);
        };
        let forth = |other: &Self| other.with_layout(other.layout.permute(&order));
        let place = |axis| {
            order
                .iter()
                .position(|&other| other == axis)
                .unwrap_or(axis)
        };
        let computed = compute(&forth(self), &forth, &place)?;
        let back: Vec<usize> = (0..order.len()).map(place).collect();
        Ok(computed.with_layout(computed.layout.permute(&back)))
    }

    /// Whether writing to the elements would copy nothing: nobody else holds them and they stand in order.
    #[inline]
    pub(crate) fn is_writable(&self) -> bool {
        self.storage.is_unique() && self.layout.is_dense()
    }

    /// The elements in row-major order for writing; copied first if somebody else holds them.
    ///
    /// # Panics
    /// If they are copied and there is no memory for the copy.
    #[inline]
    pub(crate) fn values_mut(&mut self) -> &mut [T] {
        if !self.layout.is_dense() {
            *self = or_panic("write", self.dense());
        }
        let start = self.layout.offset();
        let end = start + self.elements();
        &mut self.storage.make_mut()[start..end]
    }

    /// Whether the two share their storage.
    #[inline]
    pub fn shares_storage_with(&self, other: &Self) -> bool {
        self.storage.shares_with(&other.storage)
    }
}

/// The elements of a tensor in row-major order; derefs to a slice.
pub enum Values<'a, T: Element> {
    #[doc(hidden)]
    Borrowed(&'a [T]),
    #[doc(hidden)]
    Copied(Storage<T>),
}

impl<T: Element> Deref for Values<'_, T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::Borrowed(slice) => slice,
            Self::Copied(storage) => storage.as_slice(),
        }
    }
}
