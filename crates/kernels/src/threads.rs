//! The one place where work is shared among threads.
//!
//! While a thread waits for the parts of its work, rayon may run another of the user's tasks on it. So for as long as a [`section`]
//! lasts, the tapes and the seed that the floor above keeps by thread are put aside. The mark of [`alone`] can stay where it is: no
//! section starts while it is set.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rayon::prelude::*;

use crate::PARALLEL_WORK;

thread_local! {
    static ALONE: Cell<bool> = const { Cell::new(false) };
}

/// Puts aside what the floor above keeps by thread, runs the section, and puts it back, also if the section panics.
type PutAside = fn(section: &mut dyn FnMut());

static PUT_ASIDE: OnceLock<PutAside> = OnceLock::new();

/// Makes every section run through `put_aside`. The floor above calls it before it keeps anything by thread.
pub fn put_aside_with(put_aside: PutAside) {
    PUT_ASIDE.get_or_init(|| put_aside);
}

/// Runs `share_out`, which shares work among threads and waits for it.
pub fn section(share_out: &mut dyn FnMut()) {
    match PUT_ASIDE.get() {
        Some(put_aside) => put_aside(share_out),
        None => share_out(),
    }
}

/// Runs `part` for each number below `count` on the threads. It is not generic: rayon's code would be compiled again for each closure.
fn run_parts(count: usize, part: &(dyn Fn(usize) + Sync)) {
    section(&mut || (0..count).into_par_iter().for_each(part));
}

/// Runs `work` on each part and its number, on the threads.
fn hand_out<P: Send>(parts: impl Iterator<Item = P>, work: impl Fn(usize, P) + Sync) {
    let parts: Vec<Slot<P>> = parts.map(Slot::full).collect();
    run_parts(parts.len(), &|index| {
        if let Some(part) = parts[index].take() {
            work(index, part);
        }
    });
}

/// A place by which one thread hands a value to another.
struct Slot<V>(Mutex<Option<V>>);

impl<V> Slot<V> {
    fn full(value: V) -> Self {
        Self(Mutex::new(Some(value)))
    }

    fn empty() -> Self {
        Self(Mutex::new(None))
    }

    fn value(&self) -> MutexGuard<'_, Option<V>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<V> {
        self.value().take()
    }

    fn put(&self, value: V) {
        *self.value() = Some(value);
    }

    /// Runs the job that is here, and puts its result there.
    fn run_into<R>(&self, result: &Slot<R>)
    where
        V: FnOnce() -> R,
    {
        if let Some(job) = self.take() {
            result.put(job());
        }
    }
}

/// How many threads there are to share work among.
pub fn count() -> usize {
    rayon::current_num_threads()
}

/// Whether there are threads to share work with, and this is no part of larger work that was shared already.
pub fn has_company() -> bool {
    !ALONE.get() && count() > 1
}

/// Runs a part of larger work: the kernels in it stay on their thread, since the others have parts of their own.
pub fn alone<R>(part: impl FnOnce() -> R) -> R {
    alone_if(true, part)
}

/// Runs a part of larger work, whose kernels stay on their thread if `is_alone`, or if the work is such a part itself.
pub fn alone_if<R>(is_alone: bool, part: impl FnOnce() -> R) -> R {
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
pub fn for_each_alone<P: Send>(
    parts: impl Iterator<Item = P>,
    is_worth_it: bool,
    work: impl Fn(usize, P) + Sync,
) {
    if is_worth_it && has_company() {
        hand_out(parts, |index, part| alone(|| work(index, part)));
    } else {
        parts
            .enumerate()
            .for_each(|(index, part)| work(index, part));
    }
}

/// Runs `work` on each `length` elements of `out` and the number of that chunk; at once if `is_worth_it`.
pub fn for_each_chunk<T: Send>(
    out: &mut [T],
    length: usize,
    is_worth_it: bool,
    work: impl Fn(usize, &mut [T]) + Sync,
) {
    let chunks = out.chunks_mut(length);
    if is_worth_it && has_company() {
        hand_out(chunks, work);
    } else {
        chunks
            .enumerate()
            .for_each(|(index, chunk)| work(index, chunk));
    }
}

/// What `work` makes of each number below `count`, in order; at once if threads are free.
pub fn map<R: Send>(count: usize, work: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    if !has_company() {
        return (0..count).map(work).collect();
    }
    let results: Vec<Slot<R>> = (0..count).map(|_| Slot::empty()).collect();
    run_parts(count, &|index| results[index].put(work(index)));
    results.iter().filter_map(Slot::take).collect()
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
    hand_out(jobs, |_, part| job(part));
}

/// Runs both, at once if a thread is free; like a job of [`share`], each works on slices.
///
/// ```
/// assert_eq!(lexigrad_kernels::join(|| 1, || 2), (1, 2));
/// ```
pub fn join<A: Send, B: Send>(
    first: impl FnOnce() -> A + Send,
    second: impl FnOnce() -> B + Send,
) -> (A, B) {
    if !has_company() {
        return (first(), second());
    }
    let jobs = (Slot::full(first), Slot::full(second));
    let results = (Slot::empty(), Slot::empty());
    run_parts(2, &|index| match index {
        0 => jobs.0.run_into(&results.0),
        _ => jobs.1.run_into(&results.1),
    });
    match (results.0.take(), results.1.take()) {
        (Some(first), Some(second)) => (first, second),
        _ => unreachable!("both were run, or one has panicked"),
    }
}
