//! Adaptive softmax (Grave et al. 2017).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Error, Ids, Reduction, Result, Tensor, cat, gather_rows, segment_sum,
};
use rand::Rng;

use super::check_batch;
use crate::loss::reduce;
use crate::{Linear, LinearConfig};

const NAME: &str = "adaptive_softmax";

/// `ln p(t | h)` in two steps: a softmax over the frequent classes and one entry for each cluster of rare ones, then one within the
/// cluster, on a projection of h that is smaller the rarer the cluster; `h: [B, D]`, `t: [B]`.
///
/// Ids must be sorted by falling frequency. A step computes the clusters of the batch's targets alone, each on its own targets'
/// inputs.
///
/// ```
/// use lexigrad_nn::{AdaptiveSoftmax, AdaptiveSoftmaxConfig};
/// use lexigrad_tensor::{Ids, Tensor};
/// use rand::{SeedableRng, rngs::StdRng};
/// let head: AdaptiveSoftmax = AdaptiveSoftmaxConfig::new(16, 1000, [20, 200]).build(&mut StdRng::seed_from_u64(1))?;
/// let hidden = Tensor::ones([2, 16]);
/// let loss = head.forward(&hidden, &Ids::new([3, 700])?)?;
/// assert!(loss.item()? > 0.0);
/// assert_eq!(*head.log_probabilities(&hidden)?.shape(), [2, 1000]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.AdaptiveLogSoftmaxWithLoss`, with the same names, layout and initial distribution of the parameters; `forward` is its
/// `.loss`, [`target_log_probabilities`](Self::target_log_probabilities) its `.output`.
#[derive(Clone, Debug, crate::Module)]
pub struct AdaptiveSoftmax<T: Element = f32> {
    /// `[shortlist + clusters, D]`
    pub head: Linear<T>,
    /// For each cluster the projection `[D / div^i, D]` and the classes `[size, D / div^i]`.
    pub tail: Vec<[Linear<T>; 2]>,
    /// Where each part begins, and the number of classes.
    #[module(skip)]
    borders: Vec<usize>,
}

/// The sizes and options of an [`AdaptiveSoftmax`], with PyTorch's names and defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct AdaptiveSoftmaxConfig {
    /// D, the size of an input.
    pub in_features: usize,
    /// V, the number of classes.
    pub n_classes: usize,
    /// The class with which each cluster begins, ascending.
    pub cutoffs: Vec<usize>,
    /// By how much the projection shrinks from cluster to cluster.
    pub div_value: f64,
    /// Whether the first softmax has a bias.
    pub head_bias: bool,
}

impl AdaptiveSoftmaxConfig {
    /// Clusters that begin at these classes, each on a quarter of the size before it, without a bias.
    pub fn new(in_features: usize, n_classes: usize, cutoffs: impl Into<Vec<usize>>) -> Self {
        let cutoffs = cutoffs.into();
        Self {
            in_features,
            n_classes,
            cutoffs,
            div_value: 4.0,
            head_bias: false,
        }
    }

    /// The layer, with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If the cutoffs are none, do not ascend, or do not lie between 1 and V - 1; if `div_value` is below 1; if there is no
    /// memory for the parameters.
    pub fn build<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<AdaptiveSoftmax<T>> {
        let mut borders = vec![0];
        borders.extend(&self.cutoffs);
        borders.push(self.n_classes);
        if self.cutoffs.is_empty() || borders.windows(2).any(|pair| pair[0] >= pair[1]) {
            let message = format!(
                "the cutoffs {:?} must ascend between 1 and {}",
                self.cutoffs, self.n_classes
            );
            return Err(Error::other(NAME, message));
        }
        if self.div_value.is_nan() || self.div_value < 1.0 {
            return Err(Error::value(
                NAME,
                "div_value",
                self.div_value,
                "at least 1",
            ));
        }
        let linear = |inputs, outputs, bias, rng: &mut _| {
            LinearConfig {
                bias,
                ..LinearConfig::new(inputs, outputs)
            }
            .build(rng)
        };
        let (size, clusters) = (self.in_features, self.cutoffs.len());
        let head = linear(size, self.cutoffs[0] + clusters, self.head_bias, &mut *rng)?;
        let mut tail = Vec::with_capacity(clusters);
        for (index, cluster) in borders[1..].windows(2).enumerate() {
            let inner = (size as f64 / self.div_value.powi(index as i32 + 1)) as usize;
            let projection = linear(size, inner, false, &mut *rng)?;
            tail.push([
                projection,
                linear(inner, cluster[1] - cluster[0], false, &mut *rng)?,
            ]);
        }
        Ok(AdaptiveSoftmax {
            head,
            tail,
            borders,
        })
    }
}

#[compiled]
impl<T: Element> AdaptiveSoftmax<T> {
    /// The mean of `-ln p(t | h)`, `hidden: [B, D]`, `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is no class.
    pub fn forward(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let losses = self.target_log_probabilities(hidden, targets)?.neg();
        Ok(reduce(losses, Reduction::Mean))
    }

    /// `ln p(t | h): [B]`, `hidden: [B, D]`, `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is no class.
    pub fn target_log_probabilities(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let (shortlist, classes) = (self.borders[1], self.borders[self.borders.len() - 1]);
        let dim = self.head.weight.shape()[1];
        let batch = check_batch(NAME, hidden, targets, dim, classes)?;
        // Of a frequent class its own entry, of a rare one that of its cluster.
        let entry = |&target: &u32| match self.cluster(target) {
            None => target,
            Some(cluster) => (shortlist + cluster) as u32,
        };
        let entries = Ids::from_vec(targets.as_slice().iter().map(entry).collect(), [batch, 1])?;
        let mut sum = self
            .head
            .forward(hidden)?
            .log_softmax(-1)?
            .gather(-1, &entries)?
            .squeeze(-1)?;
        for (cluster, [projection, classes]) in self.tail.iter().enumerate() {
            let start = self.borders[cluster + 1] as u32;
            let members = targets.as_slice().iter().zip(0_u32..);
            let members = members.filter(|(target, _)| self.cluster(**target) == Some(cluster));
            let (own, rows): (Vec<u32>, Vec<u32>) =
                members.map(|(target, row)| (target - start, row)).unzip();
            if rows.is_empty() {
                continue;
            }
            let count = rows.len();
            let (own, rows) = (
                Ids::from_vec(own, [count, 1])?,
                Ids::from_vec(rows, [count])?,
            );
            let inputs = projection.forward(&gather_rows(hidden, &rows)?)?;
            let within = classes
                .forward(&inputs)?
                .log_softmax(-1)?
                .gather(-1, &own)?
                .squeeze(-1)?;
            sum = sum.add(&segment_sum(&within, &rows, batch)?)?;
        }
        Ok(sum)
    }

    /// `ln p(c | h): [B, V]` of every class, `hidden: [B, D]`; it costs O(V).
    ///
    /// # Errors
    /// If the shape does not fit.
    ///
    /// PyTorch: `log_prob`; the most likely class is its [`argmax`](Tensor::argmax).
    pub fn log_probabilities(&self, hidden: &Tensor<T>) -> Result<Tensor<T>> {
        let shortlist = self.borders[1];
        let head = self.head.forward(hidden)?.log_softmax(-1)?;
        let mut parts = vec![head.narrow(-1, 0, shortlist)?];
        for (cluster, [projection, classes]) in self.tail.iter().enumerate() {
            let within = classes
                .forward(&projection.forward(hidden)?)?
                .log_softmax(-1)?;
            parts.push(within.add(&head.narrow(-1, shortlist + cluster, 1)?)?);
        }
        cat(&parts.iter().collect::<Vec<_>>(), -1)
    }

    /// The cluster of a class, none for a frequent one.
    fn cluster(&self, class: u32) -> Option<usize> {
        let begun = self.borders[1..]
            .iter()
            .filter(|&&border| border <= class as usize);
        begun.count().checked_sub(1)
    }
}
