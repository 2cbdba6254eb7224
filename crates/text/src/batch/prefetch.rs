//! Items made ahead on a thread of their own.

use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

/// An iterator whose items are made on a thread of their own, a few ahead of what is taken: reading and batching go on while
/// the model learns.
///
/// The order is that of the inner iterator. A panic in it is passed on to whoever takes the next item; dropping this ends the thread
/// after the item that it is at.
///
/// ```
/// use lexigrad_text::batch::Prefetch;
/// let squares: Vec<u32> = Prefetch::new((0..4).map(|x| x * x), 2).collect();
/// assert_eq!(squares, [0, 1, 4, 9]);
/// ```
#[derive(Debug)]
pub struct Prefetch<T> {
    items: Option<Receiver<T>>,
    maker: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// The items of `items`, up to `ahead` of them made before they are asked for, and one more in the making.
    pub fn new(items: impl Iterator<Item = T> + Send + 'static, ahead: usize) -> Self {
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
            items: Some(receiver),
            maker: Some(std::thread::spawn(make)),
        }
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let item = self.items.as_ref().and_then(|items| items.recv().ok());
        if item.is_none()
            && let Some(maker) = self.maker.take()
            && let Err(panic) = maker.join()
        {
            resume_unwind(panic);
        }
        item
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        // First the channel, so that a thread which waits to send ends.
        self.items = None;
        if let Some(maker) = self.maker.take() {
            // Its panic, if any, is not this thread's while that drops things.
            let _ = maker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn no_more_is_made_than_asked_for() {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        let items = (0..1000).inspect(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let mut prefetch = Prefetch::new(items, 3);
        assert_eq!(prefetch.next(), Some(0));
        drop(prefetch);
        // One taken, three waiting, one in the making.
        assert!(made.load(Ordering::SeqCst) <= 6);
    }

    #[test]
    fn dropping_early_ends_the_thread_every_time() {
        for taken in 0..200 {
            let mut prefetch = Prefetch::new(0.., taken % 3);
            assert_eq!(prefetch.by_ref().take(taken % 5).count(), taken % 5);
        }
    }

    #[test]
    fn a_panic_comes_to_the_one_who_takes() {
        let items = (0..3).map(|item| if item == 2 { panic!("no third") } else { item });
        let mut prefetch = Prefetch::new(items, 1);
        assert_eq!((prefetch.next(), prefetch.next()), (Some(0), Some(1)));
        let taken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| prefetch.next()));
        assert_eq!(*taken.unwrap_err().downcast::<&str>().unwrap(), "no third");
        assert_eq!(prefetch.next(), None);
    }
}
