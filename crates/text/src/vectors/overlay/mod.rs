//! Training a table that is larger than memory should want: its numbers stay in a mapped file, rows that moved stand beside it.

mod delta;
mod lookup;
mod table;

pub use lookup::Lookup;
pub use table::Overlay;
