//! Updates of a table's rows that are put off until somebody looks.

use crate::element::Element;
use crate::ids::Ids;

/// Who puts off updates of the rows of a [`Param`](crate::Param), and makes up for them before the rows are seen.
///
/// The parameter asks before each read and each change of its value, so that nobody sees a row that is behind. An optimizer whose
/// sparse step must match the dense one defers updates this way: rows without a gradient move too, but not before they are needed.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use lexigrad_tensor::{Deferred, Ids, Param, Tensor};
///
/// /// Owes the table one doubling.
/// struct Doubling(AtomicBool);
///
/// impl Deferred<f32> for Doubling {
///     fn is_behind(&self, _rows: Option<&Ids>) -> bool {
///         self.0.load(Ordering::Relaxed)
///     }
///     fn catch_up(&self, _rows: Option<&Ids>, values: &mut [f32]) {
///         self.0.store(false, Ordering::Relaxed);
///         values.iter_mut().for_each(|value| *value *= 2.0);
///     }
/// }
///
/// let table: Param = Param::new(Tensor::ones([2, 1]));
/// let doubling: Arc<dyn Deferred<f32>> = Arc::new(Doubling(AtomicBool::new(true)));
/// table.update_deferred(&doubling, |values| assert_eq!(values, [1.0, 1.0]));
/// assert_eq!(table.value().to_vec(), [2.0, 2.0]);
/// ```
pub trait Deferred<T: Element>: Send + Sync {
    /// Whether one of `rows`, or of all, is behind.
    fn is_behind(&self, rows: Option<&Ids>) -> bool;

    /// Brings `rows`, or all, of the table `values` up to date.
    fn catch_up(&self, rows: Option<&Ids>, values: &mut [T]);
}
