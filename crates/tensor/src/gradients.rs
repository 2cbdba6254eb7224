//! What a backward pass returns: the gradient of each parameter and each watched tensor.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use lexigrad_kernels::elementwise;
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::grad::Grad;
use crate::leaf::Leaf;
use crate::module::Module;
use crate::param::Param;
use crate::shape::Shape;
use crate::tape::{Accumulator, MissingGradient, MissingReason, Paths};
use crate::tensor::Tensor;

/// The gradients of one backward pass, or of several merged: by parameter and by watched tensor.
///
/// It is a value of its own. Nothing has to be zeroed before the next step.
///
/// ```
/// use lexigrad_tensor::{Param, Tape, Tensor};
/// let weight: Param = Param::new(Tensor::new([1.0, 2.0]));
/// let tape = Tape::new();
/// let loss = weight.value().square().sum();
/// let grads = tape.backward(&loss)?;
/// assert_eq!(grads.dense(&weight)?.map(|g| g.to_vec()), Some(vec![2.0, 4.0]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Gradients<T: Element = f32> {
    /// Each leaf once, in ascending order.
    by_leaf: Vec<(Leaf, Grad<T>)>,
    /// Known if the tape recorded cuts.
    paths: Option<Arc<Paths>>,
    /// Whether all were seen to be finite, and none has changed since.
    are_finite: bool,
}

#[compiled]
impl<T: Element> Gradients<T> {
    /// The gradients of leaves, each of which stands there once.
    pub(crate) fn of_leaves(mut by_leaf: Vec<(Leaf, Grad<T>)>) -> Self {
        by_leaf.sort_unstable_by_key(|&(leaf, _)| leaf);
        Self {
            by_leaf,
            ..Self::default()
        }
    }

    #[inline]
    pub(crate) fn set_paths(&mut self, paths: Option<Paths>) {
        self.paths = paths.map(Arc::new);
    }

    #[inline]
    pub(crate) fn set_finite(&mut self, are_finite: bool) {
        self.are_finite = are_finite;
    }

    /// Whether every number is known to be finite: the tape that made them [looked](crate::Tape::inspect_gradients), and nothing has
    /// changed them since.
    #[inline]
    pub fn are_known_to_be_finite(&self) -> bool {
        self.are_finite
    }

    #[inline]
    pub(crate) fn leaf(&self, leaf: Leaf) -> Option<&Grad<T>> {
        let place = self.by_leaf.binary_search_by_key(&leaf, |&(leaf, _)| leaf);
        Some(&self.by_leaf[place.ok()?].1)
    }

    /// The gradient of a parameter; `None` if the loss does not depend on it, or it is frozen.
    pub fn get(&self, param: &Param<T>) -> Option<&Grad<T>> {
        self.leaf(Leaf::Param(param.id()))
    }

    /// The gradient of a tensor that [`Tape::watch`](crate::Tape::watch) returned.
    pub fn of(&self, watched: &Tensor<T>) -> Option<&Grad<T>> {
        self.leaf(Leaf::Watched(watched.node()?))
    }

    /// The gradient of a parameter with every entry; `None` as for [`get`](Self::get).
    ///
    /// # Errors
    /// None on a gradient that a tape made.
    pub fn dense(&self, param: &Param<T>) -> Result<Option<Tensor<T>>> {
        self.get(param).map(Grad::to_dense).transpose()
    }

    /// The number of gradients.
    #[inline]
    pub fn len(&self) -> usize {
        self.by_leaf.len()
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.by_leaf.is_empty()
    }

    /// The gradients, parameters first, in the order the parameters were made.
    pub fn iter(&self) -> impl Iterator<Item = &Grad<T>> {
        self.by_leaf.iter().map(|(_, gradient)| gradient)
    }

    /// Adds the gradients of another pass: what both have is added up, the rest is taken over.
    ///
    /// Sparse gradients stay sparse. PyTorch: a second `backward` without `zero_grad`.
    ///
    /// # Errors
    /// If a leaf's gradients differ in shape.
    pub fn merge(&mut self, other: Self) -> Result<()> {
        self.merge_all(vec![other])
    }

    /// [`merge`](Self::merge) of many, in their order; each row-sparse entry is copied once, however many there are.
    pub(crate) fn merge_all(&mut self, others: Vec<Self>) -> Result<()> {
        let own = std::iter::once(&*self);
        let mut shapes: BTreeMap<Leaf, Shape> = BTreeMap::new();
        for (leaf, gradient) in own.chain(&others).flat_map(|one| &one.by_leaf) {
            let first = shapes.entry(*leaf).or_insert_with(|| gradient.shape());
            if *first != gradient.shape() {
                let rule = format!("the other gradient has shape {}", gradient.shape());
                return Err(Error::shape("merge", "a gradient", first, rule));
            }
        }
        let own = std::mem::take(&mut self.by_leaf);
        let others = others.into_iter().flat_map(|other| other.by_leaf);
        let mut sums: BTreeMap<Leaf, Accumulator<T>> = BTreeMap::new();
        for (leaf, gradient) in own.into_iter().chain(others) {
            match sums.entry(leaf) {
                Entry::Vacant(place) => {
                    place.insert(gradient.into());
                }
                Entry::Occupied(mut sum) => sum.get_mut().add(gradient),
            }
        }
        self.are_finite = false;
        let finished = sums.into_iter().map(|(leaf, sum)| (leaf, sum.finish()));
        self.by_leaf = finished.collect();
        Ok(())
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale(&mut self, factor: T) {
        self.map_in_place(|x| x * factor);
    }

    /// Applies `change` to every stored entry.
    ///
    /// On a row-sparse gradient that is not coalesced these are parts of a sum: unless `change` is linear, coalesce first.
    pub fn map_in_place(&mut self, change: impl Fn(T) -> T + Sync + Copy) {
        self.are_finite = false;
        for (_, gradient) in &mut self.by_leaf {
            let stored = match gradient {
                Grad::Dense(tensor) => tensor,
                Grad::RowSparse(sparse) => sparse.values_tensor_mut(),
            };
            elementwise::map_in_place(stored.values_mut(), change);
        }
    }

    /// Coalesces every row-sparse gradient.
    pub fn coalesce(&mut self) {
        for (_, gradient) in &mut self.by_leaf {
            *gradient = gradient.coalesce();
        }
    }

    /// The parameters of `model` that want a gradient and got none, by path in declaration order; with the reason if the tape was
    /// asked to [record cuts](crate::Tape::record_cuts).
    ///
    /// ```
    /// use lexigrad_tensor::{Param, Tape, Tensor};
    /// let used: Param = Param::new(Tensor::new([1.0]));
    /// let unused: Param = Param::new(Tensor::new([1.0]));
    /// let tape = Tape::new();
    /// let grads = tape.backward(&used.value().sum())?;
    /// assert_eq!(grads.missing(&vec![used, unused])[0].path, "1");
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    pub fn missing(&self, model: &impl Module<T>) -> Vec<MissingGradient> {
        let named = model.named_parameters().into_iter();
        named
            .filter(|(_, param)| param.requires_grad() && self.get(param).is_none())
            .map(|(path, param)| {
                let paths = self.paths.as_ref();
                let reason =
                    paths.map_or(MissingReason::NotTraced, |paths| paths.reason(param.id()));
                MissingGradient { path, reason }
            })
            .collect()
    }
}

impl<T: Element> Default for Gradients<T> {
    fn default() -> Self {
        Self {
            by_leaf: Vec::new(),
            paths: None,
            are_finite: false,
        }
    }
}

/// Gradients that were worked out by hand, or read from elsewhere.
///
/// ```
/// use lexigrad_tensor::{Grad, Gradients, Param, Tensor};
/// let weight: Param = Param::new(Tensor::new([1.0, 2.0]));
/// let grads: Gradients = [(&weight, Grad::Dense(Tensor::new([0.5, 0.5])))].into_iter().collect();
/// assert!(grads.get(&weight).is_some());
/// ```
impl<'a, T: Element> FromIterator<(&'a Param<T>, Grad<T>)> for Gradients<T> {
    fn from_iter<I: IntoIterator<Item = (&'a Param<T>, Grad<T>)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter();
        let by_leaf = pairs.map(|(param, gradient)| (Leaf::Param(param.id()), gradient));
        Self {
            by_leaf: by_leaf.collect::<BTreeMap<_, _>>().into_iter().collect(),
            ..Self::default()
        }
    }
}
