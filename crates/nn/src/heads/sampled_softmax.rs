//! Sampled softmax with the log-uniform correction (Jean et al. 2015).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Ids, Mask, Param, Result, Tensor, cat, cross_entropy, linear};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};

use super::{check_batch, look_up, step_rng, table_sizes};
use crate::start;

const NAME: &str = "sampled_softmax";

/// `mean of ln(e^z[t] + Σ e^z[c] / (S p(c))) - z[t]` over S drawn classes c, `z = w h + b`, `p(c) = ln((c + 2) / (c + 1)) / ln(V + 1)`,
/// `h: [B, D]`, `t: [B]`, `w: [V, D]`, `b: [V, 1]`.
///
/// The sum over the drawn classes has the sum over all classes but the target as its mean, so that the loss comes near the whole
/// softmax's as S grows.
///
/// Ids must be sorted by falling frequency, as a vocabulary is: p is Zipf's law. The draws, with repetition, are one set for the
/// batch and belong to the tape of the step; a drawn target is left out. A step costs O((B + S) D + B S D), and
/// both gradients are row-sparse. [`logits`](Self::logits) is the whole softmax's, for an evaluation.
///
/// ```
/// use lexigrad_nn::{SampledSoftmax, SampledSoftmaxConfig};
/// use lexigrad_tensor::{Ids, Tape, Tensor};
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = SampledSoftmaxConfig { samples: 8, ..SampledSoftmaxConfig::new(1000, 4) };
/// let head: SampledSoftmax = config.build(&mut StdRng::seed_from_u64(1))?;
/// let tape = Tape::new();
/// let loss = head.forward(&Tensor::ones([2, 4]), &Ids::new([0, 700])?)?;
/// let grads = tape.backward(&loss)?;
/// let rows = grads.get(&head.weight).unwrap().as_row_sparse().unwrap().rows().len();
/// assert_eq!(rows, 2 + 8);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: none. TensorFlow: `sampled_softmax_loss` with its default sampler; it draws without repetition, and divides the target's part by
/// its expected count too.
#[derive(Clone, Debug, crate::Module)]
pub struct SampledSoftmax<T: Element = f32> {
    /// w: `[V, D]`
    pub weight: Param<T>,
    /// b: `[V, 1]`, a table, so that its gradient is row-sparse too.
    pub bias: Param<T>,
    samples: usize,
}

/// The sizes and options of a [`SampledSoftmax`] layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampledSoftmaxConfig {
    /// V, the number of classes.
    pub classes: usize,
    /// D, the size of an input.
    pub dim: usize,
    /// S, how many classes are drawn for a batch.
    pub samples: usize,
}

impl SampledSoftmaxConfig {
    /// A layer of these sizes that draws 64 classes.
    pub fn new(classes: usize, dim: usize) -> Self {
        Self {
            classes,
            dim,
            samples: 64,
        }
    }

    /// The layer, w evenly drawn between ±1/√D, b being 0.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<SampledSoftmax<T>> {
        let (classes, dim) = (self.classes, self.dim);
        Ok(SampledSoftmax {
            weight: start::uniform(NAME, [classes, dim], dim, rng)?,
            bias: start::zeros(NAME, [classes, 1])?,
            samples: self.samples,
        })
    }
}

#[compiled]
impl<T: Element> SampledSoftmax<T> {
    /// The mean loss of `hidden: [B, D]` against `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is not below V.
    pub fn forward(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let [classes, dim] = table_sizes(NAME, &self.weight)?;
        let batch = check_batch(NAME, hidden, targets, dim, classes)?;
        let mut rng = step_rng();
        let drawn: Vec<u32> = (0..self.samples)
            .map(|_| log_uniform(classes, &mut rng))
            .collect();
        // The targets' rows, then the drawn ones.
        let words = Ids::from_vec(
            [targets.as_slice(), &drawn].concat(),
            [batch + self.samples],
        )?;
        let rows = look_up(NAME, &self.weight, &words)?;
        let biases = look_up(NAME, &self.bias, &words)?;
        let counts = drawn
            .iter()
            .map(|&word| self.expected_count(word, classes).ln());
        let corrections = Tensor::from(counts.map(T::from_f64).collect::<Vec<T>>());
        let split = |x: &Tensor<T>| x.split(&[batch, self.samples], 0);
        let (rows, biases) = (split(&rows)?, split(&biases.squeeze(-1)?)?);
        let own = hidden.mul(&rows[0])?.sum_axes(&[-1])?.add(&biases[0])?;
        let others = linear(hidden, &rows[1], Some(&biases[1].sub(&corrections)?))?;
        let hits = targets
            .as_slice()
            .iter()
            .flat_map(|target| drawn.iter().map(move |word| word == target));
        let hits = Mask::new(hits.collect(), [batch, self.samples])?;
        let others = others.masked_fill(&hits, T::neg_infinity())?;
        let logits = cat(&[&own.unsqueeze(-1)?, &others], -1)?;
        cross_entropy(&logits, &Ids::from_vec(vec![0; batch], [batch])?)
    }

    /// `h Wᵀ + b: [.., V]` of all classes, `h: [.., D]`; it costs O(V D).
    ///
    /// # Errors
    /// If the shapes do not fit.
    pub fn logits(&self, hidden: &Tensor<T>) -> Result<Tensor<T>> {
        linear(hidden, &self.weight, Some(&self.bias.value().squeeze(-1)?))
    }

    /// S p(c)
    fn expected_count(&self, class: u32, classes: usize) -> f64 {
        let class = f64::from(class);
        self.samples as f64 * ((class + 2.0) / (class + 1.0)).ln() / (classes as f64 + 1.0).ln()
    }
}

/// A class c of V with probability `ln((c + 2) / (c + 1)) / ln(V + 1)`.
fn log_uniform(classes: usize, rng: &mut StdRng) -> u32 {
    let drawn = (rng.random::<f64>() * (classes as f64 + 1.0).ln()).exp() - 1.0;
    (drawn as usize).min(classes.saturating_sub(1)) as u32
}
