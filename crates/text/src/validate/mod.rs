//! Choosing between candidates by cross-validation: the same folds for all, and how sure the choice is.

mod comparison;
mod folds;

pub use comparison::{Candidate, Comparison, Difference, cross_validate};
pub use folds::{Fold, folds, stratified_folds};
