//! Which query may see which key.

use lexigrad_tensor::{Element, Error, Mask, Result, Shape, Tensor};

/// What hides keys from the queries of an attention layer: a key is seen where every given part allows it.
///
/// ```
/// use lexigrad_nn::AttentionMask;
/// use lexigrad_tensor::Mask;
/// let present = Mask::from_lengths(&[3, 1], 3);
/// let mask: AttentionMask = AttentionMask { keys: Some(&present), causal: true, ..AttentionMask::default() };
/// # assert!(mask.bias.is_none());
/// ```
///
/// PyTorch: `key_padding_mask` and `attn_mask`, whose truth values mean the opposite: there true hides a key.
#[derive(Clone, Copy, Debug)]
pub struct AttentionMask<'a, T: Element = f32> {
    /// `[B, Lk]`, true where a key is no padding; see [`Mask::from_lengths`].
    pub keys: Option<&'a Mask>,
    /// `[Lq, Lk]`, `[B, Lq, Lk]` or `[B, heads, Lq, Lk]`, true where a query may see a key.
    pub pairs: Option<&'a Mask>,
    /// What is added to the scores, in the shapes of `pairs`; -inf hides a key.
    pub bias: Option<&'a Tensor<T>>,
    /// Whether query i sees only the keys 0 to i.
    pub causal: bool,
}

impl<T: Element> Default for AttentionMask<'_, T> {
    fn default() -> Self {
        Self {
            keys: None,
            pairs: None,
            bias: None,
            causal: false,
        }
    }
}

impl<T: Element> AttentionMask<'_, T> {
    /// The mask of a sequence whose position i sees only the positions 0 to i.
    pub fn causal() -> Self {
        Self {
            causal: true,
            ..Self::default()
        }
    }

    /// The given truth values together, for scores `[B, heads, Lq, Lk]`.
    pub(super) fn visible(&self, name: &'static str, scores: &Shape) -> Result<Option<Mask>> {
        let (batch, keys) = (scores[0], scores[3]);
        let present = self.keys.map(|present| {
            if *present.shape() == [batch, keys] {
                return Mask::new(present.to_vec(), [batch, 1, 1, keys]);
            }
            let rule = format!("it must be [{batch}, {keys}], one row for each sequence");
            Err(Error::shape(
                name,
                "the mask of the keys",
                present.shape(),
                rule,
            ))
        });
        let pairs = self.pairs.map(|pairs| {
            let shape = for_heads(name, "the mask of the pairs", pairs.shape(), scores)?;
            Mask::new(pairs.to_vec(), shape)
        });
        let given = [present, pairs].into_iter().flatten();
        given.reduce(|merged, mask| merged?.and(&mask?)).transpose()
    }

    /// All truth values together, for queries of which the first stands at key `first`.
    pub(super) fn merged(
        &self,
        name: &'static str,
        scores: &Shape,
        first: usize,
    ) -> Result<Option<Mask>> {
        let visible = self.visible(name, scores)?;
        if !self.causal {
            return Ok(visible);
        }
        let causal = Mask::lower_triangle(scores[2], scores[3], first as isize);
        match visible {
            Some(visible) => Ok(Some(visible.and(&causal)?)),
            None => Ok(Some(causal)),
        }
    }

    /// The bias, to be added to scores `[B, heads, Lq, Lk]`.
    pub(super) fn bias_for_heads(
        &self,
        name: &'static str,
        scores: &Shape,
    ) -> Result<Option<Tensor<T>>> {
        let bias = self.bias.map(|bias| {
            let shape = for_heads(name, "the bias", bias.shape(), scores)?;
            bias.reshape(shape)
        });
        bias.transpose()
    }
}

/// The shape with an axis for the heads, where it has one for the batch alone; it must broadcast to that of the scores.
fn for_heads(name: &'static str, operand: &str, shape: &Shape, scores: &Shape) -> Result<Shape> {
    let spread = match shape[..] {
        [batch, queries, keys] => Shape::from([batch, 1, queries, keys]),
        _ => shape.clone(),
    };
    if spread.broadcast(name, scores).as_ref() == Ok(scores) {
        return Ok(spread);
    }
    let (batch, heads, queries, keys) = (scores[0], scores[1], scores[2], scores[3]);
    let rule = format!(
        "it must broadcast to [{queries}, {keys}], [{batch}, {queries}, {keys}] or [{batch}, {heads}, {queries}, {keys}]"
    );
    Err(Error::shape(name, operand, shape, rule))
}
