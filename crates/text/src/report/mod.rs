//! A training as one HTML file: curves, confusion, the words' space, neighbours, and the sentences it was most wrong about.

mod data;
mod page;

pub use data::{Curve, Explained, Neighbours, Series, Space};
pub use page::Report;
