//! Attention as a function (Vaswani et al. 2017).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Attend, Element, Error, Mask, Result, Shape, Tensor, attention, dropout};

use crate::dropout::check_probability;

const NAME: &str = "scaled_dot_product_attention";

/// Options of [`scaled_dot_product_attention`], with PyTorch's defaults.
#[derive(Clone, Copy, Debug)]
pub struct AttentionOptions<'a, T: Element = f32> {
    /// True where a query may see a key, broadcast to `[.., Lq, Lk]`.
    pub mask: Option<&'a Mask>,
    /// What is added to the scores, broadcast to `[.., Lq, Lk]`; -inf hides a key.
    pub bias: Option<&'a Tensor<T>>,
    /// Whether query i sees only the keys 0 to i.
    pub causal: bool,
    /// The probability that a weight is dropped in training.
    pub dropout: f64,
    /// The factor of the scores, 1/√E if none is given.
    pub scale: Option<f64>,
}

impl<T: Element> Default for AttentionOptions<'_, T> {
    fn default() -> Self {
        Self {
            mask: None,
            bias: None,
            causal: false,
            dropout: 0.0,
            scale: None,
        }
    }
}

/// `y = softmax(q kᵀ / √E + bias) v`, `q: [.., Lq, E]`, `k: [.., Lk, E]`, `v: [.., Lk, D]`, `y: [.., Lq, D]`; the axes before
/// broadcast.
///
/// A query that may see no key gets zeros, and passes zero gradients.
///
/// ```
/// use lexigrad_nn::{AttentionOptions, scaled_dot_product_attention};
/// use lexigrad_tensor::Tensor;
/// let (q, k) = (Tensor::zeros([2, 3]), Tensor::ones([2, 3]));
/// let v = Tensor::new([[2.0], [4.0]]);
/// let options = AttentionOptions { causal: true, ..AttentionOptions::default() };
/// assert_eq!(scaled_dot_product_attention(&q, &k, &v, &options)?.to_vec(), [2.0, 3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, the mask or the bias does not broadcast to the scores, or `dropout` is not between 0 and 1.
///
/// PyTorch: `nn.functional.scaled_dot_product_attention`, `attn_mask` being `mask` (of truth values) or `bias` (of numbers).
/// Differences: `causal`, `mask` and `bias` may be given together; `dropout` follows the tape.
#[compiled]
pub fn scaled_dot_product_attention<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    v: &Tensor<T>,
    options: &AttentionOptions<'_, T>,
) -> Result<Tensor<T>> {
    check_probability(NAME, "dropout", options.dropout)?;
    if options.bias.is_none() && has_heads(q, k, v) {
        return attend_by_heads(q, k, v, options);
    }
    let weights = attention_weights(q, k, options)?;
    if v.rank() < 2 || v.shape()[v.rank() - 2] != k.shape()[k.rank() - 2] {
        let rule = format!(
            "it must be [.., length, size] with a row for each of the key {}",
            k.shape()
        );
        return Err(Error::shape(NAME, "the value", v.shape(), rule));
    }
    weights.matmul(v)
}

/// Whether the axes before the last two are the same ones, two at most, and the others fit: then there is nothing to broadcast.
fn has_heads<T: Element>(q: &Tensor<T>, k: &Tensor<T>, v: &Tensor<T>) -> bool {
    let (&[ref of_q @ .., _, size], &[ref of_k @ .., keys, key_size], &[ref of_v @ .., values, _]) =
        (&q.shape()[..], &k.shape()[..], &v.shape()[..])
    else {
        return false;
    };
    of_q.len() <= 2 && of_q == of_k && of_q == of_v && (size, keys) == (key_size, values)
}

/// The attention of what [`has_heads`], as one operation.
fn attend_by_heads<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    v: &Tensor<T>,
    options: &AttentionOptions<'_, T>,
) -> Result<Tensor<T>> {
    let (rank, keys) = (q.rank(), k.shape()[k.rank() - 2]);
    let scores: Shape = q.shape()[..rank - 1]
        .iter()
        .copied()
        .chain([keys])
        .collect();
    // The axis of the heads comes last before the two; where there is none, it is put in, and a batch of one before it.
    let missing = 4 - rank;
    let spread = |x: &Tensor<T>| (0..missing).try_fold(x.clone(), |x, _| x.unsqueeze(-3));
    let visible = options.mask.map(|mask| {
        check_broadcast("the mask", mask.shape(), &scores)?;
        match mask.shape()[..] {
            [batch, queries, keys] if rank == 3 => {
                Mask::new(mask.to_vec(), [batch, 1, queries, keys])
            }
            _ => Ok(mask.clone()),
        }
    });
    let attend = Attend {
        scale: options
            .scale
            .unwrap_or_else(|| default_scale(q.shape()[rank - 1])),
        visible: visible.transpose()?,
        causal: options.causal.then_some(0),
        dropout: options.dropout,
    };
    let output = attention(&spread(q)?, &spread(k)?, &spread(v)?, &attend)?;
    (0..missing).try_fold(output, |y, _| y.squeeze(-3))
}

/// `1 / √E`
pub(super) fn default_scale(size: usize) -> f64 {
    1.0 / (size.max(1) as f64).sqrt()
}

/// `w = softmax(q kᵀ / √E + bias)`, `q: [.., Lq, E]`, `k: [.., Lk, E]`, `w: [.., Lq, Lk]`: how much each query takes of each key.
///
/// # Errors
/// As for [`scaled_dot_product_attention`].
#[compiled]
pub fn attention_weights<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    options: &AttentionOptions<'_, T>,
) -> Result<Tensor<T>> {
    let (&[.., queries, size], &[.., keys, key_size]) = (&q.shape()[..], &k.shape()[..]) else {
        let rule = format!("it and the key {} must be [.., length, size]", k.shape());
        return Err(Error::shape(NAME, "the query", q.shape(), rule));
    };
    if size != key_size {
        let rule = format!("its last axis must be that of the query {}", q.shape());
        return Err(Error::shape(NAME, "the key", k.shape(), rule));
    }
    let scale = options.scale.unwrap_or_else(|| default_scale(size));
    let q = q.mul_scalar(T::from_f64(scale));
    let mut scores = q.matmul(&k.transpose(-2, -1)?)?;
    if let Some(bias) = options.bias {
        check_broadcast("the bias", bias.shape(), scores.shape())?;
        scores = scores.add(bias)?;
    }
    let causal = options
        .causal
        .then(|| Mask::lower_triangle(queries, keys, 0));
    for mask in [options.mask, causal.as_ref()].into_iter().flatten() {
        check_broadcast("the mask", mask.shape(), scores.shape())?;
        scores = scores.masked_fill(&mask.not(), T::neg_infinity())?;
    }
    dropout(&scores.softmax(-1)?, options.dropout)
}

fn check_broadcast(operand: &str, shape: &Shape, scores: &Shape) -> Result<()> {
    match shape.broadcast(NAME, scores) {
        Ok(both) if both == *scores => Ok(()),
        _ => {
            let rule = format!("it must broadcast to the scores {scores}");
            Err(Error::shape(NAME, operand, shape, rule))
        }
    }
}
