//! The linear-chain conditional random field (Lafferty et al. 2001).

use lexigrad_macros::compiled;
use lexigrad_tensor::{Element, Error, Ids, Mask, Param, Result, Tensor};
use rand::Rng;

use crate::sequence::{check_input_lengths, without_padding};
use crate::start;

const NAME: &str = "linear_chain_crf";

/// `p(y | x) = e^score(y) / Σ e^score` over all taggings, `score(y) = start[y_0] + Σ_t x[t, y_t] + Σ_t transitions[y_t-1, y_t] + end[y_n]`,
/// for emissions `x: [B, L, K]` of sequences of any length.
///
/// Lengths say how long each sequence is; what stands beyond changes neither a result nor a gradient. A sequence of no element has one
/// tagging, of probability 1.
///
/// ```
/// use lexigrad_nn::LinearChainCrf;
/// use lexigrad_tensor::{Ids, Tensor};
/// use rand::{SeedableRng, rngs::StdRng};
/// let crf = LinearChainCrf::new(2, &mut StdRng::seed_from_u64(1));
/// let emissions = Tensor::new([[[0.0, 5.0], [5.0, 0.0], [0.0, 0.0]]]);
/// assert_eq!(crf.viterbi(&emissions, &[2])?[0].tags, [1, 0]);
/// let log_p = crf.log_likelihood(&emissions, &Ids::new([[1, 0, 0]])?, &[2])?;
/// assert!(log_p.item()? > -0.1);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: none; the parameters have the names of the package `pytorch-crf`.
#[derive(Clone, Debug, crate::Module)]
pub struct LinearChainCrf<T: Element = f32> {
    /// The score of a first tag: `[K]`.
    pub start_transitions: Param<T>,
    /// The score of a last tag: `[K]`.
    pub end_transitions: Param<T>,
    /// The score of a tag (row) before another (column): `[K, K]`.
    pub transitions: Param<T>,
}

/// The best tagging of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub struct Tagging<T: Element = f32> {
    /// A tag for each element.
    pub tags: Vec<u32>,
    /// Its score.
    pub score: T,
}

impl LinearChainCrf {
    /// A field over `tags` tags in `f32`, scores evenly drawn between ±0.1.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(tags: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        start::or_panic(Self::build(tags, rng))
    }
}

#[compiled]
impl<T: Element> LinearChainCrf<T> {
    /// A field over `tags` tags, scores evenly drawn between ±0.1.
    ///
    /// # Errors
    /// If there is no memory for the parameters.
    pub fn build(tags: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Self> {
        let mut draw = |shape: &[usize]| start::uniform_within(NAME, shape, 0.1, rng);
        Ok(Self {
            start_transitions: draw(&[tags])?,
            end_transitions: draw(&[tags])?,
            transitions: draw(&[tags, tags])?,
        })
    }

    /// `ln p(tags | emissions): [B]`, `emissions: [B, L, K]`, `tags: [B, L]`, one length for each sequence; its mean, negated, is the loss.
    ///
    /// # Errors
    /// If the shapes do not fit, a length is beyond L, or a tag is not below K.
    pub fn log_likelihood(
        &self,
        emissions: &Tensor<T>,
        tags: &Ids,
        lengths: &[usize],
    ) -> Result<Tensor<T>> {
        let [batch, length, count] = self.check(emissions, lengths)?;
        if *tags.shape() != [batch, length] {
            let rule = format!("they must be [{batch}, {length}]");
            return Err(Error::shape(NAME, "the tags", tags.shape(), rule));
        }
        tags.check_below(NAME, count, || format!("{count} tags"))?;
        let emissions = without_padding(emissions, lengths, true)?;
        self.score(&emissions, tags, lengths)?
            .sub(&self.log_partition(&emissions, lengths)?)
    }

    /// The score of each tagging, `[B]`.
    fn score(&self, emissions: &Tensor<T>, tags: &Ids, lengths: &[usize]) -> Result<Tensor<T>> {
        let (batch, length) = (tags.shape()[0], tags.shape()[1]);
        let count = emissions.shape()[2];
        let present = Mask::from_lengths(lengths, length);
        let each = tags.reshape([batch, length, 1])?;
        let emitted = emissions
            .gather(-1, &each)?
            .squeeze(-1)?
            .masked_fill(&present.not(), T::zero())?;
        let mut score = emitted.sum_axes(&[1])?;
        // A pair of neighbours is there if its second element is.
        if length > 1 {
            let rows = tags.as_slice().chunks_exact(length);
            let pairs =
                rows.flat_map(|row| row.windows(2).map(|pair| pair[0] * count as u32 + pair[1]));
            let pairs = Ids::from_vec(pairs.collect(), [batch * (length - 1)])?;
            let flat = self.transitions.value().reshape([count * count])?;
            let scores = flat.index_select(0, &pairs)?.reshape([batch, length - 1])?;
            let shorter: Vec<usize> = lengths
                .iter()
                .map(|length| length.saturating_sub(1))
                .collect();
            let absent = Mask::from_lengths(&shorter, length - 1).not();
            score = score.add(&scores.masked_fill(&absent, T::zero())?.sum_axes(&[1])?)?;
        }
        if length == 0 {
            return Ok(score);
        }
        let at = |row: usize, place: usize| tags.as_slice()[row * length + place];
        let first = (0..batch).map(|row| at(row, 0)).collect();
        let last = (0..batch)
            .map(|row| at(row, lengths[row].saturating_sub(1)))
            .collect();
        let ends = self
            .start_transitions
            .value()
            .index_select(0, &Ids::from_vec(first, [batch])?)?;
        let ends = ends.add(
            &self
                .end_transitions
                .value()
                .index_select(0, &Ids::from_vec(last, [batch])?)?,
        )?;
        let nothing = Mask::new(lengths.iter().map(|&length| length == 0).collect(), [batch])?;
        score.add(&ends.masked_fill(&nothing, T::zero())?)
    }

    /// `ln Σ e^score` over all taggings, `[B]`: the forward algorithm.
    fn log_partition(&self, emissions: &Tensor<T>, lengths: &[usize]) -> Result<Tensor<T>> {
        let (batch, length) = (emissions.shape()[0], emissions.shape()[1]);
        if length == 0 {
            return Tensor::try_zeros([batch]);
        }
        let places = emissions.split(&vec![1; length], 1)?;
        // By the tag that is moved to, so that what is summed over stands side by side.
        let transitions = self.transitions.value();
        let transitions = transitions.transpose(0, 1)?.reshape(transitions.shape())?;
        // For each tag the sum over the taggings that end with it.
        let mut sums = places[0].squeeze(1)?.add(&self.start_transitions.value())?;
        for (time, emission) in places.iter().enumerate().skip(1) {
            let next = sums.unsqueeze(1)?.add(&transitions)?.logsumexp(-1)?;
            let next = next.add(&emission.squeeze(1)?)?;
            let there = lengths.iter().map(|&length| time < length).collect();
            sums = next.where_mask(&Mask::new(there, [batch, 1])?, &sums)?;
        }
        let all = sums.add(&self.end_transitions.value())?;
        let nothing = Mask::new(lengths.iter().map(|&length| length == 0).collect(), [batch])?;
        all.logsumexp(-1)?.masked_fill(&nothing, T::zero())
    }

    /// The tagging of the highest score for each sequence of `emissions: [B, L, K]`; of equal ones that of the smallest tags, from the
    /// end.
    ///
    /// # Errors
    /// If the shapes do not fit or a length is beyond L.
    #[track_caller]
    pub fn viterbi(&self, emissions: &Tensor<T>, lengths: &[usize]) -> Result<Vec<Tagging<T>>> {
        let [_, length, count] = self.check(emissions, lengths)?;
        let emissions = emissions.detach();
        let (emissions, transitions) = (emissions.values(), self.transitions.value().to_vec());
        let starts = self.start_transitions.value().to_vec();
        let ends = self.end_transitions.value().to_vec();
        let path = Path {
            starts: &starts,
            ends: &ends,
            transitions: &transitions,
        };
        let rows = lengths.iter().enumerate();
        let rows = rows
            .map(|(row, &own)| path.best(&emissions[row * length * count..][..own * count], count));
        Ok(rows.collect())
    }

    /// Checks the emissions, and gives their sizes.
    fn check(&self, emissions: &Tensor<T>, lengths: &[usize]) -> Result<[usize; 3]> {
        let count = self.start_transitions.shape().elements();
        match emissions.shape()[..] {
            [batch, length, tags] if tags == count && count > 0 => {
                check_input_lengths(NAME, lengths, batch, length)?;
                Ok([batch, length, count])
            }
            _ => {
                let rule = format!("they must be [batch, length, {count}]");
                Err(Error::shape(NAME, "the emissions", emissions.shape(), rule))
            }
        }
    }
}

/// The scores by which the best way through the tags is found.
struct Path<'a, T> {
    starts: &'a [T],
    ends: &'a [T],
    transitions: &'a [T],
}

impl<T: Element> Path<'_, T> {
    /// The best tagging of one sequence, `emissions: [length, count]`: the Viterbi algorithm.
    fn best(&self, emissions: &[T], count: usize) -> Tagging<T> {
        let mut rows = emissions.chunks_exact(count);
        let Some(first) = rows.next() else {
            return Tagging {
                tags: Vec::new(),
                score: T::zero(),
            };
        };
        let mut scores: Vec<T> = first
            .iter()
            .zip(self.starts)
            .map(|(&x, &start)| x + start)
            .collect();
        // For each element but the first, and each of its tags, the best tag before it.
        let mut before: Vec<Vec<u32>> = Vec::new();
        for row in rows {
            let into = |tag: usize| {
                highest((0..count).map(|from| scores[from] + self.transitions[from * count + tag]))
            };
            let best: Vec<(u32, T)> = (0..count).map(into).collect();
            before.push(best.iter().map(|(from, _)| *from).collect());
            scores = best
                .iter()
                .zip(row)
                .map(|((_, score), &x)| *score + x)
                .collect();
        }
        let (mut tag, score) = highest(
            scores
                .iter()
                .zip(self.ends)
                .map(|(&score, &end)| score + end),
        );
        let mut tags = vec![tag];
        for from in before.iter().rev() {
            tag = from[tag as usize];
            tags.push(tag);
        }
        tags.reverse();
        Tagging { tags, score }
    }
}

/// The place of the highest score, the first of equal ones, and the score.
fn highest<T: Element>(scores: impl Iterator<Item = T>) -> (u32, T) {
    let mut best = (0, T::neg_infinity());
    for (place, score) in (0..).zip(scores) {
        if score > best.1 || place == 0 {
            best = (place, score);
        }
    }
    best
}
