//! Negative sampling whose draws a whole stretch of text shares (Ji et al. 2016).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Bags, Element, Error, Ids, Param, Result, Tensor, linear, sampled_matmul};

use super::{AliasTable, look_up, noise_table, step_rng};
use crate::start;

const NAME: &str = "shared_negatives";

/// `-Σ_(b, c) (ln σ(h_b · w_c) + k/S Σ_s ln σ(-h_b · w_s))` over pairs of an input b and a word c, with the same S words s, drawn by
/// `count^power`, for all of them; `h: [B, D]`, `w: [V, D]`.
///
/// In expectation it is [`NegativeSampling`](crate::NegativeSampling) with k words for each pair: what is drawn for many pairs at once makes their scores one
/// product of matrices, and each row of w is read and moved once a step. It costs O((N + B S) D) for N pairs, and the gradient of w
/// is row-sparse. The loss is a sum, the step that of word2vec, which moves by each pair at the full rate.
///
/// Different from it: a drawn word that is also a target is not left out; it is noise like any other, as in
/// the objective of Mikolov et al. (2013). The draws belong to the tape of the step; without one they are the same each time.
///
/// ```
/// use lexigrad_nn::{SharedNegatives, SharedNegativesConfig};
/// use lexigrad_tensor::{Bags, Ids, Tape, Tensor};
/// let counts = [100, 50, 20, 5];
/// let head: SharedNegatives = SharedNegativesConfig::new(3).build(&counts)?;
/// let words = Ids::new([2, 0, 3])?;                             // a stretch of text
/// let pairs = Bags::from_lists(&[vec![1_u32], vec![0, 2], vec![1]])?; // each word with its neighbours
/// let tape = Tape::new();
/// let loss = head.forward(&Tensor::ones([3, 3]), &words, &pairs)?;
/// let grads = tape.backward(&loss)?;
/// assert!(grads.get(&head.weight).unwrap().as_row_sparse().is_some());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: none.
#[derive(Clone, Debug, crate::Module)]
pub struct SharedNegatives<T: Element = f32> {
    /// w: `[V, D]`
    pub weight: Param<T>,
    #[module(skip)]
    noise: AliasTable,
    samples: usize,
    /// k / S
    share: f64,
}

/// The sizes and options of a [`SharedNegatives`] layer, with word2vec's defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct SharedNegativesConfig {
    /// D, the size of an input.
    pub dim: usize,
    /// S, how many words are drawn for all pairs together.
    pub samples: usize,
    /// k, for how many drawn words a pair they count.
    pub negatives: f64,
    /// The power of the counts by which words are drawn.
    pub power: f64,
}

impl SharedNegativesConfig {
    /// 64 words that count for five a pair, drawn by `count^0.75`.
    pub fn new(dim: usize) -> Self {
        Self {
            dim,
            samples: 64,
            negatives: 5.0,
            power: 0.75,
        }
    }

    /// The layer for a vocabulary with these counts, w being 0.
    ///
    /// # Errors
    /// If no word has a count, the power is not finite, no word is to be drawn, or there is no memory for the parameters.
    pub fn build<T: Element>(&self, counts: &[u64]) -> Result<SharedNegatives<T>> {
        if self.samples == 0 {
            let message = "the number of samples is 0; it must be at least 1";
            return Err(Error::other(NAME, message));
        }
        Ok(SharedNegatives {
            weight: start::zeros(NAME, [counts.len(), self.dim])?,
            noise: noise_table(counts, self.power)?,
            samples: self.samples,
            share: self.negatives / self.samples as f64,
        })
    }
}

#[compiled]
impl<T: Element> SharedNegatives<T> {
    /// The summed loss of `hidden: [B, D]` against `words: [C]`; bag b of `pairs` holds the places in `words` of the words that go
    /// with input b.
    ///
    /// # Errors
    /// If the shapes do not fit, a word is not below V, or a place not below C.
    pub fn forward(&self, hidden: &Tensor<T>, words: &Ids, pairs: &Bags) -> Result<Tensor<T>> {
        if words.shape().rank() != 1 {
            return Err(Error::shape(
                NAME,
                "the words",
                words.shape(),
                "they must have one axis",
            ));
        }
        let mut rng = step_rng();
        let drawn = (0..self.samples).map(|_| self.noise.draw(&mut rng));
        let noise = Ids::from_vec(drawn.collect(), [self.samples])?;
        let noise = look_up(NAME, &self.weight, &noise)?;
        // The loss is ln(1 + e^-x) for what goes together and ln(1 + e^x) for the rest.
        let told = sampled_matmul(hidden, &look_up(NAME, &self.weight, words)?, pairs)?
            .neg()
            .softplus()
            .sum();
        let pairs_of = pairs.offsets().windows(2).map(|bag| bag[1] - bag[0]);
        let factors: Vec<T> = pairs_of
            .map(|count| T::from_f64(self.share * count as f64))
            .collect();
        let apart = linear(hidden, &noise, None)?
            .softplus()
            .sum_axes(&[-1])?
            .mul(&Tensor::from(factors))?
            .sum();
        told.add(&apart)
    }
}
