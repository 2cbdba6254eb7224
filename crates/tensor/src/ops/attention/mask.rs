//! Which keys each query sees, and what is added to the scores: one type from the user to the kernel.

use std::sync::Arc;

use lexigrad_kernels::attention::{Sizes, Window};
use lexigrad_kernels::view::View;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::lengths::check_lengths;
use crate::ops::select::Mask;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// Which keys each query of an attention sees, and what is added to its scores. A key is seen where every part allows it.
///
/// It is made once a batch, under the tape if a bias is trained, and the layers only read it; a clone copies no numbers. Where there are
/// several biases, each attention adds them up: add them before, if there are many layers. Drop a mask with a bias before the
/// optimizer's step, which else copies the bias.
///
/// ```
/// use lexigrad_tensor::AttentionMask;
/// let mask: AttentionMask = AttentionMask::lengths([3, 1]).and(AttentionMask::causal());
/// ```
///
/// A bias that is trained, one number for each head, query and key:
///
/// ```
/// use lexigrad_tensor::{AttentionMask, AttentionOptions, Param, Tape, Tensor, attention};
/// let bias: Param = Param::new(Tensor::zeros([1, 2, 3, 3]));
/// let (q, k, v) = (Tensor::ones([4, 2, 3, 5]), Tensor::ones([4, 2, 3, 5]), Tensor::ones([4, 2, 3, 5]));
/// let tape = Tape::new();
/// let mask = AttentionMask::bias(&bias.value()).and(AttentionMask::causal());
/// let options = AttentionOptions { mask, ..AttentionOptions::default() };
/// let gradients = tape.backward(&attention(&q, &k, &v, &options)?.sum())?;
/// assert!(gradients.get(&bias).is_some());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// B is the batch, all axes before the heads together.
///
/// PyTorch: `key_padding_mask`, `attn_mask` and `is_causal`. In `nn.MultiheadAttention` true hides a key; in
/// `scaled_dot_product_attention` it shows one, as here.
#[derive(Clone, Debug)]
pub struct AttentionMask<T: Element = f32> {
    parts: Vec<Part<T>>,
    window: Window,
}

#[derive(Clone, Debug)]
enum Part<T: Element> {
    Lengths(Arc<[usize]>),
    Keys(Mask),
    Pairs(Mask),
    Bias(Tensor<T>),
}

/// Every query sees every key.
impl<T: Element> Default for AttentionMask<T> {
    fn default() -> Self {
        Self::within(Window::default())
    }
}

impl<T: Element> AttentionMask<T> {
    fn within(window: Window) -> Self {
        let parts = Vec::new();
        Self { parts, window }
    }

    fn of(part: Part<T>) -> Self {
        let parts = vec![part];
        Self {
            parts,
            ..Self::default()
        }
    }

    /// A query sees the keys up to its own place: query i the keys 0 to `first + i`, [`first`](super::AttentionOptions::first) that of the
    /// attention.
    pub fn causal() -> Self {
        Self::within(Window {
            after: Some(0),
            ..Window::default()
        })
    }

    /// A query sees the keys from `before` places before its own to `after` places after it; with `after` 0 it is causal.
    ///
    /// Keys that a window leaves out are not computed: the work grows with its width.
    ///
    /// The local attention of Beltagy, Peters and Cohan (2020).
    pub fn window(before: usize, after: usize) -> Self {
        Self::within(Window {
            before: Some(before),
            after: Some(after),
        })
    }

    /// Of sequence b the first `lengths[b]` keys are there; the others are padding.
    pub fn lengths(lengths: impl Into<Arc<[usize]>>) -> Self {
        Self::of(Part::Lengths(lengths.into()))
    }

    /// True where a key is no padding: `[B, Lk]`.
    pub fn keys(present: &Mask) -> Self {
        Self::of(Part::Keys(present.clone()))
    }

    /// True where a query may see a key: `[Lk]`, `[Lq, Lk]`, `[B, Lq, Lk]` or `[B, H, Lq, Lk]`, where each size may be 1.
    ///
    /// What differs by head and not by sequence is `[1, H, Lq, Lk]`.
    pub fn pairs(visible: &Mask) -> Self {
        Self::of(Part::Pairs(visible.clone()))
    }

    /// What is added to the scores, in the shapes of [`pairs`](Self::pairs); -inf hides a key. It has a gradient.
    ///
    /// Relative positions (Raffel et al. 2020) and linear biases (Press, Smith and Lewis 2022) are made of it.
    pub fn bias(bias: &Tensor<T>) -> Self {
        Self::of(Part::Bias(bias.clone()))
    }

    /// Both together: a key is seen where both allow it, so the narrower of two windows and the shorter of two lengths count. Biases add up.
    pub fn and(mut self, other: Self) -> Self {
        self.parts.extend(other.parts);
        let nearer = |one: Option<usize>, other: Option<usize>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        self.window = Window {
            before: nearer(self.window.before, other.window.before),
            after: nearer(self.window.after, other.window.after),
        };
        self
    }

    /// The parts as an attention of these sizes reads them, and the bias as `[B, H, Lq, Lk]`, where sizes may be 1.
    ///
    /// # Errors
    /// If a part does not have the shape that it should have.
    pub(super) fn resolve(
        &self,
        operation: &'static str,
        sizes: &Sizes,
    ) -> Result<(Resolved, Option<Tensor<T>>)> {
        let mut resolved = Resolved {
            window: self.window,
            lengths: None,
            masks: Vec::new(),
        };
        let mut sum: Option<Tensor<T>> = None;
        for part in &self.parts {
            match part {
                Part::Lengths(lengths) => {
                    check_lengths(
                        operation,
                        ["key", "positions"],
                        lengths,
                        sizes.batch,
                        sizes.keys,
                    )?;
                    resolved.shorten(lengths);
                }
                Part::Keys(present) => {
                    let shape = check_keys(operation, present, sizes)?;
                    resolved.masks.push((present.clone(), shape));
                }
                Part::Pairs(visible) => {
                    let name = "the mask of the pairs";
                    let shape = for_heads(operation, name, visible.shape(), sizes)?;
                    resolved.masks.push((visible.clone(), shape));
                }
                Part::Bias(bias) => {
                    let shape = for_heads(operation, "the bias", bias.shape(), sizes)?;
                    let bias = bias.reshape(shape)?;
                    sum = Some(match sum {
                        Some(sum) => sum.add(&bias)?,
                        None => bias,
                    });
                }
            }
        }
        Ok((resolved, sum))
    }
}

/// The truth values of a mask for given sizes.
pub(super) struct Resolved {
    pub(super) window: Window,
    pub(super) lengths: Option<Arc<[usize]>>,
    /// Each with its shape as one of four axes.
    masks: Vec<(Mask, Shape)>,
}

impl Resolved {
    /// Each sequence is no longer than `lengths` says.
    fn shorten(&mut self, lengths: &Arc<[usize]>) {
        self.lengths = Some(match &self.lengths {
            None => lengths.clone(),
            Some(known) => known
                .iter()
                .zip(lengths.iter())
                .map(|(&known, &length)| known.min(length))
                .collect(),
        });
    }

    /// The masks repeated to the scores.
    pub(super) fn views(&self, scores: &Shape) -> Vec<View<'_, bool, [usize; 4]>> {
        let masks = self.masks.iter();
        let views = masks.map(|(mask, shape)| {
            let layout = Layout::dense(shape.clone()).expand(scores);
            layout.view_of(mask.values())
        });
        views.collect()
    }

    /// The same as truth values alone, for tensor operations.
    pub(super) fn masks(&self, sizes: &Sizes, first: usize) -> Result<Vec<Mask>> {
        let given = self.masks.iter();
        let given = given.map(|(mask, shape)| mask.reshaped(shape.clone()));
        let mut masks: Vec<Mask> = given.collect();
        if let Some(lengths) = &self.lengths {
            let present = |sequence: usize, key: usize| key < lengths[sequence];
            let present = Mask::where_pairs(sizes.batch, sizes.keys, present)?;
            masks.push(Mask::new(
                present.to_vec(),
                [sizes.batch, 1, 1, sizes.keys],
            )?);
        }
        if self.window != Window::default() {
            let Window { before, after } = self.window;
            masks.push(Mask::where_pairs(
                sizes.queries,
                sizes.keys,
                |query, key| {
                    let place = first.saturating_add(query);
                    before.is_none_or(|before| key >= place.saturating_sub(before))
                        && after.is_none_or(|after| key <= place.saturating_add(after))
                },
            )?);
        }
        Ok(masks)
    }
}

fn check_keys(operation: &'static str, present: &Mask, sizes: &Sizes) -> Result<Shape> {
    let (batch, keys) = (sizes.batch, sizes.keys);
    if *present.shape() == [batch, keys] {
        return Ok(Shape::from([batch, 1, 1, keys]));
    }
    let rule = format!("it must be [{batch}, {keys}], one row for each sequence");
    let name = "the mask of the keys";
    Err(Error::shape(operation, name, present.shape(), rule))
}

/// The shape as one of four axes, with an axis for the heads where it has one for the batch alone; it must broadcast to the scores.
fn for_heads(
    operation: &'static str,
    operand: &str,
    shape: &Shape,
    sizes: &Sizes,
) -> Result<Shape> {
    let &Sizes {
        batch,
        heads,
        queries,
        keys,
        ..
    } = sizes;
    let scores = Shape::from([batch, heads, queries, keys]);
    let spread = match shape[..] {
        [] => Some([1, 1, 1, 1]),
        [keys] => Some([1, 1, 1, keys]),
        [queries, keys] => Some([1, 1, queries, keys]),
        [batch, queries, keys] => Some([batch, 1, queries, keys]),
        [batch, heads, queries, keys] => Some([batch, heads, queries, keys]),
        _ => None,
    };
    if let Some(spread) = spread.map(Shape::from)
        && spread.broadcast(operation, &scores).as_ref() == Ok(&scores)
    {
        return Ok(spread);
    }
    let rule = format!(
        "it must broadcast to [{queries}, {keys}], [{batch}, {queries}, {keys}] or [{batch}, {heads}, {queries}, {keys}]"
    );
    Err(Error::shape(operation, operand, shape, rule))
}
