//! What the numbers of a model's state may be.

use crate::element::Element;
use crate::tensor::Tensor;

/// What a number of a model's state may be; a state that breaks it is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// Any number, NaN and the infinities too, stored as a float or as an integer.
    Any,
    /// A finite number, stored as a float.
    Finite,
    /// A finite number from 0 on, stored as a float: a square, a variance.
    NotNegative,
    /// A whole number from 0 on, stored as a float or as an integer.
    Count,
}

impl Domain {
    /// Whether a file may hold these numbers as integers.
    pub fn takes_integers(self) -> bool {
        matches!(self, Self::Any | Self::Count)
    }

    /// Checks every number of a tensor.
    ///
    /// ```
    /// use lexigrad_tensor::{Domain, Tensor};
    /// let reason = Domain::Finite.check(&Tensor::new([[1.0, f32::NAN]])).unwrap_err();
    /// assert_eq!(reason, "holds NaN at [0, 1]; numbers must be finite");
    /// ```
    ///
    /// # Errors
    /// The first number outside, where it stands, and the rule.
    pub fn check<T: Element>(self, tensor: &Tensor<T>) -> Result<(), String> {
        Self::check_runs(&[self], tensor)
    }

    /// Checks a tensor that is cut along its first axis into as many equal runs as there are domains.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_runs<T: Element>(domains: &[Self], tensor: &Tensor<T>) -> Result<(), String> {
        let values = tensor.values();
        let length = values.len() / domains.len().max(1);
        if length == 0 {
            return Ok(());
        }
        for (run, (domain, numbers)) in domains.iter().zip(values.chunks(length)).enumerate() {
            if let Some(place) = numbers.iter().position(|&value| !domain.holds(value)) {
                let position = tensor.shape().index_of(run * length + place);
                let (value, rule) = (numbers[place], domain.rule());
                return Err(format!(
                    "holds {value} at {position}; numbers must be {rule}"
                ));
            }
        }
        Ok(())
    }

    fn holds<T: Element>(self, value: T) -> bool {
        match self {
            Self::Any => true,
            Self::Finite => value.is_finite(),
            Self::NotNegative => value.is_finite() && value >= T::zero(),
            Self::Count => value.is_finite() && value >= T::zero() && value.fract() == T::zero(),
        }
    }

    fn rule(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Finite => "finite",
            Self::NotNegative => "finite and not negative",
            Self::Count => "whole and not negative",
        }
    }
}
