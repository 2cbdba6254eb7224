//! The operation: its kernels, and the same in tensor operations.

use lexigrad_kernels::attention as kernels;
use lexigrad_kernels::attention::{BiasTarget, Heads, Outputs, Scoring, Sizes, Targets, Trace};
use lexigrad_kernels::storage::OutOfMemory;

use super::mask::Resolved;
use crate::element::Element;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::ops::dropout::dropout_from;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::transforms::vjp;

/// Up to so many weights an [`attention`](super::attention) keeps all for the backward pass: 64 MiB of `f32`. If there are more, it
/// keeps none.
///
/// To compute them again is one product more beside the four of the backward pass.
pub const KEPT_WEIGHTS: usize = 1 << 24;

/// How query, key and value come.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Form {
    Separate,
    Packed,
}

/// `softmax(scale q kᵀ + bias) v` by heads, of q, k, v (or all in one) and perhaps a bias.
pub(super) struct Attention<T: Element> {
    pub(super) sizes: Sizes,
    pub(super) form: Form,
    /// `[B, H, Lq, Lk]`
    pub(super) scores: Shape,
    pub(super) mask: Resolved,
    pub(super) has_bias: bool,
    pub(super) first: usize,
    pub(super) scale: f64,
    /// Seed and probability of keeping a weight.
    pub(super) dropout: Option<(u64, f64)>,
    /// Whether the weights stand behind what the queries take, all in one row.
    pub(super) shows: bool,
    /// The weights before dropout, from the forward pass; none if they are computed again.
    pub(super) kept: Option<Tensor<T>>,
}

impl<T: Element> Op<T> for Attention<T> {
    fn name(&self) -> &'static str {
        super::NAME
    }

    fn saves(&self, _needs: Needs) -> Saves {
        let inputs = (0..self.inputs()).map(Saves::input);
        inputs.fold(Saves::NOTHING, Saves::and)
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], needs: Needs) -> Result<Tensor<T>> {
        let keeps = needs.any() && self.scores.elements() <= KEPT_WEIGHTS;
        let kept = keeps.then(|| Tensor::build(&self.scores, |_| ()));
        let mut kept = kept.transpose()?;
        let sizes = self.sizes;
        let by_rows = [sizes.batch, sizes.queries, sizes.heads, sizes.value_size];
        let shape = match self.shows {
            true => Shape::from(self.taken().saturating_add(self.scores.elements())),
            false => by_rows.into(),
        };
        let mut done = Ok(());
        let output = Tensor::build(shape, |out| {
            let (taken, shown) = out.split_at_mut(self.taken());
            let outputs = Outputs {
                taken,
                kept: kept.as_mut().map(Tensor::values_mut),
                shown: self.shows.then_some(shown),
            };
            done = self.with_scoring(inputs, |scoring| {
                kernels::forward(scoring, self.heads(inputs), outputs)
            });
        })?;
        self.check(done)?;
        self.kept = kept;
        Ok(match (self.shows, self.form) {
            (true, _) => output,
            (false, Form::Separate) => by_heads(output),
            (false, Form::Packed) => {
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
        let inputs: Vec<&Tensor<T>> = (0..self.inputs()).map(|i| saved.input(i)).collect();
        let (taken, shown) = self.cotangents(&cotangent)?;
        let kept = self.kept.as_ref().map(|kept| kept.read()).transpose()?;
        let shown = shown.as_ref().map(|shown| shown.read()).transpose()?;
        let trace = Trace {
            inputs: self.heads(&inputs),
            kept: kept.as_deref(),
            taken: heads_of(&taken),
            shown: shown.as_deref(),
        };
        let wants_bias = self.has_bias && saved.needs(self.inputs() - 1);
        let bias = wants_bias.then(|| self.bias_gradient(inputs[self.inputs() - 1].shape()));
        let mut bias = bias.transpose()?;
        let target = bias.as_mut().map(|(gradient, strides)| BiasTarget {
            by_sequence: gradient.shape()[0] == self.sizes.batch,
            values: gradient.values_mut(),
            strides: *strides,
        });
        let mut gradients = match self.form {
            Form::Separate => self.gradients_apart(&inputs, &trace, target)?,
            Form::Packed => {
                let mut done = Ok(());
                let gradient = Tensor::build(inputs[0].shape(), |out| {
                    done = self.with_scoring(&inputs, |scoring| {
                        kernels::backward(scoring, &trace, Targets::Packed(out), target)
                    });
                })?;
                self.check(done)?;
                vec![Some(gradient)]
            }
        };
        if self.has_bias {
            let whole = bias.map(
                |(by_sequence, _)| match inputs[self.inputs() - 1].shape()[0] {
                    1 => by_sequence.sum_keep(&[0]),
                    _ => Ok(by_sequence),
                },
            );
            gradients.push(whole.transpose()?);
        }
        Ok(gradients.into_iter().collect())
    }
}

impl<T: Element> Attention<T> {
    fn inputs(&self) -> usize {
        let given = if self.form == Form::Separate { 3 } else { 1 };
        given + usize::from(self.has_bias)
    }

    /// How many numbers the queries take.
    fn taken(&self) -> usize {
        let sizes = &self.sizes;
        sizes.batch * sizes.queries * sizes.heads * sizes.value_size
    }

    /// The error of kernels that had no memory for a block.
    fn check(&self, done: std::result::Result<(), OutOfMemory>) -> Result<()> {
        done.map_err(|error| Error::out_of_memory(&self.scores, error))
    }

    /// What the kernels read besides query, key and value.
    fn with_scoring<R>(&self, inputs: &[&Tensor<T>], run: impl FnOnce(&Scoring<'_, T>) -> R) -> R {
        let bias = self.has_bias.then(|| inputs[self.inputs() - 1]);
        let bias = bias.map(|bias| bias.layout().expand(&self.scores).view_of(bias.buffer()));
        run(&Scoring {
            sizes: self.sizes,
            scale: self.scale,
            first: self.first,
            window: self.mask.window,
            lengths: self.mask.lengths.as_deref(),
            masks: &self.mask.views(&self.scores),
            bias,
            dropout: self.dropout,
        })
    }

    /// Query, key and value as the kernels read them.
    fn heads<'a>(&self, inputs: &[&'a Tensor<T>]) -> [Heads<'a, T>; 3] {
        if self.form == Form::Separate {
            return [inputs[0], inputs[1], inputs[2]].map(heads_of);
        }
        let (qkv, strides) = (inputs[0], inputs[0].layout().strides());
        [0, 1, 2].map(|part| {
            let first = part * self.sizes.heads * self.sizes.size;
            let start = qkv.layout().offset() + first * strides[2];
            Heads {
                values: qkv.buffer().get(start..).unwrap_or_default(),
                strides: [
                    strides[0],
                    self.sizes.size * strides[2],
                    strides[1],
                    strides[2],
                ],
            }
        })
    }

    /// The gradients of what the queries took, `[B, H, Lq, D]`, and of the weights.
    fn cotangents(&self, cotangent: &Tensor<T>) -> Result<(Tensor<T>, Option<Tensor<T>>)> {
        let sizes = &self.sizes;
        let by_rows = [sizes.batch, sizes.queries, sizes.heads, sizes.value_size];
        if self.shows {
            let taken = cotangent.narrow(0, 0, self.taken())?;
            let shown = cotangent.narrow(0, self.taken(), self.scores.elements())?;
            return Ok((by_heads(taken.reshape(by_rows)?), Some(shown)));
        }
        Ok(match self.form {
            Form::Separate => (cotangent.constant(), None),
            Form::Packed => (by_heads(cotangent.constant().reshape(by_rows)?), None),
        })
    }

    fn gradients_apart(
        &self,
        inputs: &[&Tensor<T>],
        trace: &Trace<'_, T>,
        bias: Option<BiasTarget<'_, T>>,
    ) -> Result<Vec<Option<Tensor<T>>>> {
        let sizes = &self.sizes;
        let by_rows =
            |length, heads, size| Tensor::build([sizes.batch, length, heads, size], |_| ());
        let mut parts = [
            by_rows(sizes.queries, sizes.heads, sizes.size)?,
            by_rows(sizes.keys, sizes.kv_heads, sizes.size)?,
            by_rows(sizes.keys, sizes.kv_heads, sizes.value_size)?,
        ];
        let targets = Targets::Separate(parts.each_mut().map(Tensor::values_mut));
        let done = self.with_scoring(inputs, |scoring| {
            kernels::backward(scoring, trace, targets, bias)
        });
        self.check(done)?;
        Ok(parts.into_iter().map(|part| Some(by_heads(part))).collect())
    }

    /// Zeros for the gradient of a bias of this shape, and the strides of head, query and key: of each sequence apart, unless that
    /// were more than the weights that are kept.
    fn bias_gradient(&self, shape: &Shape) -> Result<(Tensor<T>, [usize; 3])> {
        let each = shape[1..].iter().product::<usize>();
        let is_small = each.saturating_mul(self.sizes.batch) <= KEPT_WEIGHTS;
        let batch = if is_small { self.sizes.batch } else { shape[0] };
        let by_sequence = Shape::from([batch, shape[1], shape[2], shape[3]]);
        let strides = Layout::dense(by_sequence.clone())
            .expand(&self.scores)
            .strides();
        let gradient = Tensor::build_zeros(by_sequence)?;
        Ok((gradient, [strides[1], strides[2], strides[3]]))
    }

    /// The same in tensor operations.
    fn compose(&self, inputs: &[Tensor<T>]) -> Result<Tensor<T>> {
        let sizes = &self.sizes;
        let [q, k, v] = self.split(inputs)?;
        let scores = q.matmul(&k.transpose(-2, -1)?)?;
        let mut scores = scores.mul_scalar(T::from_f64(self.scale));
        if self.has_bias {
            scores = scores.add(&inputs[self.inputs() - 1])?;
        }
        for mask in self.mask.masks(sizes, self.first)? {
            scores = scores.masked_fill(&mask.not(), T::neg_infinity())?;
        }
        let weights = scores.softmax(-1)?;
        let weights = match self.dropout {
            Some((seed, keep)) => dropout_from(&weights, seed, keep)?,
            None => weights,
        };
        let output = weights.matmul(&v)?;
        if self.shows {
            let taken = output.permute(&[0, 2, 1, 3])?.reshape([self.taken()])?;
            let shown = weights.reshape([self.scores.elements()])?;
            return crate::ops::cat(&[&taken, &shown], 0);
        }
        if self.form == Form::Separate {
            return Ok(output);
        }
        let joined = [sizes.batch, sizes.queries, sizes.heads * sizes.size];
        output.permute(&[0, 2, 1, 3])?.reshape(joined)
    }

    /// Query, key and value `[B, H, L, D]`, keys and values that heads share repeated.
    fn split(&self, inputs: &[Tensor<T>]) -> Result<[Tensor<T>; 3]> {
        let sizes = &self.sizes;
        if self.form == Form::Packed {
            let split = [sizes.batch, sizes.queries, 3, sizes.heads, sizes.size];
            let split = inputs[0].reshape(split)?.permute(&[2, 0, 3, 1, 4])?;
            let part = |index| split.narrow(0, index, 1)?.squeeze(0);
            return Ok([part(0)?, part(1)?, part(2)?]);
        }
        let shared = |x: &Tensor<T>| {
            if sizes.kv_heads == sizes.heads {
                return Ok(x.clone());
            }
            let (length, size) = (x.shape()[2], x.shape()[3]);
            let group = sizes.heads / sizes.kv_heads;
            x.unsqueeze(2)?
                .expand([sizes.batch, sizes.kv_heads, group, length, size])?
                .reshape([sizes.batch, sizes.heads, length, size])
        };
        Ok([inputs[0].clone(), shared(&inputs[1])?, shared(&inputs[2])?])
    }
}

/// `[B, L, H, D]` as `[B, H, L, D]`.
fn by_heads<T: Element>(by_rows: Tensor<T>) -> Tensor<T> {
    by_rows.with_layout(by_rows.layout().permute(&[0, 2, 1, 3]))
}

/// `[B, H, L, D]` as the kernels read it.
fn heads_of<T: Element>(tensor: &Tensor<T>) -> Heads<'_, T> {
    tensor.layout().view_of(tensor.buffer())
}
