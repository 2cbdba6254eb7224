//! Hierarchical softmax over a Huffman tree (Morin and Bengio 2005, Mikolov et al. 2013).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Error, Ids, Param, Reduction, Result, Tensor, gather_rows, segment_sum,
};

use super::{check_batch, look_up};
use crate::loss::reduce;
use crate::start;

const NAME: &str = "hierarchical_softmax";

/// `ln p(t | h) = Σ ln σ(s h · w[n])` over the inner nodes n on the way from the root to t, `s = ±1` for left and right,
/// `h: [B, D]`, `t: [B]`, `w: [V - 1, D]`.
///
/// The tree is Huffman's, so that frequent classes are near the root. The probabilities of all classes add up to 1 by construction. A
/// step costs O(B D ln V) at most, and the gradient of w is row-sparse. w starts at 0: each class of a full tree is as likely.
///
/// ```
/// use lexigrad_nn::HierarchicalSoftmax;
/// use lexigrad_tensor::{Ids, Tensor};
/// let head: HierarchicalSoftmax = HierarchicalSoftmax::new(3, &[10, 10, 10, 10])?;
/// let log_p = head.log_probabilities(&Tensor::ones([2, 3]), &Ids::new([0, 3])?)?;
/// assert!(log_p.to_vec().iter().all(|log_p| (log_p - 0.25_f32.ln()).abs() < 1e-6));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: none; word2vec's `-hs 1`.
#[derive(Clone, Debug, crate::Module)]
pub struct HierarchicalSoftmax<T: Element = f32> {
    /// w: `[V - 1, D]`, one row for each inner node.
    pub weight: Param<T>,
    #[module(skip)]
    tree: Tree,
}

/// The way to each class: `steps[offsets[c] .. offsets[c + 1]]`, an inner node and whether it goes left there.
#[derive(Clone, Debug)]
struct Tree {
    steps: Vec<(u32, bool)>,
    offsets: Vec<usize>,
}

impl Tree {
    /// Huffman's tree: the two rarest become one, until one is left. Equal counts are taken in the order of their numbers, so that the
    /// tree is always the same.
    fn new(counts: &[u64]) -> Self {
        let classes = counts.len();
        let mut parents = vec![(0, false); 2 * classes - 1];
        let mut heap: BinaryHeap<Reverse<(u64, usize)>> =
            counts.iter().copied().zip(0..).map(Reverse).collect();
        let mut node = classes;
        while let (Some(Reverse((left_count, left))), Some(Reverse((right_count, right)))) =
            (heap.pop(), heap.pop())
        {
            parents[left] = (node, true);
            parents[right] = (node, false);
            heap.push(Reverse((left_count.saturating_add(right_count), node)));
            node += 1;
            if node == 2 * classes - 1 {
                break;
            }
        }
        let root = 2 * classes - 2;
        let (mut steps, mut offsets) = (Vec::new(), vec![0]);
        for class in 0..classes {
            let start = steps.len();
            let mut place = class;
            while place != root {
                let (parent, left) = parents[place];
                steps.push(((parent - classes) as u32, left));
                place = parent;
            }
            steps[start..].reverse();
            offsets.push(steps.len());
        }
        Self { steps, offsets }
    }

    fn path(&self, class: u32) -> &[(u32, bool)] {
        &self.steps[self.offsets[class as usize]..self.offsets[class as usize + 1]]
    }
}

#[compiled]
impl<T: Element> HierarchicalSoftmax<T> {
    /// The layer for inputs of `dim` numbers and classes with these counts, w being 0.
    ///
    /// # Errors
    /// If there are fewer than two classes, or there is no memory for the parameters.
    pub fn new(dim: usize, counts: &[u64]) -> Result<Self> {
        if counts.len() < 2 {
            return Err(Error::value(
                NAME,
                "the number of classes",
                counts.len() as f64,
                "at least 2",
            ));
        }
        Ok(Self {
            weight: start::zeros(NAME, [counts.len() - 1, dim])?,
            tree: Tree::new(counts),
        })
    }

    /// The mean of `-ln p(t | h)`, `hidden: [B, D]`, `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is no class.
    pub fn forward(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let losses = self.log_probabilities(hidden, targets)?.neg();
        Ok(reduce(losses, Reduction::Mean))
    }

    /// `ln p(t | h): [B]`, `hidden: [B, D]`, `targets: [B]`.
    ///
    /// # Errors
    /// If the shapes do not fit or a target is no class.
    pub fn log_probabilities(&self, hidden: &Tensor<T>, targets: &Ids) -> Result<Tensor<T>> {
        let (dim, classes) = (self.weight.shape()[1], self.tree.offsets.len() - 1);
        let batch = check_batch(NAME, hidden, targets, dim, classes)?;
        let (mut nodes, mut owners, mut signs) = (Vec::new(), Vec::new(), Vec::new());
        for (&target, owner) in targets.as_slice().iter().zip(0_u32..) {
            for &(node, left) in self.tree.path(target) {
                nodes.push(node);
                owners.push(owner);
                signs.push(if left { T::one() } else { -T::one() });
            }
        }
        let count = nodes.len();
        let (nodes, owners) = (
            Ids::from_vec(nodes, [count])?,
            Ids::from_vec(owners, [count])?,
        );
        let rows = look_up(NAME, &self.weight, &nodes)?;
        let scores = rows.mul(&gather_rows(hidden, &owners)?)?.sum_axes(&[-1])?;
        segment_sum(
            &scores.mul(&Tensor::from(signs))?.log_sigmoid(),
            &owners,
            batch,
        )
    }
}
