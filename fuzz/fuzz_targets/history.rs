//! Histories of trainings as JSON; what is read is written and read back.
#![no_main]

mod support;

use lexigrad_text::train::{History, Monitor};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(history) = History::load(support::file(bytes)) else {
        return;
    };
    let copy = support::path("copy");
    history.save(&copy).expect("what was read is written");
    let again = History::load(&copy).expect("what was written is read");
    // Its text holds every number to the bit.
    let text = |history: &History| history.to_json().expect("what was read has a text");
    assert_eq!(text(&again), text(&history));
    for name in history.names() {
        assert_eq!(history.series(name).len(), history.epochs().len());
        let best = history.best(&Monitor::highest(name));
        assert!(best.is_none_or(|(epoch, _)| epoch < history.epochs().len()));
    }
    assert!(history.to_csv().ends_with('\n'));
});
