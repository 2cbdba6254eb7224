//! The update rules, one family a file.

pub(crate) mod adadelta;
pub(crate) mod adagrad;
pub(crate) mod adam;
pub(crate) mod adamax;
mod averages;
pub(crate) mod lion;
pub(crate) mod nadam;
pub(crate) mod radam;
pub(crate) mod rms_prop;
pub(crate) mod sgd;
pub(crate) mod sparse_adam;
