//! The dense trajectory at the price of the touched rows.
//!
//! A step moves every row of a table, those with a zero gradient too. Here such a row is left behind, and given the steps that it
//! missed just before somebody looks at it. What a missed step does is the rule's own update with a gradient of zero; where many of
//! them have a closed form, that is used.

mod adam;
mod linear;
mod replay;
mod rms_prop;
mod rows;

pub use adam::AdamMissed;
pub(crate) use adam::{AdamRule, AdamStep};
pub use linear::LinearMissed;
pub(crate) use linear::LinearStep;
pub use replay::Replay;
pub use rms_prop::RmsPropMissed;
pub(crate) use rms_prop::RmsPropRule;
pub(crate) use rows::ExactRows;
