//! Deltas of a small table: what is refused changes nothing, what is taken is written and read back the same.
#![no_main]

mod support;

use std::sync::OnceLock;

use lexigrad_optim::Sgd;
use lexigrad_tensor::Ids;
use lexigrad_text::vectors::{MappedTable, Overlay};
use libfuzzer_sys::fuzz_target;

fn overlay() -> Overlay<Sgd> {
    static TABLE: OnceLock<MappedTable> = OnceLock::new();
    let create = || {
        let rows = (0..4_u8).map(|row| [f32::from(row), 0.5]);
        MappedTable::create(support::path("table"), 2, rows).expect("the rows are right")
    };
    Overlay::new(TABLE.get_or_init(create).clone(), Sgd::new(0.1))
}

fn rows(overlay: &Overlay<Sgd>) -> Vec<f32> {
    let ids = Ids::new([0, 1, 2, 3]).expect("ids");
    overlay.rows(&ids).expect("rows of the table").to_vec()
}

fuzz_target!(|bytes: &[u8]| {
    let mut overlay = overlay();
    let before = rows(&overlay);
    match overlay.apply_delta(support::file(bytes)) {
        Err(_) => assert_eq!((overlay.touched(), rows(&overlay)), (0, before)),
        Ok(()) => {
            assert!(rows(&overlay).iter().all(|value| value.is_finite()));
            let copy = support::path("copy");
            overlay.save_delta(&copy).expect("what was read is written");
            let mut again = self::overlay();
            again.apply_delta(&copy).expect("what was written is read");
            assert_eq!(rows(&again), rows(&overlay));
        }
    }
});
