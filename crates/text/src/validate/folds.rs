//! Examples in k parts, each held out once.

use rand::Rng;
use rand::seq::SliceRandom;

use crate::error::{Error, Result};

/// The indices of one part and of all others, each in rising order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// What to train on.
    pub train: Vec<usize>,
    /// What to judge by.
    pub held_out: Vec<usize>,
}

/// `0..count` cut at random into `k` parts whose sizes differ by at most one.
///
/// ```
/// use rand::{SeedableRng, rngs::StdRng};
/// let folds = lexigrad_text::validate::folds(7, 3, &mut StdRng::seed_from_u64(1))?;
/// assert_eq!(folds.iter().map(|fold| fold.held_out.len()).collect::<Vec<_>>(), [3, 2, 2]);
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// # Errors
/// If `k` is below 2 or above `count`.
///
/// scikit-learn: `KFold(shuffle=True)`.
pub fn folds(count: usize, k: usize, rng: &mut (impl Rng + ?Sized)) -> Result<Vec<Fold>> {
    let mut order: Vec<usize> = (0..count).collect();
    order.shuffle(rng);
    deal(&order, k)
}

/// As [`folds`], with each label's examples spread evenly over the parts.
///
/// ```
/// use rand::{SeedableRng, rngs::StdRng};
/// let labels = [0, 0, 0, 0, 1, 1];
/// for fold in lexigrad_text::validate::stratified_folds(&labels, 2, &mut StdRng::seed_from_u64(1))? {
///     assert_eq!(fold.held_out.iter().filter(|&&i| labels[i] == 1).count(), 1);
/// }
/// # Ok::<(), lexigrad_text::Error>(())
/// ```
///
/// # Errors
/// If `k` is below 2 or above the number of labels.
///
/// scikit-learn: `StratifiedKFold(shuffle=True)`.
pub fn stratified_folds(
    labels: &[u32],
    k: usize,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Vec<Fold>> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.shuffle(rng);
    order.sort_by_key(|&index| labels[index]);
    deal(&order, k)
}

/// Gives out the indices in turn.
fn deal(order: &[usize], k: usize) -> Result<Vec<Fold>> {
    if k < 2 || k > order.len() {
        let reason = format!(
            "{k} folds of {} examples; at least 2, and an example each",
            order.len()
        );
        return Err(Error::argument("folds", reason));
    }
    let part = |keep: &dyn Fn(usize) -> bool| {
        let dealt = order.iter().enumerate();
        let mut part: Vec<usize> = dealt
            .filter(|(turn, _)| keep(turn % k))
            .map(|(_, &i)| i)
            .collect();
        part.sort_unstable();
        part
    };
    let fold = |held_out| Fold {
        train: part(&|turn| turn != held_out),
        held_out: part(&|turn| turn == held_out),
    };
    Ok((0..k).map(fold).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    proptest! {
        #[test]
        fn every_example_is_held_out_once(labels in prop::collection::vec(0u32..3, 2..60), k in 2usize..9, seed: u64) {
            let mut rng = StdRng::seed_from_u64(seed);
            for result in [folds(labels.len(), k, &mut rng), stratified_folds(&labels, k, &mut rng)] {
                let Ok(folds) = result else {
                    prop_assert!(k > labels.len());
                    continue;
                };
                let mut held_out: Vec<usize> = folds.iter().flat_map(|fold| fold.held_out.clone()).collect();
                held_out.sort_unstable();
                prop_assert!(held_out.into_iter().eq(0..labels.len()));
                for fold in &folds {
                    let mut all = [&fold.train[..], &fold.held_out].concat();
                    all.sort_unstable();
                    prop_assert!(all.into_iter().eq(0..labels.len()));
                }
            }
        }
    }

    #[test]
    fn too_many_folds_are_refused() {
        let message = folds(3, 4, &mut StdRng::seed_from_u64(1))
            .unwrap_err()
            .to_string();
        assert_eq!(
            message,
            "folds: 4 folds of 3 examples; at least 2, and an example each"
        );
        assert!(folds(3, 1, &mut StdRng::seed_from_u64(1)).is_err());
    }
}
