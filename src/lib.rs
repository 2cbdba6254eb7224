//! lexigrad
