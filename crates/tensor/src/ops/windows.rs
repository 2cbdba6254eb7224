//! Parts of an axis and windows along it, as views, and their adjoints: narrow and pad, unfold and fold.

use lexigrad_kernels::windows as kernels;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::op::{Cotangents, Needs, Notes, Op, Saved};
use crate::room;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// The part of an axis from `start`, `length` long; its adjoint is [`Pad`].
#[derive(Clone, Copy)]
struct Part {
    axis: usize,
    start: usize,
    length: usize,
    whole: usize,
}

struct Narrow(Part);

impl<T: Element> Op<T> for Narrow {
    fn name(&self) -> &'static str {
        "narrow"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Part {
            axis,
            start,
            length,
            ..
        } = self.0;
        Ok(inputs[0].with_layout(inputs[0].layout().narrow(axis, start, length)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let value = T::zero();
        let pad = Pad {
            part: self.0,
            value,
        };
        Ok(Cotangents::one(apply(pad, &[&cotangent])?))
    }
}

/// The input as a part of an axis that is `value` elsewhere; its adjoint is [`Narrow`].
struct Pad<T> {
    part: Part,
    value: T,
}

impl<T: Element> Op<T> for Pad<T> {
    fn name(&self) -> &'static str {
        "pad"
    }

    fn notes(&self) -> Notes<'_> {
        let writes_infinity = self.value.is_infinite();
        Notes {
            writes_infinity,
            ..Notes::default()
        }
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Part {
            axis,
            start,
            length,
            whole,
        } = self.part;
        inputs[0].in_memory_order(|x, _, place| {
            let axis = place(axis);
            let mut shape = x.shape().clone();
            shape.set(axis, whole);
            let inner: usize = shape[axis + 1..].iter().product();
            let values = x.read()?;
            Tensor::build(&shape, |padded| {
                padded.fill(self.value);
                if length * inner > 0 {
                    let blocks = padded.chunks_exact_mut(whole * inner);
                    for (block, part) in blocks.zip(values.chunks_exact(length * inner)) {
                        block[start * inner..][..length * inner].copy_from_slice(part);
                    }
                }
            })
        })
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(apply(Narrow(self.part), &[&cotangent])?))
    }
}

/// Windows of `size` elements, `dilation` apart, at every `step`th place of an axis of `whole` elements, as a new last axis; its
/// adjoint is [`Fold`].
#[derive(Clone, Copy)]
pub(super) struct Windows {
    pub(super) axis: usize,
    pub(super) size: usize,
    pub(super) step: usize,
    pub(super) dilation: usize,
    pub(super) whole: usize,
}

impl Windows {
    /// The windows that fit into an axis, or the rule that none does.
    pub(super) fn new(
        axis: usize,
        whole: usize,
        [size, step, dilation]: [usize; 3],
    ) -> Result<Self, String> {
        if size == 0 || step == 0 || dilation == 0 {
            return Err("the window's size, step and dilation must be at least 1".to_owned());
        }
        let span = (size - 1).saturating_mul(dilation).saturating_add(1);
        if span > whole {
            return Err(format!("axis {axis} has no window of {span} elements"));
        }
        // A longer step leaves one window, too, and a window of one element has no gaps.
        let dilation = if size == 1 { 1 } else { dilation };
        let step = step.min(whole);
        Ok(Self {
            axis,
            size,
            step,
            dilation,
            whole,
        })
    }

    pub(super) fn count(&self) -> usize {
        (self.whole - (self.size - 1) * self.dilation - 1) / self.step + 1
    }
}

impl<T: Element> Op<T> for Windows {
    fn name(&self) -> &'static str {
        "unfold"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let layout = inputs[0].layout().windows(
            self.axis,
            self.count(),
            self.step,
            self.size,
            self.dilation,
        );
        layout.shape().count()?;
        Ok(inputs[0].with_layout(layout))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(apply(Fold(*self), &[&cotangent])?))
    }
}

/// Every window added back to where it was taken from; the adjoint of [`Windows`].
pub(super) struct Fold(pub(super) Windows);

impl<T: Element> Op<T> for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let Windows {
            axis,
            size,
            step,
            dilation,
            whole,
        } = self.0;
        let mut shape = inputs[0].shape().clone();
        shape.remove(shape.rank() - 1);
        shape.set(axis, whole);
        let inner = shape[axis + 1..].iter().product();
        let mut folded = Tensor::build_zeros(&shape)?;
        kernels::fold(
            &inputs[0].read()?,
            self.0.count(),
            inner,
            size,
            [step, dilation],
            whole,
            folded.values_mut(),
        );
        Ok(folded)
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        Ok(Cotangents::one(apply(self.0, &[&cotangent])?))
    }
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// A view of the part `start .. start + length` of an axis.
    ///
    /// # Errors
    /// If the axis does not exist or is shorter.
    pub fn narrow(&self, axis: isize, start: usize, length: usize) -> Result<Self> {
        let axis = self.shape().axis("narrow", axis)?;
        let whole = self.shape()[axis];
        if start.checked_add(length).is_none_or(|end| end > whole) {
            let rule = format!("axis {axis} has no part of {length} from {start}");
            return Err(Error::shape("narrow", "the tensor", self.shape(), rule));
        }
        apply(
            Narrow(Part {
                axis,
                start,
                length,
                whole,
            }),
            &[self],
        )
    }

    /// Views of the parts of these lengths, one after another along `axis`: `[.., n1 + n2, ..]` to `[.., n1, ..]`, `[.., n2, ..]`.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let parts = Tensor::<f32>::arange(0.0, 5.0, 1.0)?.split(&[2, 3], 0)?;
    /// assert_eq!(parts[1].to_vec(), [2.0, 3.0, 4.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the axis does not exist or the lengths do not add up to its size.
    pub fn split(&self, lengths: &[usize], axis: isize) -> Result<Vec<Self>> {
        let size = self.shape()[self.shape().axis("split", axis)?];
        let total = lengths
            .iter()
            .try_fold(0_usize, |sum, &length| sum.checked_add(length));
        if total != Some(size) {
            let rule = format!("the lengths {lengths:?} must add up to axis {axis}");
            return Err(Error::shape("split", "the tensor", self.shape(), rule));
        }
        let mut start = 0;
        let parts = lengths.iter().map(|&length| {
            let part = self.narrow(axis, start, length);
            start += length;
            part
        });
        parts.collect()
    }

    /// Views of at most `count` parts along `axis`, all as long as the first but for a shorter last one.
    ///
    /// PyTorch: `chunk`, which may return fewer parts too: 6 into 4 gives three of 2.
    ///
    /// # Errors
    /// If the axis does not exist, `count` is 0, or there is no memory for so many parts.
    pub fn chunk(&self, count: usize, axis: isize) -> Result<Vec<Self>> {
        let size = self.shape()[self.shape().axis("chunk", axis)?];
        if count == 0 {
            return Err(Error::value(
                "chunk",
                "the number of parts",
                0.0,
                "at least 1",
            ));
        }
        let length = size.div_ceil(count).max(1);
        let parts = size.div_ceil(length).max(1);
        let mut views = room::room(&Shape::from(parts)).map_err(|error| error.within("chunk"))?;
        for start in (0..parts).map(|part| part * length) {
            views.push(self.narrow(axis, start, length.min(size - start))?);
        }
        Ok(views)
    }

    /// `before` and `after` elements of `value` at the ends of `axis`: `[.., n, ..]` to `[.., before + n + after, ..]`.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let x: Tensor = Tensor::new([[1.0, 2.0]]);
    /// assert_eq!(x.pad(-1, 1, 2, 0.5)?.to_vec(), [0.5, 1.0, 2.0, 0.5, 0.5]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis.
    ///
    /// PyTorch: `nn.functional.pad` in mode `constant`, one axis a call.
    pub fn pad(&self, axis: isize, before: usize, after: usize, value: T) -> Result<Self> {
        let axis = self.shape().axis("pad", axis)?;
        let (start, length) = (before, self.shape()[axis]);
        let Some(whole) = length
            .checked_add(before)
            .and_then(|end| end.checked_add(after))
        else {
            let rule = format!("axis {axis} with {before} and {after} more is too long");
            return Err(Error::shape("pad", "the tensor", self.shape(), rule));
        };
        apply(
            Pad {
                part: Part {
                    axis,
                    start,
                    length,
                    whole,
                },
                value,
            },
            &[self],
        )
    }

    /// A view of all windows of `size` elements at every `step`th place of `axis`: `[.., n, ..]` to `[.., (n - size) / step + 1, .., size]`.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let windows = Tensor::<f32>::arange(0.0, 5.0, 1.0)?.unfold(0, 3, 2)?;
    /// assert_eq!(windows.to_array::<[[f32; 3]; 2]>()?, [[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If there is no such axis, `size` or `step` is 0, or the axis is shorter than a window.
    ///
    /// PyTorch: `Tensor.unfold`.
    pub fn unfold(&self, axis: isize, size: usize, step: usize) -> Result<Self> {
        let axis = self.shape().axis("unfold", axis)?;
        let windows = Windows::new(axis, self.shape()[axis], [size, step, 1])
            .map_err(|rule| Error::shape("unfold", "the tensor", self.shape(), rule))?;
        apply(windows, &[self])
    }
}
