//! The update rules, one family a file.

pub(crate) mod adagrad;
pub(crate) mod adam;
pub(crate) mod sgd;
pub(crate) mod sparse_adam;
