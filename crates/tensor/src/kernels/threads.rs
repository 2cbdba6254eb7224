//! Whether a kernel may share its work among threads.

use std::cell::Cell;

use rayon::prelude::*;

use super::PARALLEL_WORK;

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

/// Runs `work` on each part and its number; at once if that is worth it, and then each alone.
pub(crate) fn for_each_alone<P: Send>(
    parts: impl Iterator<Item = P>,
    is_worth_it: bool,
    work: impl Fn(usize, P) + Sync,
) {
    let parts = parts.enumerate();
    if is_worth_it && has_company() {
        let parts: Vec<(usize, P)> = parts.collect();
        let parts = parts.into_par_iter();
        parts.for_each(|(index, part)| alone(|| work(index, part)));
    } else {
        parts.for_each(|(index, part)| work(index, part));
    }
}

/// Sets the mark back, also when a part panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
}

/// Whether so much work, in elements touched, is worth a second thread, and there is one.
pub fn is_worth_sharing(work: usize) -> bool {
    work >= PARALLEL_WORK && has_company()
}

/// Runs `job` on each of some jobs; on the thread pool if `work`, in elements touched by all of them, is worth it.
///
/// What they are must follow from sizes alone, so that the number of threads never changes a bit.
pub fn share<J: Send>(jobs: impl Iterator<Item = J>, work: usize, job: impl Fn(J) + Send + Sync) {
    if !is_worth_sharing(work) {
        return jobs.for_each(job);
    }
    jobs.collect::<Vec<_>>().into_par_iter().for_each(job);
}

/// Runs both, at once if a thread is free.
///
/// ```
/// assert_eq!(lexigrad_tensor::join(|| 1, || 2), (1, 2));
/// ```
pub fn join<A: Send, B: Send>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    rayon::join(first, second)
}
