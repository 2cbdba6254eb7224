//! Attention by heads as one operation: the scores are turned into weights where they were computed, and kept once for the way back.

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::ops::dropout::dropout_from;
use crate::ops::select::Mask;
use crate::shape::Shape;
use crate::tape;
use crate::tensor::Tensor;
use crate::transforms::vjp;
use lexigrad_kernels::attention::{self as kernels, Heads, Scoring, Sizes, Targets, Trace};
use lexigrad_macros::compiled;

/// Which keys a query sees, and what becomes of the scores.
#[derive(Clone, Debug)]
pub struct Attend {
    /// The factor of the scores.
    pub scale: f64,
    /// True where a query sees a key, broadcast to `[B, H, Lq, Lk]`.
    pub visible: Option<Mask>,
    /// With Some(n) query i sees only the keys 0 to i + n.
    pub causal: Option<usize>,
    /// The probability that a weight is dropped in training.
    pub dropout: f64,
}

/// `y = softmax(scale q kᵀ) v` for each head, `q: [B, H, Lq, E]`, `k: [B, H, Lk, E]`, `v: [B, H, Lk, D]`, `y: [B, H, Lq, D]`.
///
/// A query that sees no key gets zeros, and passes zero gradients. The result stands in memory as `[B, Lq, H, D]`, so that the
/// heads of a position are joined without a copy.
///
/// ```
/// use lexigrad_tensor::{Attend, Tensor, attention};
/// let (q, k): (Tensor, Tensor) = (Tensor::zeros([1, 1, 2, 3]), Tensor::ones([1, 1, 2, 3]));
/// let v = Tensor::new([2.0, 4.0]).reshape([1, 1, 2, 1])?;
/// let attend = Attend { scale: 1.0, visible: None, causal: Some(0), dropout: 0.0 };
/// assert_eq!(attention(&q, &k, &v, &attend)?.to_vec(), [2.0, 3.0]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// If the shapes do not fit, the mask does not broadcast to the scores, or `dropout` is not between 0 and 1.
///
/// PyTorch: `nn.functional.scaled_dot_product_attention`; `lexigrad_nn` has that interface.
#[compiled]
pub fn attention<T: Element>(
    q: &Tensor<T>,
    k: &Tensor<T>,
    v: &Tensor<T>,
    attend: &Attend,
) -> Result<Tensor<T>> {
    let (&[batch, heads, queries, size], &[_, _, keys, value_size]) =
        (&q.shape()[..], &v.shape()[..])
    else {
        let rule = format!("it and the value {} must be [B, H, L, size]", v.shape());
        return Err(Error::shape("attention", "the query", q.shape(), rule));
    };
    for (operand, tensor, size) in [("the key", k, size), ("the value", v, value_size)] {
        if *tensor.shape() != [batch, heads, keys, size] {
            let rule = format!("it must be [{batch}, {heads}, {keys}, {size}]");
            return Err(Error::shape("attention", operand, tensor.shape(), rule));
        }
    }
    let sizes = Sizes {
        batch,
        heads,
        queries,
        keys,
        size,
        value_size,
    };
    apply(Attention::new(sizes, Form::Separate, attend)?, &[q, k, v])
}

/// [`attention`] of every position to all, its query, key and value side by side: `qkv: [B, L, 3 H E]`, `y: [B, L, H E]`.
///
/// ```
/// use lexigrad_tensor::{Attend, Tensor, self_attention};
/// let qkv: Tensor = Tensor::ones([2, 5, 3 * 8]);
/// let attend = Attend { scale: 0.5, visible: None, causal: None, dropout: 0.0 };
/// assert_eq!(*self_attention(&qkv, 4, &attend)?.shape(), [2, 5, 8]);
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
    attend: &Attend,
) -> Result<Tensor<T>> {
    let sizes = match qkv.shape()[..] {
        [batch, length, width] if heads > 0 && width / 3 % heads == 0 && width % 3 == 0 => Sizes {
            batch,
            heads,
            queries: length,
            keys: length,
            size: width / 3 / heads,
            value_size: width / 3 / heads,
        },
        _ => {
            let rule = format!("it must be [B, L, 3 H E] for {heads} heads");
            return Err(Error::shape("attention", "the input", qkv.shape(), rule));
        }
    };
    apply(Attention::new(sizes, Form::Packed, attend)?, &[qkv])
}

/// How query, key and value come.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Separate,
    Packed,
}

struct Attention<T: Element> {
    sizes: Sizes,
    form: Form,
    scale: f64,
    visible: Option<Mask>,
    causal: Option<usize>,
    /// Seed and probability of keeping a weight.
    dropout: Option<(u64, f64)>,
    /// The weights `[B, H, Lq, Lk]` before dropout, from the forward pass.
    kept: Option<Tensor<T>>,
}

impl<T: Element> Attention<T> {
    fn new(sizes: Sizes, form: Form, attend: &Attend) -> Result<Self> {
        let probability = attend.dropout;
        if !(0.0..=1.0).contains(&probability) {
            let rule = "between 0 and 1";
            return Err(Error::value("attention", "dropout", probability, rule));
        }
        let scores = scores_of(&sizes).checked("attention")?;
        if let Some(mask) = &attend.visible
            && mask.shape().broadcast("attention", &scores)? != scores
        {
            let rule = format!("it must broadcast to the scores {scores}");
            return Err(Error::shape("attention", "the mask", mask.shape(), rule));
        }
        let seed = (probability > 0.0).then(tape::dropout_seed).flatten();
        Ok(Self {
            sizes,
            form,
            scale: attend.scale,
            visible: attend.visible.clone(),
            causal: attend.causal,
            dropout: seed.map(|seed| (seed, 1.0 - probability)),
            kept: None,
        })
    }

    /// What the kernels read of this.
    fn with_kernel<R>(&self, run: impl FnOnce(&Scoring<'_>) -> R) -> R {
        let visible = self.visible.as_ref().map(|mask| {
            let layout = Layout::dense(mask.shape().clone());
            let layout = layout.expand(&scores_of(&self.sizes));
            layout.view_of(mask.values())
        });
        run(&Scoring {
            sizes: self.sizes,
            scale: self.scale,
            visible,
            causal: self.causal,
            dropout: self.dropout,
        })
    }

    /// Query, key and value as the kernels read them; each number of the last axis beside the next.
    fn heads<'a>(&self, inputs: &'a [Tensor<T>]) -> [Heads<'a, T>; 3] {
        match (self.form, inputs) {
            (Form::Separate, [q, k, v]) => [q, k, v].map(heads_of),
            (_, inputs) => {
                let (qkv, strides) = (&inputs[0], inputs[0].layout().strides());
                [0, 1, 2].map(|part| {
                    let start = qkv.layout().offset() + part * self.sizes.heads * self.sizes.size;
                    Heads {
                        values: qkv.buffer().get(start..).unwrap_or_default(),
                        strides: [strides[0], self.sizes.size, strides[1], 1],
                    }
                })
            }
        }
    }

    /// `[B, L, H, D]` in memory as `[B, H, L, D]`.
    fn by_heads(by_rows: Tensor<T>) -> Tensor<T> {
        by_rows.with_layout(by_rows.layout().permute(&[0, 2, 1, 3]))
    }

    fn kernel_vjp(
        &self,
        saved: &Saved<'_, T>,
        weights: &Tensor<T>,
        cotangent: &Tensor<T>,
    ) -> Result<Cotangents<T>> {
        let sizes = &self.sizes;
        let inputs: Vec<Tensor<T>> = (0..self.inputs())
            .map(|i| last_dense(saved.input(i)))
            .collect::<Result<_>>()?;
        let cotangent = match self.form {
            Form::Separate => last_dense(cotangent)?,
            Form::Packed => {
                let by_rows = [sizes.batch, sizes.queries, sizes.heads, sizes.value_size];
                let cotangent = cotangent.dense()?;
                let layout = cotangent.layout().reshape(by_rows.into());
                Self::by_heads(cotangent.with_layout(layout))
            }
        };
        let trace = Trace {
            inputs: self.heads(&inputs),
            weights: &weights.read()?,
            cotangent: heads_of(&cotangent),
        };
        let by_rows =
            |length, size| Tensor::build([sizes.batch, length, sizes.heads, size], |_| ());
        match self.form {
            Form::Separate => {
                let mut parts = [
                    by_rows(sizes.queries, sizes.size)?,
                    by_rows(sizes.keys, sizes.size)?,
                    by_rows(sizes.keys, sizes.value_size)?,
                ];
                let targets = Targets::Separate(parts.each_mut().map(Tensor::values_mut));
                self.with_kernel(|scoring| kernels::backward(scoring, &trace, targets));
                Ok(parts
                    .into_iter()
                    .map(|part| Some(Self::by_heads(part)))
                    .collect())
            }
            Form::Packed => {
                let gradient = Tensor::build(saved.input(0).shape(), |out| {
                    self.with_kernel(|scoring| {
                        kernels::backward(scoring, &trace, Targets::Packed(out))
                    });
                })?;
                Ok(Cotangents::one(gradient))
            }
        }
    }

    /// The same in tensor operations.
    fn compose(&self, inputs: &[Tensor<T>]) -> Result<Tensor<T>> {
        let sizes = &self.sizes;
        let [q, k, v] = match (self.form, inputs) {
            (Form::Separate, [q, k, v]) => [q.clone(), k.clone(), v.clone()],
            (_, inputs) => {
                let split = [sizes.batch, sizes.queries, 3, sizes.heads, sizes.size];
                let split = inputs[0].reshape(split)?.permute(&[2, 0, 3, 1, 4])?;
                let part = |index| split.narrow(0, index, 1)?.squeeze(0);
                [part(0)?, part(1)?, part(2)?]
            }
        };
        let mut scores = q
            .matmul(&k.transpose(-2, -1)?)?
            .mul_scalar(T::from_f64(self.scale));
        let causal = self
            .causal
            .map(|first| first.min(sizes.keys) as isize)
            .map(|first| Mask::lower_triangle(sizes.queries, sizes.keys, first));
        for mask in [self.visible.as_ref(), causal.as_ref()]
            .into_iter()
            .flatten()
        {
            scores = scores.masked_fill(&mask.not(), T::neg_infinity())?;
        }
        let weights = scores.softmax(-1)?;
        let weights = match self.dropout {
            Some((seed, keep)) => dropout_from(&weights, seed, keep)?,
            None => weights,
        };
        let output = weights.matmul(&v)?;
        if self.form == Form::Separate {
            return Ok(output);
        }
        let joined = [sizes.batch, sizes.queries, sizes.heads * sizes.size];
        output.permute(&[0, 2, 1, 3])?.reshape(joined)
    }

    fn inputs(&self) -> usize {
        if self.form == Form::Separate { 3 } else { 1 }
    }
}

impl<T: Element> Op<T> for Attention<T> {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn saves(&self, _needs: Needs) -> Saves {
        let inputs = (0..self.inputs()).map(Saves::input);
        inputs.fold(Saves::NOTHING, Saves::and)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let sizes = self.sizes;
        let inputs = inputs.iter().map(|input| last_dense(input));
        let inputs: Vec<Tensor<T>> = inputs.collect::<Result<_>>()?;
        let shape = if needs.any() {
            scores_of(&self.sizes)
        } else {
            Shape::from([sizes.batch, 1, sizes.queries, sizes.keys])
        };
        let mut weights = Tensor::build(shape, |_| ())?;
        let shape = [sizes.batch, sizes.queries, sizes.heads, sizes.value_size];
        let output = Tensor::build(shape, |out| {
            let weights = weights.values_mut();
            self.with_kernel(|scoring| {
                kernels::forward(scoring, self.heads(&inputs), weights, out)
            });
        })?;
        self.kept = needs.any().then_some(weights);
        Ok(match self.form {
            Form::Separate => Self::by_heads(output),
            Form::Packed => {
                let joined = [sizes.batch, sizes.queries, sizes.heads * sizes.size];
                output.with_layout(Layout::dense(joined.into()))
            }
        })
    }

    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let inputs: Vec<Tensor<T>> = (0..self.inputs()).map(|i| saved.input(i).clone()).collect();
        let compose = |inputs: &Vec<Tensor<T>>| self.compose(inputs);
        let (_, gradients) = vjp(compose, &inputs, &cotangent)?;
        Ok(gradients.into_iter().map(Some).collect())
    }

    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        match &self.kept {
            Some(weights) => self.kernel_vjp(saved, weights, &cotangent),
            None => self.vjp(saved, cotangent),
        }
    }
}

/// The shape of all scores, `[B, H, Lq, Lk]`.
fn scores_of(sizes: &Sizes) -> Shape {
    Shape::from([sizes.batch, sizes.heads, sizes.queries, sizes.keys])
}

/// The tensor as a constant in which the numbers of the last axis stand side by side.
fn last_dense<T: Element>(tensor: &Tensor<T>) -> Result<Tensor<T>> {
    if tensor.layout().strides().last() == Some(&1) {
        Ok(tensor.constant())
    } else {
        tensor.dense()
    }
}

/// `[B, H, L, D]` as the kernels read it.
fn heads_of<T: Element>(tensor: &Tensor<T>) -> Heads<'_, T> {
    tensor.layout().view_of(tensor.buffer())
}

#[cfg(test)]
mod tests;
