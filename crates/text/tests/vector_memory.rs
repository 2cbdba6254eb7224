//! What vectors and tables take of memory: no more than their rows, whatever a file says of itself.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use lexigrad_optim::Adagrad;
use lexigrad_tensor::{Ids, Tape, trim_pool};
use lexigrad_text::vectors::{MappedTable, Overlay, VectorOptions, WordVectors};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// The most bytes alive at once during some work, beyond those alive before.
fn peak<R>(work: impl FnOnce() -> R) -> (usize, R) {
    trim_pool();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    let result = work();
    (ALLOCATOR.peak_usage() - before, result)
}

/// One test, since the allocator counts for the whole process.
#[test]
fn memory_is_by_the_rows_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    loading_takes_less_than_two_files(folder.path());
    headers_that_lie_take_nothing();
    training_takes_what_its_rows_cost(folder.path());
}

fn loading_takes_less_than_two_files(folder: &Path) {
    let rows = (0..5000).map(|row| format!("word{row}{}\n", " 0.25 -1.5".repeat(25)));
    let text: String = rows.collect();
    let (_, (vectors, _)) = peak(|| {
        VectorOptions::default()
            .read(text.as_bytes(), "text")
            .unwrap()
    });
    vectors.save_text(folder.join("text")).unwrap();
    vectors.save_binary(folder.join("binary")).unwrap();
    std::fs::write(folder.join("glove"), text).unwrap();
    for name in ["text", "glove", "binary"] {
        let path = folder.join(name);
        let size = std::fs::metadata(&path).unwrap().len() as usize;
        let (peak, loaded) = peak(|| WordVectors::load(&path).unwrap());
        assert_eq!(loaded.len(), 5000);
        assert!(peak < 2 * size, "{name}: {peak} bytes for {size}");
    }
}

fn headers_that_lie_take_nothing() {
    let model = [
        793_712_314,
        12,
        100_000_000,
        5,
        5,
        5,
        5,
        1,
        1,
        1,
        2_000_000_000,
        3,
        6,
        100,
        0,
        0,
        2_000_000_000,
        2_000_000_000,
        0,
    ];
    let model: Vec<u8> = model
        .into_iter()
        .flat_map(i32::to_le_bytes)
        .chain([255; 40])
        .collect();
    let files: [&[u8]; 4] = [
        b"999999999 300\nthe 1 2\n",
        b"1 99999999999\nthe 1 2\n",
        b"999999999 1\n\0\xff \0\0\0\0",
        &model,
    ];
    for bytes in files {
        let (peak, result) = peak(|| VectorOptions::default().read(bytes, "lie").map(|_| ()));
        assert!(result.is_err());
        assert!(peak < 10_000, "{peak} bytes for {bytes:?}");
    }
}

fn training_takes_what_its_rows_cost(folder: &Path) {
    const ROWS: u32 = 200_000;
    let base = MappedTable::create(
        folder.join("table"),
        16,
        (0..ROWS).map(|row| [row as f32; 16]),
    )
    .unwrap();
    let size = std::fs::metadata(folder.join("table")).unwrap().len() as usize;
    let (peak, touched) = peak(|| {
        let mut table = Overlay::new(base, Adagrad::new(0.1));
        for step in 0..10 {
            let ids: Vec<u32> = (0..20).map(|id| (id * 9_973 + step) % ROWS).collect();
            let batch = table.lookup(&Ids::new(ids).unwrap()).unwrap();
            let tape = Tape::new();
            let grads = tape
                .backward(&batch.forward().unwrap().square().sum())
                .unwrap();
            table.step(&batch, &grads).unwrap();
        }
        table.touched()
    });
    assert_eq!(touched, 200);
    // A row's numbers, their state, twice as vectors grow, and the step itself.
    assert!(peak < 200 * 16 * 4 * 8, "{peak} bytes");
    assert!(peak * 100 < size);
}
