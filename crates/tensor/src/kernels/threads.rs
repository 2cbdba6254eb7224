//! Whether a kernel may share its work among threads.

use std::cell::Cell;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Whether there are threads to share work with, and this is no part of larger work that was shared already.
pub(crate) fn has_company() -> bool {
    !ALONE.get() && rayon::current_num_threads() > 1
}

/// Runs a part of larger work: the kernels in it stay on their thread, since the others have parts of their own.
pub(crate) fn alone<R>(part: impl FnOnce() -> R) -> R {
    let _until_the_end = Restore(ALONE.replace(true));
    part()
}

/// Sets the mark back, also when a part panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
}
