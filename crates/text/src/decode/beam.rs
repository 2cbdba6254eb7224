//! Beam search.

use lexigrad_tensor::Tensor;

use crate::error::{Error, Result};

/// How [`beam_search`] looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BeamOptions {
    /// How many sequences are carried on from step to step; 1 is the greedy choice.
    pub width: usize,
    /// The most tokens in a sequence.
    pub longest: usize,
    /// The token before the first.
    pub start: u32,
    /// The token that ends a sequence.
    pub end: u32,
}

/// A sequence and how likely it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Hypothesis {
    /// Its tokens, without the start and the end.
    pub tokens: Vec<u32>,
    /// `Σ ln p` over its tokens, and its end if it has one.
    pub log_probability: f64,
    /// Whether it came to its end within the longest length.
    pub is_finished: bool,
}

/// The most likely sequences that a beam finds, `Σ ln p(tokenₜ | tokens before)`, the best first: at most `width` of them.
///
/// `step(tokens, state)` takes the last token of each of the k sequences carried on, with a state of k rows, and returns
/// `ln p: [k, V]` and the new state; `select(state, rows)` takes those rows of a state, some perhaps twice. It ends when `width`
/// sequences have ended that no other can overtake. Finished sequences come before unfinished ones.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// use lexigrad_text::decode::{BeamOptions, beam_search};
/// // After 0 comes 1 (0.6) or 2 (0.4); after 1 anything, after 2 the end, 3: the greedy choice is not the best.
/// let table = Tensor::new([[0.0, 0.6, 0.4, 0.0], [0.25, 0.25, 0.25, 0.25], [0.0, 0.0, 0.0, 1.0], [0.0; 4]]).ln();
/// let found = |width| {
///     let options = BeamOptions { width, longest: 5, start: 0, end: 3 };
///     let step = |tokens: &[u32], _: &()| Ok((table.index_select(0, &lexigrad_tensor::Ids::new(tokens.to_vec())?)?, ()));
///     beam_search(&options, (), step, |_, _| Ok(()))
/// };
/// assert_eq!(found(3)?[0].tokens, [2]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// # Errors
/// If the width is 0, or what the closures return.
///
/// Scores are not divided by length; a model that ends too early can be given a reward for each token within `step`.
#[track_caller]
pub fn beam_search<S>(
    options: &BeamOptions,
    state: S,
    mut step: impl FnMut(&[u32], &S) -> Result<(Tensor, S)>,
    select: impl Fn(&S, &[usize]) -> Result<S>,
) -> Result<Vec<Hypothesis>> {
    if options.width == 0 {
        return Err(Error::argument("beam search", "the width is 0"));
    }
    let mut live = vec![Hypothesis {
        tokens: Vec::new(),
        log_probability: 0.0,
        is_finished: false,
    }];
    let (mut finished, mut state): (Vec<Hypothesis>, S) = (Vec::new(), state);
    for length in 0..=options.longest {
        let last = |live: &Hypothesis| live.tokens.last().copied().unwrap_or(options.start);
        let tokens: Vec<u32> = live.iter().map(last).collect();
        let (scores, stepped) = step(&tokens, &state)?;
        let (mut next, mut rows) = (Vec::new(), Vec::new());
        for (row, token, log_probability) in best_of(&live, &scores, options.width) {
            let mut tokens = live[row].tokens.clone();
            if token == options.end {
                finished.push(Hypothesis {
                    tokens,
                    log_probability,
                    is_finished: true,
                });
            } else if next.len() < options.width {
                tokens.push(token);
                next.push(Hypothesis {
                    tokens,
                    log_probability,
                    is_finished: false,
                });
                rows.push(row);
            }
        }
        sort(&mut finished);
        finished.truncate(options.width);
        if length == options.longest {
            break;
        }
        live = next;
        // What is carried on only gets less likely.
        let best_live = live
            .first()
            .map_or(f64::NEG_INFINITY, |live| live.log_probability);
        let worst = finished.get(options.width - 1);
        if live.is_empty() || worst.is_some_and(|worst| worst.log_probability >= best_live) {
            live.clear();
            break;
        }
        state = select(&stepped, &rows)?;
    }
    sort(&mut live);
    finished.extend(live);
    finished.truncate(options.width);
    Ok(finished)
}

/// The best continuations of the live sequences, row and token and score, the best first: enough that `width` go on even if
/// every sequence ends. One that is impossible is none.
#[track_caller]
fn best_of(live: &[Hypothesis], scores: &Tensor, width: usize) -> Vec<(usize, u32, f64)> {
    let scores = scores.to_vec();
    let columns = scores.len() / live.len().max(1);
    let mut all: Vec<(usize, u32, f64)> = Vec::with_capacity(scores.len());
    for (row, (hypothesis, scores)) in live.iter().zip(scores.chunks(columns.max(1))).enumerate() {
        let score = |score: f32| hypothesis.log_probability + f64::from(score);
        all.extend((0..).zip(scores).map(|(token, &s)| (row, token, score(s))));
    }
    all.retain(|&(_, _, score)| score > f64::NEG_INFINITY);
    let order = |a: &(usize, u32, f64), b: &(usize, u32, f64)| b.2.total_cmp(&a.2);
    let kept = width.saturating_add(live.len()).min(all.len());
    if kept < all.len() {
        all.select_nth_unstable_by(kept, |a, b| {
            order(a, b).then_with(|| (a.0, a.1).cmp(&(b.0, b.1)))
        });
        all.truncate(kept);
    }
    all.sort_by(|a, b| order(a, b).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    all
}

fn sort(hypotheses: &mut [Hypothesis]) {
    hypotheses.sort_by(|a, b| b.log_probability.total_cmp(&a.log_probability));
}

#[cfg(test)]
mod tests {
    use lexigrad_tensor::Ids;
    use proptest::prelude::*;

    use super::*;

    const END: u32 = 3;

    fn search(table: &Tensor, width: usize, longest: usize) -> Vec<Hypothesis> {
        let options = BeamOptions {
            width,
            longest,
            start: 0,
            end: END,
        };
        // The state counts the steps of each row, to see that rows are selected.
        let step = |tokens: &[u32], lengths: &Vec<usize>| {
            assert_eq!(tokens.len(), lengths.len());
            let scores = table.index_select(0, &Ids::new(tokens.to_vec())?)?;
            Ok((scores, lengths.iter().map(|length| length + 1).collect()))
        };
        let select = |lengths: &Vec<usize>, rows: &[usize]| {
            Ok(rows.iter().map(|&row| lengths[row]).collect())
        };
        beam_search(&options, vec![0], step, select).unwrap()
    }

    /// Every sequence of at most `longest` tokens that ends.
    fn exhaustive(table: &[f32], longest: usize) -> Vec<Hypothesis> {
        let (mut open, mut finished) = (vec![(Vec::<u32>::new(), 0.0_f64)], Vec::new());
        for _ in 0..=longest {
            let mut next = Vec::new();
            for (tokens, score) in open {
                let last = tokens.last().copied().unwrap_or(0) as usize;
                for token in 0..=END {
                    let log_probability = score + f64::from(table[last * 4 + token as usize]);
                    let mut tokens = tokens.clone();
                    if token == END {
                        finished.push(Hypothesis {
                            tokens,
                            log_probability,
                            is_finished: true,
                        });
                    } else if tokens.len() < longest {
                        tokens.push(token);
                        next.push((tokens, log_probability));
                    }
                }
            }
            open = next;
        }
        sort(&mut finished);
        finished
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_wide_beam_finds_what_exhaustive_search_finds(
            logits in prop::collection::vec(-3.0f32..3.0, 16),
            longest in 1usize..4,
        ) {
            let table = Tensor::from_slice(&logits, [4, 4]).unwrap().log_softmax(-1).unwrap();
            let wanted = exhaustive(&table.to_vec(), longest);
            let mut found = search(&table, 100, longest);
            found.retain(|hypothesis| hypothesis.is_finished);
            prop_assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(&wanted) {
                prop_assert!((found.log_probability - wanted.log_probability).abs() < 1e-9);
            }
            let narrow = search(&table, 2, longest);
            let best = narrow.iter().find(|hypothesis| hypothesis.is_finished);
            prop_assert!(best.is_none_or(|best| best.log_probability <= wanted[0].log_probability + 1e-9));
        }
    }

    #[test]
    fn what_never_ends_is_cut() {
        let table = Tensor::new([[0.0, 1.0, 0.0, 0.0]; 4]).ln();
        let found = search(&table, 2, 3);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (&found[0].tokens[..], found[0].is_finished),
            (&[1, 1, 1][..], false)
        );
        let options = BeamOptions {
            width: 0,
            longest: 3,
            start: 0,
            end: END,
        };
        let none = beam_search(
            &options,
            (),
            |_, ()| Ok((table.clone(), ())),
            |(), _| Ok(()),
        );
        assert!(none.is_err());
    }
}
