//! Rates that are the base times a factor of the step.

use super::Schedule;

/// `η(t) = f η` for t < steps, then `η`.
///
/// PyTorch: `ConstantLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// f
    pub factor: f64,
    /// How long the factor holds.
    pub steps: u64,
}

/// PyTorch's defaults: a third for 5 steps.
impl Default for Constant {
    fn default() -> Self {
        Self {
            factor: 1.0 / 3.0,
            steps: 5,
        }
    }
}

impl Schedule for Constant {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        if step < self.steps {
            base * self.factor
        } else {
            base
        }
    }
}

/// `η(t) = η (a + (b - a) min(t / steps, 1))`
///
/// PyTorch: `LinearLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// a
    pub start_factor: f64,
    /// b
    pub end_factor: f64,
    /// How long it takes from a to b.
    pub steps: u64,
}

/// PyTorch's defaults: from a third to 1 in 5 steps.
impl Default for Linear {
    fn default() -> Self {
        Self {
            start_factor: 1.0 / 3.0,
            end_factor: 1.0,
            steps: 5,
        }
    }
}

impl Schedule for Linear {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let part = if step < self.steps {
            step as f64 / self.steps as f64
        } else {
            1.0
        };
        base * (self.start_factor + (self.end_factor - self.start_factor) * part)
    }
}

/// `η(t) = η γ^⌊t / every⌋`
///
/// PyTorch: `StepLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// How many steps a rate holds; 0 for ever.
    pub every: u64,
    /// γ
    pub factor: f64,
}

impl Schedule for Step {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let times = step.checked_div(self.every).unwrap_or(0);
        base * self.factor.powf(times as f64)
    }
}

/// `η(t) = η γⁿ`, n the number of milestones at or before t.
///
/// PyTorch: `MultiStepLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiStep {
    /// The steps from which on the rate is smaller; one that is there twice counts twice.
    pub milestones: Vec<u64>,
    /// γ
    pub factor: f64,
}

impl Schedule for MultiStep {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let passed = self.milestones.iter().filter(|&&stone| stone <= step);
        base * self.factor.powf(passed.count() as f64)
    }
}

/// `η(t) = η γᵗ`
///
/// PyTorch: `ExponentialLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Exponential {
    /// γ
    pub factor: f64,
}

impl Schedule for Exponential {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        base * self.factor.powf(step as f64)
    }
}

/// `η(t) = η (1 - min(t / steps, 1))ᵖ`
///
/// PyTorch: `PolynomialLR`.
#[derive(Clone, Debug, PartialEq)]
pub struct Polynomial {
    /// How long it takes to 0.
    pub steps: u64,
    /// p
    pub power: f64,
}

/// PyTorch's defaults: linearly to 0 in 5 steps.
impl Default for Polynomial {
    fn default() -> Self {
        Self {
            steps: 5,
            power: 1.0,
        }
    }
}

impl Schedule for Polynomial {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        if step >= self.steps {
            return 0.0;
        }
        base * (1.0 - step as f64 / self.steps as f64).powf(self.power)
    }
}

/// `η(t) = η min((t + 1) / w, √(w / (t + 1)))`: up to the base in w steps, then down (Vaswani et al. 2017).
///
/// PyTorch: none.
#[derive(Clone, Debug, PartialEq)]
pub struct InverseSquareRoot {
    /// w
    pub warm_up: u64,
}

impl Schedule for InverseSquareRoot {
    fn learning_rate(&self, base: f64, step: u64) -> f64 {
        let (count, warm_up) = ((step + 1) as f64, self.warm_up.max(1) as f64);
        base * (count / warm_up).min((warm_up / count).sqrt())
    }
}
