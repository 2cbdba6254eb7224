//! Batches made on another thread while the last one is trained on.

use std::iter::FusedIterator;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// The items of an iterator, in its order, made ahead on a thread of their own: reading and batching overlap with training.
///
/// Items that are errors come through as they are. Where the iterator panics, so does [`next`](Iterator::next), after the items
/// made before. Dropped early, it does not wait: the thread ends once the item that it is at is made. PyTorch:
/// `DataLoader(num_workers=1, prefetch_factor=n)`, which runs a process and so needs items that can be pickled.
///
/// ```
/// use lexigrad_text::batch::PrefetchExt;
/// let squares: Vec<u32> = (0..4).map(|number| number * number).prefetch(2).collect();
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
#[derive(Debug)]
pub struct Prefetch<T> {
    items: Receiver<T>,
    /// Taken when the items are over, to learn how the thread ended.
    thread: Option<JoinHandle<()>>,
    size_hint: (usize, Option<usize>),
}

impl<T: Send + 'static> Prefetch<T> {
    /// The items of `items`: up to `ahead` wait for the consumer, and one more is being made.
    ///
    /// # Panics
    /// If the system refuses a thread, as [`std::thread::spawn`].
    pub fn new(items: impl Iterator<Item = T> + Send + 'static, ahead: usize) -> Self {
        let size_hint = items.size_hint();
        let (sender, receiver) = sync_channel(ahead);
        let make = move || {
            for item in items {
                // Nobody listens any more.
                if sender.send(item).is_err() {
                    break;
                }
            }
        };
        Self {
            items: receiver,
            thread: Some(std::thread::spawn(make)),
            size_hint,
        }
    }
}

/// [`Prefetch`] as a method of every iterator that another thread can run.
pub trait PrefetchExt: Iterator {
    /// [`Prefetch::new`] of this iterator.
    fn prefetch(self, ahead: usize) -> Prefetch<Self::Item>
    where
        Self: Sized + Send + 'static,
        Self::Item: Send + 'static,
    {
        Prefetch::new(self, ahead)
    }
}

impl<I: Iterator> PrefetchExt for I {}

impl<T> Iterator for Prefetch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        if let Ok(item) = self.items.recv() {
            let (least, most) = self.size_hint;
            self.size_hint = (
                least.saturating_sub(1),
                most.map(|most| most.saturating_sub(1)),
            );
            return Some(item);
        }
        self.size_hint = (0, Some(0));
        if let Err(panic) = self.thread.take()?.join() {
            std::panic::resume_unwind(panic);
        }
        None
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.size_hint
    }
}

impl<T> FusedIterator for Prefetch<T> {}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Sender, channel};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Long enough for any machine; waited out only by a test that fails.
    const LONG: Duration = Duration::from_secs(60);

    /// Numbers without end, which says so when it is dropped.
    struct Endless {
        next: usize,
        ended: Sender<()>,
    }

    impl Iterator for Endless {
        type Item = usize;

        fn next(&mut self) -> Option<usize> {
            self.next += 1;
            Some(self.next)
        }
    }

    impl Drop for Endless {
        fn drop(&mut self) {
            self.ended.send(()).unwrap();
        }
    }

    proptest! {
        #[test]
        fn order_is_kept_and_nothing_is_lost(numbers in prop::collection::vec(any::<u32>(), 0..40), ahead in 0usize..5) {
            let mut prefetch = numbers.clone().into_iter().prefetch(ahead);
            for (index, number) in numbers.iter().enumerate() {
                prop_assert_eq!(prefetch.size_hint(), (numbers.len() - index, Some(numbers.len() - index)));
                prop_assert_eq!(prefetch.next(), Some(*number));
            }
            prop_assert_eq!((prefetch.next(), prefetch.next()), (None, None));
            prop_assert_eq!(prefetch.size_hint(), (0, Some(0)));
        }
    }

    #[test]
    fn errors_come_through_in_their_place() {
        let results = vec![Ok(1), Err("line 2"), Ok(3)];
        let found: Vec<Result<u32, &str>> = results.clone().into_iter().prefetch(1).collect();
        assert_eq!(found, results);
    }

    #[test]
    fn a_panic_reaches_the_consumer_after_the_items_before_it() {
        let numbers = (0..3).inspect(|number| assert!(*number < 2, "number {number}"));
        let mut prefetch = numbers.prefetch(4);
        assert_eq!((prefetch.next(), prefetch.next()), (Some(0), Some(1)));
        let panic = catch_unwind(AssertUnwindSafe(|| prefetch.next())).unwrap_err();
        assert_eq!(*panic.downcast::<String>().unwrap(), "number 2");
        assert_eq!(prefetch.next(), None);
    }

    #[test]
    fn the_thread_of_each_of_many_dropped_early_ends() {
        let (ended, ends) = channel();
        for round in 0..300 {
            let endless = Endless {
                next: 0,
                ended: ended.clone(),
            };
            let mut prefetch = endless.prefetch(round % 4);
            for wanted in 1..=round % 7 {
                assert_eq!(prefetch.next(), Some(wanted));
            }
            drop(prefetch);
            ends.recv_timeout(LONG).unwrap();
        }
    }

    #[test]
    fn a_drop_does_not_wait_for_an_item_that_never_comes() {
        let (sender, items) = channel::<u32>();
        let mut prefetch = items.into_iter().prefetch(1);
        sender.send(1).unwrap();
        assert_eq!(prefetch.next(), Some(1));
        drop(prefetch);
        drop(sender);
    }

    #[test]
    fn no_more_items_are_made_than_asked_for() {
        let made = Arc::new(AtomicUsize::new(0));
        let counter = made.clone();
        let mut prefetch = (0..100)
            .inspect(move |_| {
                counter.fetch_add(1, Ordering::SeqCst);
            })
            .prefetch(2);
        for taken in 1..=100 {
            assert!(prefetch.next().is_some());
            let made = made.load(Ordering::SeqCst);
            assert!(made <= taken + 3, "{made} made, {taken} taken");
        }
    }
}
