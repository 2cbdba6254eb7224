//! Attention with several heads, each in a part of the features (Vaswani et al. 2017).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    AttentionMask, AttentionOptions, Element, Error, Module, Param, Result, Shape, Tensor, Visitor,
    Weight, attention, attention_with_weights, linear, self_attention,
};
use rand::Rng;

use super::KeyValueCache;
use crate::Linear;
use crate::dropout::check_probability;
use crate::init::xavier_uniform;
use crate::sequence::axes;
use crate::start;

const NAME: &str = "multihead_attention";

/// `y = concat_h(softmax(q_h k_hᵀ / √(E / heads)) v_h) W_oᵀ + b_o` with `q, k, v = query W_qᵀ + b_q, key W_kᵀ + b_k, value W_vᵀ + b_v`
/// cut into heads, `query: [Lq, B, E]`, `key: [Lk, B, kdim]`, `value: [Lk, B, vdim]`, `y: [Lq, B, E]`.
///
/// A query that may see no key gets `b_o` from the layer, and passes zero gradients.
///
/// ```
/// use lexigrad_nn::{AttentionMask, MultiheadAttention, MultiheadAttentionConfig};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = MultiheadAttentionConfig { batch_first: true, ..MultiheadAttentionConfig::new(8, 2) };
/// let attention: MultiheadAttention = config.build(&mut StdRng::seed_from_u64(1))?;
/// let x = Tensor::ones([3, 5, 8]);
/// let mask = AttentionMask::lengths([5, 2, 0]).and(AttentionMask::causal());
/// let (y, weights) = attention.forward_with_weights(&x, &x, &x, &mask)?;
/// assert_eq!((y.shape().to_vec(), weights.shape().to_vec()), (vec![3, 5, 8], vec![3, 2, 5, 5]));
/// let averaged = weights.mean_axes(&[1])?;
/// # assert_eq!(*averaged.shape(), [3, 5, 5]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.MultiheadAttention`, with the same names and layout of the parameters and the same initial distribution.
/// Differences: truth values mean "may be seen" everywhere; a mask of three axes is `[B, Lq, Lk]`; weights come for each head;
/// where no key may be seen they are 0, not NaN; heads may share keys and values ([`num_kv_heads`](MultiheadAttentionConfig::num_kv_heads));
/// there is no `add_bias_kv` and no `add_zero_attn`.
#[derive(Clone, Debug)]
pub struct MultiheadAttention<T: Element = f32> {
    /// `W_q`, `W_k` and `W_v`.
    pub in_proj: InProjection<T>,
    /// `b_q`, `b_k` and `b_v`, one after another: `[3 E]`, or fewer where heads share keys; none if the layer has no biases.
    pub in_proj_bias: Option<Param<T>>,
    /// `W_o: [E, E]` and `b_o: [E]`
    pub out_proj: Linear<T>,
    config: MultiheadAttentionConfig,
}

/// The weights of the projections of query, key and value.
#[derive(Clone, Debug)]
pub enum InProjection<T: Element = f32> {
    /// All three one above the other, `[3 E, E]`, if key and value have the size of the query: `in_proj_weight`.
    Packed(Param<T>),
    /// `q_proj_weight: [E, E]`, `k_proj_weight: [E, kdim]` and `v_proj_weight: [E, vdim]`; of the last two only as many rows as their
    /// heads have.
    Separate([Param<T>; 3]),
}

/// The sizes and options of a [`MultiheadAttention`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiheadAttentionConfig {
    /// E, the size of a query and of an output.
    pub embed_dim: usize,
    /// Into how many heads E is cut.
    pub num_heads: usize,
    /// How many heads keys and values have, a divisor of `num_heads`: neighbours share one (Ainslie et al. 2023). Each its own if none is
    /// given.
    pub num_kv_heads: Option<usize>,
    /// The probability that a weight is dropped in training.
    pub dropout: f64,
    /// Whether the projections have biases.
    pub bias: bool,
    /// The size of a key, E if none is given.
    pub kdim: Option<usize>,
    /// The size of a value, E if none is given.
    pub vdim: Option<usize>,
    /// Whether sequences are `[B, L, ..]`; else they are `[L, B, ..]`.
    pub batch_first: bool,
}

impl MultiheadAttentionConfig {
    /// Heads with biases, without dropout, for queries, keys and values of one size.
    pub fn new(embed_dim: usize, num_heads: usize) -> Self {
        Self {
            embed_dim,
            num_heads,
            num_kv_heads: None,
            dropout: 0.0,
            bias: true,
            kdim: None,
            vdim: None,
            batch_first: false,
        }
    }

    /// The layer; its weights are evenly drawn between ±√(6 / (rows + columns)), those of the output between ±1/√E; biases are 0.
    ///
    /// # Errors
    /// If the heads do not divide E or are not divided by those of the keys, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn build<T: Element>(
        &self,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<MultiheadAttention<T>> {
        let size = self.embed_dim;
        if self.num_heads == 0 || !size.is_multiple_of(self.num_heads) {
            let rule = format!("a divisor of embed_dim, {size}");
            return Err(Error::value(NAME, "num_heads", self.num_heads as f64, rule));
        }
        let shared = self.kv_heads();
        if shared == 0 || !self.num_heads.is_multiple_of(shared) {
            let rule = format!("a divisor of num_heads, {}", self.num_heads);
            return Err(Error::value(NAME, "num_kv_heads", shared as f64, rule));
        }
        check_probability(NAME, "dropout", self.dropout)?;
        let mut xavier = |rows: usize, columns: usize| -> Result<Param<T>> {
            let shape = Shape::from([rows, columns]);
            let weight = xavier_uniform(&shape, 1.0, rng);
            weight.map(Param::new).map_err(|error| error.within(NAME))
        };
        let ([q, k, v], [_, rows, _]) = (self.input_sizes(), self.output_sizes());
        let in_proj = if [k, v, rows] == [size; 3] {
            InProjection::Packed(xavier(size.saturating_mul(3), size)?)
        } else {
            InProjection::Separate([xavier(size, q)?, xavier(rows, k)?, xavier(rows, v)?])
        };
        let zeros = |size: usize| self.bias.then(|| start::zeros(NAME, [size])).transpose();
        let out_proj = Linear {
            weight: start::uniform(NAME, [size, size], size, rng)?,
            bias: zeros(size)?,
        };
        Ok(MultiheadAttention {
            in_proj,
            in_proj_bias: zeros(size.saturating_add(rows.saturating_mul(2)))?,
            out_proj,
            config: self.clone(),
        })
    }

    /// The sizes of query, key and value.
    fn input_sizes(&self) -> [usize; 3] {
        let size = self.embed_dim;
        [size, self.kdim.unwrap_or(size), self.vdim.unwrap_or(size)]
    }

    /// The sizes of projected query, key and value.
    fn output_sizes(&self) -> [usize; 3] {
        let shared = self.head_size() * self.kv_heads();
        [self.embed_dim, shared, shared]
    }

    fn kv_heads(&self) -> usize {
        self.num_kv_heads.unwrap_or(self.num_heads)
    }

    fn head_size(&self) -> usize {
        self.embed_dim / self.num_heads.max(1)
    }
}

impl<T: Element> Module<T> for MultiheadAttention<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        match &self.in_proj {
            InProjection::Packed(weight) => visitor.field("in_proj_weight", weight),
            InProjection::Separate([q, k, v]) => {
                visitor.field("q_proj_weight", q);
                visitor.field("k_proj_weight", k);
                visitor.field("v_proj_weight", v);
            }
        }
        visitor.field("in_proj_bias", &self.in_proj_bias);
        visitor.field("out_proj", &self.out_proj);
    }
}

#[compiled]
impl<T: Element> MultiheadAttention<T> {
    /// What the queries take of the values, in the shape of the query.
    ///
    /// # Errors
    /// If the inputs or the mask do not fit.
    pub fn forward(
        &self,
        query: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        if let Some(all) = self.project_packed(query, key, value)? {
            let joined = self_attention(&all, self.config.num_heads, &self.options(mask, 0))?;
            return self.out_proj.forward(&self.batch_first(&joined)?);
        }
        let [q, k, v] = self.project(query, key, value)?;
        self.attend(&q, &k, &v, mask, 0)
    }

    /// [`forward`](Self::forward), and the weights `[B, heads, Lq, Lk]`, after dropout.
    ///
    /// PyTorch: `average_attn_weights=False`; the average over the heads is `weights.mean_axes(&[1])`.
    ///
    /// # Errors
    /// If the inputs or the mask do not fit.
    pub fn forward_with_weights(
        &self,
        query: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
        mask: &AttentionMask<T>,
    ) -> Result<(Tensor<T>, Tensor<T>)> {
        let [q, k, v] = self.project(query, key, value)?;
        check_batch(&q, &k)?;
        let (heads, weights) = attention_with_weights(&q, &k, &v, &self.options(mask, 0))?;
        Ok((self.join_heads(&heads)?, weights))
    }

    /// The projected keys and values of a memory that many queries will be put to.
    ///
    /// # Errors
    /// If the inputs do not fit.
    pub fn remember(&self, key: &Tensor<T>, value: &Tensor<T>) -> Result<KeyValueCache<T>> {
        let (keys, values) = self.project_pair(key, value)?;
        let mut cache = KeyValueCache::new();
        cache.push(&keys, &values)?;
        Ok(cache)
    }

    /// [`forward`](Self::forward) with the keys and values of a cache.
    ///
    /// # Errors
    /// If the query or the mask does not fit, or the cache is empty.
    pub fn recall(
        &self,
        query: &Tensor<T>,
        cache: &KeyValueCache<T>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        let q = self.project_one(query, 0)?;
        self.recall_from(&q, cache, mask, 0)
    }

    /// Causal attention of new positions x to themselves and to those in the cache, to which they are then added.
    ///
    /// The outputs are those that [`forward`](Self::forward) of all positions with a causal mask gives for the new ones. The keys
    /// of `mask` are all positions so far, its queries the new ones. After an error the cache is as it was.
    ///
    /// # Errors
    /// If x or the mask does not fit.
    pub fn extend(
        &self,
        x: &Tensor<T>,
        cache: &mut KeyValueCache<T>,
        mask: &AttentionMask<T>,
    ) -> Result<Tensor<T>> {
        let [q, k, v] = self.project(x, x, x)?;
        if let Some((known, _)) = cache.entries()? {
            check_batch(&q, &known)?;
        }
        let known = cache.len();
        let mask = mask.clone().and(AttentionMask::causal());
        cache
            .push(&k, &v)
            .and_then(|()| self.recall_from(&q, cache, &mask, known))
            .inspect_err(|_| cache.truncate(known))
    }

    /// The layer's sizes and options.
    pub fn config(&self) -> &MultiheadAttentionConfig {
        &self.config
    }

    /// Attention of projected queries to a cache, of which the first stands at key `first`.
    fn recall_from(
        &self,
        q: &Tensor<T>,
        cache: &KeyValueCache<T>,
        mask: &AttentionMask<T>,
        first: usize,
    ) -> Result<Tensor<T>> {
        let Some((k, v)) = cache.entries()? else {
            let message = "the cache is empty; remember or extend it first";
            return Err(Error::other(NAME, message));
        };
        self.attend(q, &k, &v, mask, first)
    }

    /// Attention of projected queries, of which the first stands at key `first`.
    fn attend(
        &self,
        q: &Tensor<T>,
        k: &Tensor<T>,
        v: &Tensor<T>,
        mask: &AttentionMask<T>,
        first: usize,
    ) -> Result<Tensor<T>> {
        check_batch(q, k)?;
        self.join_heads(&attention(q, k, v, &self.options(mask, first))?)
    }

    fn options(&self, mask: &AttentionMask<T>, first: usize) -> AttentionOptions<T> {
        AttentionOptions {
            mask: mask.clone(),
            first,
            dropout: self.config.dropout,
            scale: None,
        }
    }

    /// The output from what each head took, `[B, heads, L, E / heads]`.
    fn join_heads(&self, heads: &Tensor<T>) -> Result<Tensor<T>> {
        let (batch, length) = (heads.shape()[0], heads.shape()[2]);
        let joined = heads.permute(&[0, 2, 1, 3])?;
        let joined = joined.reshape([batch, length, self.config.embed_dim])?;
        self.out_proj.forward(&self.batch_first(&joined)?)
    }

    /// Query, key and value of the same positions side by side, `[B, L, 3 E]`, if one product makes them.
    fn project_packed(
        &self,
        query: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
    ) -> Result<Option<Tensor<T>>> {
        let same = std::ptr::eq(query, key) && std::ptr::eq(key, value);
        let (true, InProjection::Packed(weight)) = (same, &self.in_proj) else {
            return Ok(None);
        };
        self.check(query, 0)?;
        let bias = self.in_proj_bias.as_ref().map(Param::value);
        let all = linear(query, weight, bias.as_ref())?;
        Ok(Some(self.batch_first(&all)?))
    }

    /// Queries, keys and values `[B, heads, L, E / heads]`; one product if all three are of one tensor.
    fn project(
        &self,
        query: &Tensor<T>,
        key: &Tensor<T>,
        value: &Tensor<T>,
    ) -> Result<[Tensor<T>; 3]> {
        if let Some(all) = self.project_packed(query, key, value)? {
            let size = self.config.embed_dim;
            let part =
                |index: usize| self.cut_into_heads(&all.narrow(-1, index * size, size)?, index);
            return Ok([part(0)?, part(1)?, part(2)?]);
        }
        let (k, v) = self.project_pair(key, value)?;
        Ok([self.project_one(query, 0)?, k, v])
    }

    /// Keys and values, of which there must be as many.
    fn project_pair(&self, key: &Tensor<T>, value: &Tensor<T>) -> Result<(Tensor<T>, Tensor<T>)> {
        let (keys, values) = (self.project_one(key, 1)?, self.project_one(value, 2)?);
        if keys.shape() == values.shape() {
            return Ok((keys, values));
        }
        let rule = format!("there must be one for each key of {}", key.shape());
        Err(Error::shape(NAME, "the value", value.shape(), rule))
    }

    /// x as queries (part 0), keys (1) or values (2).
    fn project_one(&self, x: &Tensor<T>, part: usize) -> Result<Tensor<T>> {
        self.check(x, part)?;
        let sizes = self.config.output_sizes();
        let (first, size) = (sizes[..part].iter().sum(), sizes[part]);
        let weight = match &self.in_proj {
            InProjection::Packed(weight) => weight.value().narrow(0, first, size)?.into(),
            InProjection::Separate(weights) => Weight::from(&weights[part]),
        };
        let bias = self.in_proj_bias.as_ref().map(Param::value);
        let bias = bias.map(|bias| bias.narrow(0, first, size));
        let projected = linear(x, weight, bias.transpose()?.as_ref())?;
        self.cut_into_heads(&self.batch_first(&projected)?, part)
    }

    fn check(&self, x: &Tensor<T>, part: usize) -> Result<()> {
        let size = self.config.input_sizes()[part];
        if x.rank() == 3 && x.shape()[2] == size {
            return Ok(());
        }
        let operand = ["the query", "the key", "the value"][part];
        let rule = format!("it must be [{}, {size}]", axes(self.config.batch_first));
        Err(Error::shape(NAME, operand, x.shape(), rule))
    }

    /// Queries (part 0), keys (1) or values (2) `[B, L, H E]` as `[B, H, L, E]`.
    fn cut_into_heads(&self, x: &Tensor<T>, part: usize) -> Result<Tensor<T>> {
        let (batch, length) = (x.shape()[0], x.shape()[1]);
        let heads = [self.config.num_heads, self.config.kv_heads()][part.min(1)];
        x.reshape([batch, length, heads, self.config.head_size()])?
            .permute(&[0, 2, 1, 3])
    }

    /// Exchanges the first two axes of a sequence that is not batch first; its own inverse.
    fn batch_first(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        if self.config.batch_first {
            Ok(x.clone())
        } else {
            x.transpose(0, 1)
        }
    }
}

/// Checks that projected queries and keys are of one batch.
fn check_batch<T: Element>(q: &Tensor<T>, k: &Tensor<T>) -> Result<()> {
    let (queries, keys) = (q.shape()[0], k.shape()[0]);
    if queries == keys {
        return Ok(());
    }
    let message = format!("a batch of {queries} queries for a batch of {keys} keys");
    Err(Error::other(NAME, message))
}
