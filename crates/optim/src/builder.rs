//! An optimizer of groups of parameters, each with options of its own.

use std::collections::HashSet;
use std::marker::PhantomData;

use lexigrad_tensor::{Element, Error, Module, Param, Result};

use crate::optimizer::{Group, Optimizer};
use crate::rule::Rule;
use crate::slot::Slot;

/// What a row-sparse gradient does to the rows that it does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SparseMode {
    /// Nothing: momentum, decay and moments of a row stand still until it is touched.
    #[default]
    Lazy,
    /// What a dense gradient with zeros there does: rows move by their momentum and decay, as in the dense step, but not before they
    /// are looked up, saved, read or moved.
    ///
    /// Each read and change of the [`Param`](lexigrad_tensor::Param) brings what it touches up to date, so nobody sees a row that
    /// is behind; but the table that [`Param::rows`](lexigrad_tensor::Param::rows) returns holds others. Steps that a row missed
    /// are replayed one by one, which gives the bits of the dense step, or taken at once where there is a formula: for `Sgd`, for
    /// `RmsProp` without decay, and for `Adam` and `AdamW` in f32, except with AMSGrad or coupled weight decay. Shards of a batch that look
    /// up on several threads do not share the catching up: look the whole batch's rows up once before.
    Exact,
}

/// Optimizers by a rule: every [`Rule`] has these methods.
pub trait Build<T: Element>: Rule<T> {
    /// An optimizer of all parameters of `model` by this rule, a tied one once.
    ///
    /// The state of a parameter that is trained is reserved as zeros here, and the system gives it memory as rows are touched; that
    /// of a frozen one is reserved when it is thawed and first moved.
    ///
    /// # Panics
    /// If an option is out of its range: with the text of the error that [`Builder::build`] returns.
    #[track_caller]
    fn build(self, model: &(impl Module<T> + ?Sized)) -> Optimizer<Self, T> {
        match self.builder().build(model) {
            Ok(optimizer) => optimizer,
            Err(error) => panic!("{error}"),
        }
    }

    /// An optimizer by this rule with groups of parameters, or in the exact mode.
    fn builder(self) -> Builder<Self, T> {
        Builder::new(self)
    }
}

impl<T: Element, R: Rule<T>> Build<T> for R {}

/// Options of an [`Optimizer`] beyond those of its rule: groups of parameters by their paths, and the [`SparseMode`].
///
/// A pattern is a path in which `*` stands for any characters; of several that fit, the first counts.
///
/// ```
/// use lexigrad_optim::{AdamW, Build, SparseMode};
/// use lexigrad_tensor::{Param, Tensor};
/// let layer = || vec![Param::<f32>::new(Tensor::zeros([3, 2])), Param::new(Tensor::zeros([3]))];
/// let model = vec![layer(), layer(), layer()];
/// let rule = AdamW::new(1e-3);
/// let optimizer = rule.clone().builder()
///     .freeze("0.*")
///     .group("*.1", AdamW { weight_decay: 0.0, ..rule })
///     .sparse_mode(SparseMode::Exact)
///     .build(&model)?;
/// assert!(!model[0][0].requires_grad());
///
/// let error = AdamW::new(1e-3).builder().freeze("3.*").build(&model).unwrap_err();
/// assert_eq!(error.to_string(), "adamw: no parameter fits 3.*; the model has 0.0, 0.1, 1.0, 1.1, 2.0, 2.1");
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: parameter groups, which are lists of parameters.
#[derive(Clone, Debug)]
pub struct Builder<R, T: Element = f32> {
    rule: R,
    /// Patterns with the rule of what fits, or none for what is frozen.
    groups: Vec<(String, Option<R>)>,
    mode: SparseMode,
    refuses_not_finite: bool,
    element: PhantomData<T>,
}

impl<R: Rule<T>, T: Element> Builder<R, T> {
    pub(crate) fn new(rule: R) -> Self {
        Self {
            rule,
            groups: Vec::new(),
            mode: SparseMode::default(),
            refuses_not_finite: false,
            element: PhantomData,
        }
    }

    /// Moves the parameters that fit `pattern` by `rule`.
    #[must_use]
    pub fn group(mut self, pattern: impl Into<String>, rule: R) -> Self {
        self.groups.push((pattern.into(), Some(rule)));
        self
    }

    /// Freezes the parameters that fit `pattern`: no gradient is worked out for them, and no state is kept, until they are thawed by
    /// [`set_requires_grad(true)`](lexigrad_tensor::Param::set_requires_grad). Then they move by the rule of the first group that
    /// they fit. Whether a parameter is frozen is not saved: a training that goes on builds its optimizer anew, which freezes it again.
    /// So thaw from an epoch on, not in that epoch alone.
    #[must_use]
    pub fn freeze(mut self, pattern: impl Into<String>) -> Self {
        self.groups.push((pattern.into(), None));
        self
    }

    /// Says what sparse gradients do to the other rows.
    #[must_use]
    pub fn sparse_mode(mut self, mode: SparseMode) -> Self {
        self.mode = mode;
        self
    }

    /// Makes every step refuse a gradient that is not finite, before anything moves. Without it weights and state become NaN or infinite.
    ///
    /// The step reads the gradients once more, unless the tape that made them
    /// [looked at them](lexigrad_tensor::Tape::inspect_gradients) while they were in a cache. After
    /// [`clip_grad_norm`](crate::clip_grad_norm), which refuses such gradients as well, it is not needed. Running statistics move in the
    /// forward pass, before any check: after such an error a model that has them goes on from its last saved state.
    ///
    /// ```
    /// use lexigrad_optim::{Adam, Build};
    /// use lexigrad_tensor::{Param, Tape, Tensor};
    /// let model: Vec<Param> = vec![Param::new(Tensor::new([0.0, 1.0]))];
    /// let mut optimizer = Adam::new(0.1).builder().check_finite().build(&model)?;
    /// let tape = Tape::new().inspect_gradients();
    /// let grads = tape.backward(&model[0].value().sqrt().sum())?;
    /// let error = optimizer.step(&grads).unwrap_err();
    /// assert_eq!(error.to_string(), "adam: the gradient of 0 holds inf at [0]; it must be finite");
    /// assert_eq!(model[0].value().to_vec(), [0.0, 1.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// PyTorch: what `torch.amp.GradScaler` does, without a word.
    #[must_use]
    pub fn check_finite(mut self) -> Self {
        self.refuses_not_finite = true;
        self
    }

    /// The optimizer of all parameters of `model`, a tied one once, under its first path.
    ///
    /// # Errors
    /// If an option is out of its range, the exact mode does not have a rule, or no parameter fits a pattern; then nothing is frozen.
    pub fn build(self, model: &(impl Module<T> + ?Sized)) -> Result<Optimizer<R, T>> {
        let named = model.named_parameters();
        for (pattern, _) in &self.groups {
            if !named.iter().any(|(path, _)| fits(pattern, path)) {
                let paths: Vec<&str> = named.iter().map(|(path, _)| path.as_str()).collect();
                let paths = paths.join(", ");
                let message = format!("no parameter fits {pattern}; the model has {paths}");
                return Err(Error::other(R::NAME, message));
            }
        }
        // Group 0 is that of the parameters that no pattern fits; that of a pattern which freezes is never asked.
        let rules = self.groups.iter().map(|(_, rule)| rule.as_ref());
        let rules = rules.map(|rule| rule.unwrap_or(&self.rule));
        let groups = std::iter::once(&self.rule).chain(rules);
        let groups: Vec<_> = groups.map(|rule| Group::new(rule.clone())).collect();
        for group in &groups {
            group.checked_rate()?;
        }
        if self.mode == SparseMode::Exact {
            groups.iter().try_for_each(Group::check_exact)?;
        }
        let mut seen = HashSet::new();
        let first = named
            .into_iter()
            .filter(|(_, param)| seen.insert(param.id()));
        let slots = first.map(|(path, param)| self.slot(path, param)).collect();
        Ok(Optimizer::new(groups, slots, self.refuses_not_finite))
    }

    /// The place of a parameter, which is frozen first if the first pattern that it fits says so.
    fn slot(&self, path: String, param: Param<T>) -> Slot<R, T> {
        let fitting = self.groups.iter().zip(1..);
        let mut fitting = fitting.filter(|((pattern, _), _)| fits(pattern, &path));
        if fitting
            .clone()
            .next()
            .is_some_and(|((_, rule), _)| rule.is_none())
        {
            param.set_requires_grad(false);
        }
        let group = fitting.find_map(|((_, rule), group)| Some((group, rule.as_ref()?)));
        let (group, rule) = group.unwrap_or((0, &self.rule));
        Slot::new(path, param, group, rule, self.mode)
    }
}

/// Whether `path` is `pattern`, with any characters for each `*`.
fn fits(pattern: &str, path: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == path,
        Some((start, rest)) => path.strip_prefix(start).is_some_and(|path| {
            let ends = path.char_indices().map(|(end, _)| end);
            ends.chain([path.len()]).any(|end| fits(rest, &path[end..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_any_characters() {
        for (pattern, path) in [
            ("embed.weight", "embed.weight"),
            ("*", ""),
            ("*.bias", "layers.0.bias"),
            ("layers.*.weight", "layers.10.norm.weight"),
            ("*a*a", "banana"),
        ] {
            assert!(fits(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("embed", "embed.weight"),
            ("*.bias", "bias"),
            ("*.bias", "layers.bias.0"),
            ("", "embed"),
        ] {
            assert!(!fits(pattern, path), "{pattern} {path}");
        }
    }
}
