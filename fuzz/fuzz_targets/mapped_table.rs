//! Tables in mapped files: every row is finite numbers or an error, and no row is beyond the file.
#![no_main]

mod support;

use lexigrad_tensor::Ids;
use lexigrad_text::vectors::MappedTable;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(table) = MappedTable::open(support::file(bytes)) else {
        return;
    };
    assert!(table.len() * 4 <= bytes.len());
    for id in 0..table.len() as u32 {
        if let Ok(row) = table.rows(&Ids::new([id]).expect("an id")) {
            assert_eq!(row.elements(), table.dim());
            assert!(row.values().iter().all(|value| value.is_finite()));
        }
    }
    let beyond = Ids::new([table.len() as u32]).expect("an id");
    assert!(table.rows(&beyond).is_err());
});
