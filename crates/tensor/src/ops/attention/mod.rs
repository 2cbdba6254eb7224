//! Attention by heads as one operation: the scores are turned into weights where they were computed.

mod mask;
mod operation;

use lexigrad_kernels::attention::Sizes;
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tape;
use crate::tensor::Tensor;

pub use mask::AttentionMask;
pub use operation::KEPT_WEIGHTS;
use operation::{Attention, Form};

const NAME: &str = "attention";

/// What becomes of the scores of an attention.
#[derive(Clone, Debug)]
pub struct AttentionOptions<T: Element = f32> {
    /// Which keys a query sees, and what is added to its scores.
    pub mask: AttentionMask<T>,
    /// The place of the first query among the keys, by which a causal mask and a window count: how many keys came before the queries.
    pub first: usize,
    /// The probability that a weight is dropped in training.
    pub dropout: f64,
    /// The factor of the scores, 1/√E if none is given.
    pub scale: Option<f64>,
}

/// Every query sees every key, nothing is dropped.
impl<T: Element> Default for AttentionOptions<T> {
    fn default() -> Self {
        Self {
            mask: AttentionMask::default(),
            first: 0,
            dropout: 0.0,
            scale: None,
        }
    }
}

/// `y = softmax(q kᵀ / √E + bias) v`, `q: [.., H, Lq, E]`, `k: [.., G, Lk, E]`, `v: [.., G, Lk, D]`, `y: [.., H, Lq, D]`.
///
/// The heads are the third axis from the end if one of the three has four axes or more; else there is one head, and `[B, L, E]` is a
/// batch. The axes before the heads are those of a batch, and broadcast. Where keys and values have fewer heads, G, than the
/// queries, each is shared by H / G neighbours: grouped queries (Ainslie et al. 2023), or, of one head, multi-query attention (Shazeer
/// 2019). A query that sees no key gets zeros, and passes zero gradients.
///
/// Without a backward pass the memory grows with the length: the weights of a block of queries are all that is there. With one, all
/// weights are kept if they are no more than [`KEPT_WEIGHTS`]; else the backward pass computes them again. Second derivatives, and
/// weights that are [asked for](attention_with_weights), take memory for all weights.
///
/// ```
/// use lexigrad_tensor::{AttentionMask, AttentionOptions, Tensor, attention};
/// let (q, k): (Tensor, Tensor) = (Tensor::zeros([2, 3]), Tensor::ones([2, 3]));
/// let v = Tensor::new([[2.0], [4.0]]);
/// let options = AttentionOptions { mask: AttentionMask::causal(), ..AttentionOptions::default() };
/// assert_eq!(attention(&q, &k, &v, &options)?.to_vec(), [2.0, 3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes or the mask do not fit, or `dropout` is not between 0 and 1.
///
/// PyTorch: `nn.functional.scaled_dot_product_attention` (with `enable_gqa`). Differences: any parts of a mask may be given together;
/// `dropout` follows the tape; a mask of three axes is `[B, Lq, Lk]`.
#[compiled]
pub fn attention<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    v: &Tensor<T>,
    options: &AttentionOptions<T>,
) -> Result<Tensor<T>> {
    let spread = Spread::of(q, k, v)?;
    let output = run(
        spread.sizes,
        Form::Separate,
        &spread.inputs(),
        options,
        false,
    )?;
    output.reshape(spread.shape(spread.sizes.value_size))
}

/// [`attention`], and its weights `w = softmax(q kᵀ / √E + bias): [.., H, Lq, Lk]`, after dropout; both have gradients.
///
/// The average over the heads is `w.mean_axes(&[-3])`.
///
/// # Errors
/// As for [`attention`].
#[compiled]
pub fn attention_with_weights<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    v: &Tensor<T>,
    options: &AttentionOptions<T>,
) -> Result<(Tensor<T>, Tensor<T>)> {
    let spread = Spread::of(q, k, v)?;
    let sizes = spread.sizes;
    let both = run(sizes, Form::Separate, &spread.inputs(), options, true)?;
    let taken = sizes.batch * sizes.queries * sizes.heads * sizes.value_size;
    let output = both.narrow(0, 0, taken)?;
    let output = output.reshape([sizes.batch, sizes.queries, sizes.heads, sizes.value_size])?;
    let output = output.permute(&[0, 2, 1, 3])?;
    let weights = both.narrow(0, taken, both.elements() - taken)?;
    Ok((
        output.reshape(spread.shape(sizes.value_size))?,
        weights.reshape(spread.shape(sizes.keys))?,
    ))
}

/// [`attention`] of every position to all, its query, key and value side by side: `qkv: [B, L, 3 H E]`, `y: [B, L, H E]`.
///
/// ```
/// use lexigrad_tensor::{AttentionOptions, Tensor, self_attention};
/// let qkv: Tensor = Tensor::ones([2, 5, 3 * 8]);
/// assert_eq!(*self_attention(&qkv, 4, &AttentionOptions::default())?.shape(), [2, 5, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// As for [`attention`]; if the heads do not divide the last axis.
///
/// PyTorch: what `nn.MultiheadAttention` does between its two linear maps.
#[compiled]
pub fn self_attention<T: Element>(
    qkv: &Tensor<T>,
    heads: usize,
    options: &AttentionOptions<T>,
) -> Result<Tensor<T>> {
    let sizes = match qkv.shape()[..] {
        [batch, length, width] if heads > 0 && width / 3 % heads == 0 && width % 3 == 0 => Sizes {
            batch,
            heads,
            kv_heads: heads,
            queries: length,
            keys: length,
            size: width / 3 / heads,
            value_size: width / 3 / heads,
        },
        _ => {
            let rule = format!("it must be [B, L, 3 H E] for {heads} heads");
            return Err(Error::shape(NAME, "the input", qkv.shape(), rule));
        }
    };
    run(sizes, Form::Packed, &[qkv], options, false)
}

/// Runs the operation on inputs of these sizes.
fn run<T: Element>(
    sizes: Sizes,
    form: Form,
    inputs: &[&Tensor<T>],
    options: &AttentionOptions<T>,
    shows: bool,
) -> Result<Tensor<T>> {
    let probability = options.dropout;
    if !(0.0..=1.0).contains(&probability) {
        let rule = "between 0 and 1";
        return Err(Error::value(NAME, "dropout", probability, rule));
    }
    let scores = Shape::from([sizes.batch, sizes.heads, sizes.queries, sizes.keys]);
    let scores = scores.checked(NAME)?;
    let (mask, bias) = options.mask.resolve(NAME, &sizes)?;
    let seed = (probability > 0.0).then(tape::dropout_seed).flatten();
    let operation = Attention {
        sizes,
        form,
        scores,
        mask,
        has_bias: bias.is_some(),
        first: options.first,
        scale: options.scale.unwrap_or_else(|| default_scale(sizes.size)),
        dropout: seed.map(|seed| (seed, 1.0 - probability)),
        shows,
        kept: None,
    };
    let inputs: Vec<&Tensor<T>> = inputs.iter().copied().chain(bias.as_ref()).collect();
    apply(operation, &inputs)
}

/// `1 / √E`
fn default_scale(size: usize) -> f64 {
    1.0 / (size.max(1) as f64).sqrt()
}

/// Queries, keys and values of any axes as `[B, H, L, D]`.
struct Spread<T: Element> {
    sizes: Sizes,
    inputs: [Tensor<T>; 3],
    /// The axes before the queries.
    leading: Shape,
}

impl<T: Element> Spread<T> {
    fn of(q: &Tensor<T>, k: &Tensor<T>, v: &Tensor<T>) -> Result<Self> {
        let (&[.., queries, size], &[.., keys, key_size], &[.., values, value_size]) =
            (&q.shape()[..], &k.shape()[..], &v.shape()[..])
        else {
            let (k, v) = (k.shape(), v.shape());
            let rule = format!("it, the key {k} and the value {v} must be [.., length, size]");
            return Err(Error::shape(NAME, "the query", q.shape(), rule));
        };
        if key_size != size {
            let rule = format!("its last axis must be that of the query {}", q.shape());
            return Err(Error::shape(NAME, "the key", k.shape(), rule));
        }
        if values != keys {
            let rule = format!("it must have a row for each of the key {}", k.shape());
            return Err(Error::shape(NAME, "the value", v.shape(), rule));
        }
        let rank = [q, k, v].map(Tensor::rank).into_iter().max().unwrap_or(0);
        let [q_axes, k_axes, v_axes] = [q, k, v].map(|x| Axes::of(x, rank));
        let batch = q_axes.batch.broadcast(NAME, &k_axes.batch)?;
        let batch = batch.broadcast(NAME, &v_axes.batch)?;
        let kv_heads = k_axes.heads.max(v_axes.heads);
        let heads = if q_axes.heads == 1 {
            kv_heads
        } else {
            q_axes.heads
        };
        let is_shared = |heads: usize| heads == kv_heads || heads == 1;
        if kv_heads == 0 && heads > 0
            || kv_heads > 0 && !heads.is_multiple_of(kv_heads)
            || !is_shared(k_axes.heads)
            || !is_shared(v_axes.heads)
        {
            let rule = format!(
                "its heads and those of the value {} must be as many, and divide those of the query {}",
                v.shape(),
                q.shape()
            );
            return Err(Error::shape(NAME, "the key", k.shape(), rule));
        }
        let inputs = [
            spread(q, rank, &batch, heads)?,
            spread(k, rank, &batch, kv_heads)?,
            spread(v, rank, &batch, kv_heads)?,
        ];
        let mut leading = batch.clone();
        if rank > 3 {
            leading.push(heads);
        }
        Ok(Self {
            sizes: Sizes {
                batch: batch.elements(),
                heads,
                kv_heads,
                queries,
                keys,
                size,
                value_size,
            },
            inputs,
            leading,
        })
    }

    fn inputs(&self) -> [&Tensor<T>; 3] {
        self.inputs.each_ref()
    }

    /// The shape of a result that has `last` numbers for each query.
    fn shape(&self, last: usize) -> Shape {
        let leading = self.leading.iter().copied();
        leading.chain([self.sizes.queries, last]).collect()
    }
}

/// The axes of an operand before its rows.
struct Axes {
    batch: Shape,
    heads: usize,
}

impl Axes {
    /// Of an operand whose companions have up to `rank` axes: the heads are the last of four or more.
    fn of<T: Element>(x: &Tensor<T>, rank: usize) -> Self {
        let before = &x.shape()[..x.rank() - 2];
        let (batch, heads) = match before.split_last() {
            Some((&heads, batch)) if rank > 3 => (batch, heads),
            _ => (before, 1),
        };
        Self {
            batch: Shape::from(batch),
            heads,
        }
    }
}

/// An operand, one of up to `rank` axes, as `[B, H, L, D]`, repeated over a batch and heads.
fn spread<T: Element>(
    x: &Tensor<T>,
    rank: usize,
    batch: &Shape,
    heads: usize,
) -> Result<Tensor<T>> {
    let rows = [x.shape()[x.rank() - 2], x.shape()[x.rank() - 1]];
    let has_heads = rank > 3 && x.rank() > 2;
    let x = if has_heads {
        x.clone()
    } else {
        x.unsqueeze(-3)?
    };
    let whole: Shape = batch.iter().copied().chain([heads]).chain(rows).collect();
    let x = if *x.shape() == whole {
        x
    } else {
        x.expand(whole)?
    };
    match batch.rank() {
        1 => Ok(x),
        _ => x.reshape([batch.elements(), heads, rows[0], rows[1]]),
    }
}

#[cfg(test)]
mod tests;
