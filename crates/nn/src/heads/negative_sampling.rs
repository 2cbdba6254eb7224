//! Negative sampling (Mikolov et al. 2013).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Ids, Mask, Param, Reduction, Result, Tensor};

use super::{AliasTable, check_batch, look_up, noise_table, step_rng, table_sizes};
use crate::loss::reduce;
use crate::start;

const NAME: &str = "negative_sampling";

/// `mean of -ln σ(h · w[t]) - Σ ln σ(-h · w[n])` over S words n drawn by `count^power`, `h: [B, D]`, `t: [B]`, `w: [V, D]`.
///
/// A drawn word that is the target is left out. A step costs O(B S D), and the gradient of w is row-sparse. The draws belong to the
/// tape of the step; without one they are the same each time. w starts at 0.
///
/// ```
/// use lexigrad_nn::{NegativeSampling, NegativeSamplingConfig};
/// use lexigrad_tensor::{Ids, Tape, Tensor};
/// let counts = [100, 50, 20, 5];
/// let head: NegativeSampling = NegativeSamplingConfig::new(3).build(&counts)?;
/// let tape = Tape::new();
/// let loss = head.forward(&Tensor::ones([2, 3]), &Ids::new([0, 3])?)?;
/// let grads = tape.backward(&loss)?;
/// assert!(grads.get(&head.weight).unwrap().as_row_sparse().is_some());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: none; word2vec's output layer.
#[derive(Clone, Debug, crate::Module)]
pub struct NegativeSampling<T: Element = f32> {
    /// w: `[V, D]`
    pub weight: Param<T>,
    #[module(skip)]
    noise: AliasTable,
    samples: usize,
}

/// The sizes and options of a [`NegativeSampling`] layer, with word2vec's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct NegativeSamplingConfig {
    /// D, the size of an input.
    pub dim: usize,
    /// S, how many words are drawn for each target.
    pub samples: usize,
    /// The power of the counts by which words are drawn.
    pub power: f64,
}

impl NegativeSamplingConfig {
    /// Five words for each target, drawn by `count^0.75`.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            samples: 5,
            power: 0.75,
        }
    }

    /// The layer for a vocabulary with these counts, w being 0.
    ///
    /// # Errors
    /// If no word has a count, the power is not finite, or there is no memory for the parameters.
    pub fn build<T: Element>(&self, counts: &[u64]) -> Result<NegativeSampling<T>> {
        self.with_weight(start::zeros(NAME, [counts.len(), self.dim])?, counts)
    }

    /// The layer on a table `[V, D]` that is shared with whoever holds it.
    ///
    /// # Errors
    /// As for [`build`](Self::build); if the table has another shape.
    pub fn with_weight<T: Element>(
        &self,
        weight: Param<T>,
        counts: &[u64],
    ) -> Result<NegativeSampling<T>> {
        if weight.shape() != [counts.len(), self.dim] {
            let rule = format!("it must be [{}, {}]", counts.len(), self.dim);
            return Err(Error::shape(NAME, "the table", &weight.shape(), rule));
        }
        let (noise, samples) = (noise_table(counts, self.power)?, self.samples);
        Ok(NegativeSampling {
            weight,
            noise,
            samples,
        })
    }
}

#[compiled]
impl<T: Element> NegativeSampling<T> {
    /// The mean loss of `hidden: [B, D]` against `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is not below V.
    pub fn forward(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let [classes, dim] = table_sizes(NAME, &self.weight)?;
        let batch = check_batch(NAME, hidden, targets, dim, classes)?;
        let mut rng = step_rng();
        let width = self.samples.saturating_add(1);
        let mut words = Vec::new();
        if words
            .try_reserve_exact(batch.saturating_mul(width))
            .is_err()
        {
            let rule = "few enough that the memory holds a word for each of the batch";
            return Err(Error::value(NAME, "samples", self.samples as f64, rule));
        }
        for &target in targets.as_slice() {
            words.push(target);
            words.extend((0..self.samples).map(|_| self.noise.draw(&mut rng)));
        }
        // A drawn target is no negative.
        let hit = |place: usize| {
            !place.is_multiple_of(width) && words[place] == words[place / width * width]
        };
        let hits = Mask::new((0..words.len()).map(hit).collect(), [batch, width])?;
        // The loss is ln(1 + e^-x) for the target and ln(1 + e^x) for the rest.
        let sign = |place: usize| if place == 0 { -T::one() } else { T::one() };
        let signs = Tensor::from((0..width).map(sign).collect::<Vec<T>>());
        let words = Ids::from_vec(words, [batch, width])?;
        let rows = look_up(NAME, &self.weight, &words)?;
        let scores = rows.matmul(&hidden.unsqueeze(-1)?)?.squeeze(-1)?;
        let losses = scores
            .mul(&signs)?
            .softplus()
            .masked_fill(&hits, T::zero())?;
        Ok(reduce(losses.sum_axes(&[1])?, Reduction::Mean))
    }
}
