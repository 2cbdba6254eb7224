//! A rate that is lowered when a measure no longer gets better.

use lexigrad_tensor::{Element, Module, Visitor};

use crate::optimizer::Optimizer;
use crate::register::Register;
use crate::rule::Rule;

/// What counts as better, and how the rate is lowered.
#[derive(Clone, Debug, PartialEq)]
pub struct PlateauOptions {
    /// Whether larger is better.
    pub maximize: bool,
    /// What the rate is multiplied by.
    pub factor: f64,
    /// How many measures in a row may be no better.
    pub patience: u64,
    /// By how much a measure must be better.
    pub threshold: f64,
    /// Whether the threshold is a part of the best measure, or a difference to it.
    pub relative: bool,
    /// How many measures do not count after a reduction.
    pub cooldown: u64,
    /// The least rate.
    pub minimum: f64,
    /// A reduction by no more than this is not made.
    pub eps: f64,
}

/// PyTorch's defaults: smaller is better; a tenth, after 10 measures without one better by 1e-4 of the best.
impl Default for PlateauOptions {
    fn default() -> Self {
        Self {
            maximize: false,
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            relative: true,
            cooldown: 0,
            minimum: 0.0,
            eps: 1e-8,
        }
    }
}

/// Multiplies the learning rate by a factor when a measure has not become better for `patience` measures.
///
/// It remembers the best measure and its counts in buffers: as a [`Module`] it is saved beside its optimizer.
///
/// ```
/// use lexigrad_optim::schedule::{Plateau, PlateauOptions};
/// use lexigrad_optim::{Build, Sgd};
/// use lexigrad_tensor::{Param, Tensor};
/// let mut optimizer = Sgd::new(1.0).build(&Param::<f32>::new(Tensor::zeros([1])));
/// let mut plateau = Plateau::new(PlateauOptions { patience: 1, factor: 0.5, ..Default::default() });
/// for loss in [3.0, 3.0, 3.0] {
///     plateau.observe(loss, &mut optimizer);
/// }
/// assert_eq!(optimizer.learning_rate(), 0.5);
/// ```
///
/// PyTorch: `ReduceLROnPlateau`.
#[derive(Debug)]
pub struct Plateau<T: Element = f32> {
    options: PlateauOptions,
    /// The bits of the best measure.
    best: Register<T>,
    no_better: Register<T>,
    cooldown: Register<T>,
}

impl<T: Element> Plateau<T> {
    /// Before the first measure.
    pub fn new(options: PlateauOptions) -> Self {
        let worst = if options.maximize {
            f64::NEG_INFINITY
        } else {
            f64::INFINITY
        };
        Self {
            options,
            best: Register::measure(worst),
            no_better: Register::count(0),
            cooldown: Register::count(0),
        }
    }

    /// Takes a measure, and lowers the rates of the optimizer if it is time; says whether it was.
    pub fn observe<R: Rule<T>>(&mut self, measure: f64, optimizer: &mut Optimizer<R, T>) -> bool {
        let lowers = self.count(measure);
        if lowers {
            optimizer.change_learning_rates(|rate| {
                let lower = (rate * self.options.factor).max(self.options.minimum);
                if rate - lower > self.options.eps {
                    lower
                } else {
                    rate
                }
            });
        }
        lowers
    }

    /// Whether this measure is one too many without a better one.
    fn count(&mut self, measure: f64) -> bool {
        let mut no_better = self.no_better.get() + 1;
        if self.is_better(measure) {
            self.best.set(measure.to_bits());
            no_better = 0;
        }
        let cooldown = self.cooldown.get();
        if cooldown > 0 {
            self.cooldown.set(cooldown - 1);
            no_better = 0;
        }
        let lowers = no_better > self.options.patience;
        if lowers {
            self.cooldown.set(self.options.cooldown);
            no_better = 0;
        }
        self.no_better.set(no_better);
        lowers
    }

    fn is_better(&self, measure: f64) -> bool {
        let best = f64::from_bits(self.best.get());
        let sign = if self.options.maximize { 1.0 } else { -1.0 };
        let margin = sign * self.options.threshold;
        let bar = if self.options.relative {
            best * (1.0 + margin)
        } else {
            best + margin
        };
        sign * measure > sign * bar
    }
}

impl<T: Element> Module<T> for Plateau<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.field("best", self.best.buffer());
        visitor.field("no_better", self.no_better.buffer());
        visitor.field("cooldown", self.cooldown.buffer());
    }
}
