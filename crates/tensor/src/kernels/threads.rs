//! The one place where work is shared among threads.
//!
//! While a thread waits for the parts of its work, rayon may run another of the user's tasks on it. So for as long as a [`section`]
//! lasts, the tapes and the seed that the floor above keeps by thread are put aside. The mark of [`alone`] can stay where it is: no
//! section starts while it is set.

use std::cell::Cell;
use std::sync::OnceLock;

use rayon::prelude::*;

use super::PARALLEL_WORK;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Puts aside what the floor above keeps by thread, runs the section, and puts it back, also if the section panics.
type PutAside = fn(section: &mut dyn FnMut());

static PUT_ASIDE: OnceLock<PutAside> = OnceLock::new();

/// Makes every section run through `put_aside`. The floor above calls it before it keeps anything by thread.
pub(crate) fn put_aside_with(put_aside: PutAside) {
    PUT_ASIDE.get_or_init(|| put_aside);
}

/// Runs `share_out`, which shares work among threads and waits for it.
pub(crate) fn section<R>(share_out: impl FnOnce() -> R) -> R {
    let Some(put_aside) = PUT_ASIDE.get() else {
        return share_out();
    };
    let (mut share_out, mut result) = (Some(share_out), None);
    put_aside(&mut || result = share_out.take().map(|share_out| share_out()));
    match result {
        Some(result) => result,
        None => unreachable!("a section is run once"),
    }
}

/// How many threads there are to share work among.
pub(crate) fn count() -> usize {
    rayon::current_num_threads()
}

/// Whether there are threads to share work with, and this is no part of larger work that was shared already.
pub(crate) fn has_company() -> bool {
    !ALONE.get() && count() > 1
}

/// Runs a part of larger work: the kernels in it stay on their thread, since the others have parts of their own.
pub(crate) fn alone<R>(part: impl FnOnce() -> R) -> R {
    alone_if(true, part)
}

/// Runs a part of larger work, whose kernels stay on their thread if `is_alone`, or if the work is such a part itself.
pub(crate) fn alone_if<R>(is_alone: bool, part: impl FnOnce() -> R) -> R {
    let before = ALONE.get();
    let _until_the_end = Restore(ALONE.replace(is_alone || before));
    part()
}

/// Sets the mark back, also when a part panics.
struct Restore(bool);

impl Drop for Restore {
    fn drop(&mut self) {
        ALONE.set(self.0);
    }
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
        let each = |(index, part)| alone(|| work(index, part));
        section(|| parts.into_par_iter().for_each(each));
    } else {
        parts.for_each(|(index, part)| work(index, part));
    }
}

/// Runs `work` on each `length` elements of `out` and the number of that chunk; at once if `is_worth_it`.
pub(crate) fn for_each_chunk<T: Send>(
    out: &mut [T],
    length: usize,
    is_worth_it: bool,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    if is_worth_it && has_company() {
        let chunks = out.par_chunks_mut(length).enumerate();
        section(|| chunks.for_each(|(index, chunk)| work(index, chunk)));
    } else {
        let chunks = out.chunks_mut(length).enumerate();
        chunks.for_each(|(index, chunk)| work(index, chunk));
    }
}

/// What `work` makes of each number below `count`, in order; at once if threads are free.
pub(crate) fn map<R: Send>(count: usize, work: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    if has_company() {
        section(|| (0..count).into_par_iter().map(work).collect())
    } else {
        (0..count).map(work).collect()
    }
}

/// Whether so much work, in elements touched, is worth a second thread, and there is one.
pub fn is_worth_sharing(work: usize) -> bool {
    work >= PARALLEL_WORK && has_company()
}

/// Runs `job` on each of some jobs; on the thread pool if `work`, in elements touched by all of them, is worth it.
///
/// What they are must follow from sizes alone, so that the number of threads never changes a bit. A job must work on slices: whether
/// this thread's tape would record an operation in it is not defined.
pub fn share<J: Send>(jobs: impl Iterator<Item = J>, work: usize, job: impl Fn(J) + Send + Sync) {
    if !is_worth_sharing(work) {
        return jobs.for_each(job);
    }
    let jobs: Vec<J> = jobs.collect();
    section(|| jobs.into_par_iter().for_each(job));
}

/// Runs both, at once if a thread is free; like a job of [`share`], each works on slices.
///
/// ```
/// assert_eq!(lexigrad_tensor::join(|| 1, || 2), (1, 2));
/// ```
pub fn join<A: Send, B: Send>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if has_company() {
        section(|| rayon::join(first, second))
    } else {
        (first(), second())
    }
}
