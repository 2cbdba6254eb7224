//! Panics of a foreign crate, turned into errors.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    /// Whether a panic of this thread is caught by [`guarded`] and not worth a message of its own.
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `work` and turns a panic in it into an error.
///
/// What `work` changes must not be used after an error: a panic may have left it half done. A tokenizer that encodes changes
/// nothing but a cache of words, whose lock a panic poisons; the crate then goes on without the cache.
pub(super) fn guarded<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    quieten();
    let before = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(before);
    match outcome {
        Ok(result) => result.map_err(|cause| cause.to_string()),
        Err(panic) => Err(format!(
            "the tokenizers crate panics: {}",
            words_of(&*panic)
        )),
    }
}

/// Installs a panic hook that is silent while a thread is guarded and passes all other panics to the program's hook. It stays installed.
fn quieten() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                before(panic);
            }
        }));
    });
}

fn words_of(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it says no reason")
}
