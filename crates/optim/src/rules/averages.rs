//! The fading averages that the rules of Adam's family share, and the check of their options.

use lexigrad_tensor::{Element, Result};

use crate::rule::{check_not_negative, check_rate};

/// β1 and β2 of averages `x ← β x + (1 - β) y`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Averages<T> {
    betas: (T, T),
    /// 1 - β1 and 1 - β2
    rests: (T, T),
}

impl<T: Element> Averages<T> {
    pub(super) fn new(betas: (f64, f64)) -> Self {
        Self {
            betas: (T::from_f64(betas.0), T::from_f64(betas.1)),
            rests: (T::from_f64(1.0 - betas.0), T::from_f64(1.0 - betas.1)),
        }
    }

    pub(super) fn beta2(&self) -> T {
        self.betas.1
    }

    /// `β1 x + (1 - β1) y`
    #[inline(always)]
    pub(super) fn by_first(&self, x: T, y: T) -> T {
        self.betas.0 * x + self.rests.0 * y
    }

    /// `β2 x + (1 - β2) y`
    #[inline(always)]
    pub(super) fn by_second(&self, x: T, y: T) -> T {
        self.betas.1 * x + self.rests.1 * y
    }

    /// `m ← β1 m + (1 - β1) g`, `v ← β2 v + (1 - β2) g²`
    #[inline(always)]
    pub(super) fn moments(&self, m: &mut T, v: &mut T, g: T) {
        *m = self.by_first(*m, g);
        // In the order of PyTorch's product, which decides the bits.
        *v = self.betas.1 * *v + self.rests.1 * g * g;
    }
}

/// Checks β1, β2, ε and λ.
pub(super) fn check_options(
    name: &'static str,
    betas: (f64, f64),
    eps: f64,
    weight_decay: f64,
) -> Result<()> {
    check_rate(name, "beta1", betas.0)?;
    check_rate(name, "beta2", betas.1)?;
    check_not_negative(name, "eps", eps)?;
    check_not_negative(name, "weight_decay", weight_decay)
}
