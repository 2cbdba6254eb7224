//! Examples put together: shuffled, bucketed by length, padded, cut from a stream.

mod order;
mod padded;
mod prefetch;
mod stream;

pub use order::{by_length, in_order, shuffled};
pub use padded::Padded;
pub use prefetch::{Prefetch, PrefetchExt};
pub use stream::{Stream, Window};
