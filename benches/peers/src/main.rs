//! lexigrad beside its peers: the same steps on the same data, by turns, in one table.

mod case;
mod data;
mod ours;
mod protocol;

fn main() {}
