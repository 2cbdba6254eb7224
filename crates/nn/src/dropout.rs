//! Dropout: of single numbers, of features for all of time, of words.

use std::collections::HashMap;

use lexigrad_tensor::{
    Element, Error, Ids, Module, Result, Shape, Tensor, Visitor, dropout, is_training,
};

use crate::Layer;

pub(crate) fn check_probability(operation: &str, name: &'static str, p: f64) -> Result<()> {
    if (0.0..=1.0).contains(&p) {
        return Ok(());
    }
    Err(Error::value(operation, name, p, "between 0 and 1"))
}

/// `y = x m / (1 - p)`, m being 0 with probability p and else 1, under a training tape; `y = x` otherwise.
///
/// ```
/// use lexigrad_nn::Dropout;
/// use lexigrad_tensor::{Tape, Tensor};
/// let dropout = Dropout::new(0.5)?;
/// let x: Tensor = Tensor::ones([4]);
/// assert_eq!(dropout.forward(&x)?.to_vec(), [1.0; 4]); // no tape: off
/// let tape = Tape::new();
/// let y = dropout.forward(&x)?;
/// assert!(y.to_vec().iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.Dropout`; there is no `train()` or `eval()`, the tape decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    p: f64,
}

impl Dropout {
    /// Dropout with probability `p`.
    ///
    /// # Errors
    /// If `p` is not between 0 and 1.
    pub fn new(p: f64) -> Result<Self> {
        check_probability("dropout", "p", p)?;
        Ok(Self { p })
    }

    /// The probability that a number is dropped.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// x, some of it dropped in training.
    ///
    /// # Errors
    /// If x belongs to a tape that is alive on another thread.
    pub fn forward<T: Element>(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        dropout(x, self.p)
    }
}

impl<T: Element> Module<T> for Dropout {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}

impl<T: Element> Layer<T> for Dropout {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}

/// `y = x m / (1 - p)` like [`Dropout`], with one m for all places of an axis: a feature is dropped at every time or at none.
///
/// ```
/// use lexigrad_nn::LockedDropout;
/// use lexigrad_tensor::{Tape, Tensor};
/// let x: Tensor = Tensor::ones([2, 7, 4]);
/// let tape = Tape::new();
/// let y = LockedDropout::new(0.5, 1)?.forward(&x)?;
/// assert_eq!(y.narrow(1, 0, 1)?.to_vec(), y.narrow(1, 6, 1)?.to_vec());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// Gal and Ghahramani 2016; Merity et al. 2017. PyTorch: `nn.Dropout1d` for `x: [B, D, L]`, where time stands last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LockedDropout {
    p: f64,
    axis: isize,
}

impl LockedDropout {
    /// Dropout with probability `p`, the same for all of time, which is `axis`: 1 in `[B, L, D]`.
    ///
    /// # Errors
    /// If `p` is not between 0 and 1.
    pub fn new(p: f64, axis: isize) -> Result<Self> {
        Dropout::new(p)?;
        Ok(Self { p, axis })
    }

    /// x, some features of it dropped in training.
    ///
    /// # Errors
    /// If x has no such axis.
    pub fn forward<T: Element>(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        let axis = x.shape().axis("locked_dropout", self.axis)?;
        if !is_training() {
            return Ok(x.clone());
        }
        let sizes = x.shape().iter().enumerate();
        let shape: Shape = sizes
            .map(|(index, &size)| if index == axis { 1 } else { size })
            .collect();
        x.mul(&dropout(&Tensor::try_full(shape, T::one())?, self.p)?)
    }
}

impl<T: Element> Module<T> for LockedDropout {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}

impl<T: Element> Layer<T> for LockedDropout {
    fn forward(&self, x: &Tensor<T>) -> Result<Tensor<T>> {
        self.forward(x)
    }
}

/// `y[i..] = x[i..] m[ids[i..]] / (1 - p)`, `x: [.., D]`, `ids: [..]`, m being 0 with probability p and else 1 for each id: under
/// a training tape a word is dropped wherever it stands, or nowhere.
///
/// It costs what the ids cost, whatever the size of the vocabulary.
///
/// ```
/// use lexigrad_nn::WordDropout;
/// use lexigrad_tensor::{Ids, Tape, Tensor};
/// let ids = Ids::new([[7, 3, 7]])?;
/// let x: Tensor = Tensor::ones([1, 3, 2]);
/// let tape = Tape::new();
/// let y = WordDropout::new(0.5)?.forward(&x, &ids)?.to_vec();
/// assert!((y[0] == 0.0 || y[0] == 2.0) && y[0..2] == y[4..6]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// Gal and Ghahramani 2016, where it is the dropout of an embedding; PyTorch has no such module.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordDropout {
    p: f64,
}

impl WordDropout {
    /// Dropout of words with probability `p`.
    ///
    /// # Errors
    /// If `p` is not between 0 and 1.
    pub fn new(p: f64) -> Result<Self> {
        Dropout::new(p)?;
        Ok(Self { p })
    }

    /// The vectors x of the words `ids`, those of some words dropped in training.
    ///
    /// # Errors
    /// If x is not `[.., D]` with the shape of the ids before.
    pub fn forward<T: Element>(&self, x: &Tensor<T>, ids: &Ids) -> Result<Tensor<T>> {
        if x.rank() == 0 || x.shape()[..x.rank() - 1] != ids.shape()[..] {
            let rule = format!("it must be {} and an axis of features", ids.shape());
            return Err(Error::shape("word_dropout", "the input", x.shape(), rule));
        }
        if !is_training() {
            return Ok(x.clone());
        }
        let mut words = HashMap::new();
        let mut number = |id: &u32| {
            let next = words.len() as u32;
            *words.entry(*id).or_insert(next)
        };
        let numbers: Vec<u32> = ids.as_slice().iter().map(&mut number).collect();
        let kept = dropout(&Tensor::try_full([words.len()], T::one())?, self.p)?;
        let kept = kept.index_select(0, &Ids::new(numbers)?)?;
        x.mul(&kept.reshape(ids.shape())?.unsqueeze(-1)?)
    }
}

impl<T: Element> Module<T> for WordDropout {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}
