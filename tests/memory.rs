//! What a training step allocates: the rows it reads, never the table.
//!
//! Each test measures a step after one to warm up, with the buffer pool emptied in between, so that the step asks the system for
//! every buffer it needs. One test at a time, since the allocator counts for the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Mutex, PoisonError};

use lexigrad::optim::{Build, Optimizer, Sgd, SparseMode};
use lexigrad::tensor::{
    EmbeddingOptions, Ids, Param, Tape, Tensor, checkpoint, copies_on_write, cross_entropy,
    embedding, linear, trim_pool,
};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Runs a test while no other does, on a thread of its own: a thread lets go of its pool as it ends, which another test would see.
fn alone(test: impl FnOnce() + Send) {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let result = std::thread::scope(|scope| scope.spawn(test).join());
    trim_pool();
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

/// What a piece of work asked of the system.
#[derive(Debug)]
struct Usage {
    /// The most bytes alive at once beyond those alive before.
    peak: usize,
    copies: usize,
}

fn measure(work: impl FnOnce()) -> Usage {
    trim_pool();
    let copies = copies_on_write();
    let before = ALLOCATOR.current_usage();
    ALLOCATOR.reset_peak_usage();
    work();
    Usage {
        peak: ALLOCATOR.peak_usage() - before,
        copies: copies_on_write() - copies,
    }
}

const DIM: usize = 64;
const TOKENS: usize = 4_096;
/// One number for each entry of the rows that a step reads.
const ROWS_READ: usize = TOKENS * DIM * size_of::<f32>();
const TABLE_ROWS: usize = 1_000_000;
const TABLE: usize = TABLE_ROWS * DIM * size_of::<f32>();

/// Ids spread over a table of `rows` rows, some of them repeated.
fn spread(count: usize, rows: usize) -> Ids {
    let ids: Vec<usize> = (0..count).map(|i| (i / 2 * 7_919) % rows).collect();
    Ids::new(ids).unwrap()
}

fn table(rows: usize) -> Param {
    Param::new(Tensor::zeros([rows, DIM]))
}

fn look_up(table: &Param, ids: &Ids) -> Tensor {
    let rows = table.rows("embedding", ids).unwrap();
    embedding(&rows, ids, &EmbeddingOptions::default()).unwrap()
}

/// One step towards rows of ones.
fn step_towards_ones(table: &Param, ids: &Ids, optimizer: &mut Optimizer<Sgd>) {
    let tape = Tape::new();
    let loss = look_up(table, ids).add_scalar(-1.0).square().mean();
    let gradients = tape.backward(&loss).unwrap();
    optimizer.step(&gradients).unwrap();
}

#[test]
fn the_allocator_counts() {
    alone(|| {
        let usage = measure(|| drop(vec![1_u8; 1_000_000]));
        assert!((1_000_000..1_100_000).contains(&usage.peak), "{usage:?}");
    });
}

#[test]
fn a_sparse_step_on_a_million_rows_allocates_what_its_rows_cost() {
    alone(|| {
        let (table, ids) = (table(TABLE_ROWS), spread(TOKENS, TABLE_ROWS));
        let mut optimizer = Sgd::new(100.0).build(&table);
        step_towards_ones(&table, &ids, &mut optimizer);

        let usage = measure(|| step_towards_ones(&table, &ids, &mut optimizer));

        assert_eq!(usage.copies, 0);
        assert!(usage.peak < 5 * ROWS_READ, "{usage:?}");
        assert!(usage.peak < TABLE / 40, "{usage:?}");
        let rows = table.value();
        let changed = rows
            .values()
            .chunks(DIM)
            .filter(|row| row[0] != 0.0)
            .count();
        assert_eq!(
            changed,
            TOKENS / 2,
            "only the rows that were looked up move"
        );
    });
}

#[test]
fn many_steps_on_a_million_rows_leave_nothing_behind() {
    alone(|| {
        let (table, ids) = (table(TABLE_ROWS), spread(TOKENS, TABLE_ROWS));
        let mut optimizer = Sgd::new(1.0).build(&table);
        step_towards_ones(&table, &ids, &mut optimizer);

        let ten = measure(|| {
            for _ in 0..10 {
                step_towards_ones(&table, &ids, &mut optimizer);
            }
        });
        let after = measure(|| step_towards_ones(&table, &ids, &mut optimizer));

        assert_eq!(ten.copies, 0);
        assert!(ten.peak < after.peak + ROWS_READ, "{ten:?} {after:?}");
    });
}

/// The rows that a step of the exact mode leaves behind cost nothing until they are looked at.
#[test]
fn an_exact_step_on_a_million_rows_allocates_what_its_rows_cost() {
    alone(|| {
        let (table, ids) = (table(TABLE_ROWS), spread(TOKENS, TABLE_ROWS));
        let exact = Sgd {
            momentum: 0.9,
            ..Sgd::new(1.0)
        };
        let exact = exact.builder().sparse_mode(SparseMode::Exact);
        let mut optimizer = exact.build(&table).unwrap();
        step_towards_ones(&table, &ids, &mut optimizer);
        let others = spread(TOKENS / 4, TABLE_ROWS / 2);
        step_towards_ones(&table, &others, &mut optimizer);

        let usage = measure(|| step_towards_ones(&table, &ids, &mut optimizer));

        assert_eq!(usage.copies, 0);
        assert!(usage.peak < 5 * ROWS_READ, "{usage:?}");
    });
}

/// Logits for a few candidate words, with the table that the words were looked up in.
#[test]
fn a_tied_output_over_candidates_keeps_the_step_sparse() {
    alone(|| {
        let (table, ids) = (table(TABLE_ROWS), spread(TOKENS, TABLE_ROWS));
        let candidates = spread(64, TABLE_ROWS);
        let targets = Ids::new((0..TOKENS).map(|i| i % 64).collect::<Vec<_>>()).unwrap();
        let mut optimizer = Sgd::new(1.0).build(&table);
        let mut step = || {
            let tape = Tape::new();
            let hidden = look_up(&table, &ids).add_scalar(0.1);
            let output = look_up(&table, &candidates).transpose(0, 1).unwrap();
            let loss = cross_entropy(&hidden.matmul(&output).unwrap(), &targets).unwrap();
            let gradients = tape.backward(&loss).unwrap();
            assert!(gradients.get(&table).unwrap().as_row_sparse().is_some());
            drop((hidden, output));
            optimizer.step(&gradients).unwrap();
        };
        step();

        let usage = measure(step);

        assert_eq!(usage.copies, 0);
        assert!(usage.peak < TABLE / 20, "{usage:?}");
    });
}

const SMALL_ROWS: usize = 20_000;
/// A buffer of this table: its bytes, up to a quarter more for its size class, and room to align it to a huge page.
const SMALL_TABLE: usize = SMALL_ROWS * DIM * size_of::<f32>() * 5 / 4 + (2 << 20);
/// The logits of 16 words and their gradient.
const LOGITS: usize = 2 * 16 * SMALL_ROWS * size_of::<f32>() * 5 / 4;

/// The second of two steps with the table as the whole output layer, which makes its gradient dense.
fn tied_step(output: fn(&Tensor, &Param) -> Tensor) -> Usage {
    let table = table(SMALL_ROWS);
    let (ids, targets) = (spread(16, SMALL_ROWS), spread(16, SMALL_ROWS));
    let mut optimizer = Sgd::new(1.0).build(&table);
    let mut step = || {
        let tape = Tape::new();
        let hidden = look_up(&table, &ids).add_scalar(0.1);
        let loss = cross_entropy(&output(&hidden, &table), &targets).unwrap();
        drop(hidden);
        let gradients = tape.backward(&loss).unwrap();
        optimizer.step(&gradients).unwrap();
    };
    step();
    measure(step)
}

#[test]
fn a_tied_linear_layer_needs_one_dense_gradient_and_no_copy() {
    alone(|| {
        let usage = tied_step(|hidden, table| linear(hidden, table, None).unwrap());
        assert_eq!(usage.copies, 0);
        assert!(usage.peak < SMALL_TABLE + LOGITS, "{usage:?}");
    });
}

/// The gradient comes back transposed, and is put in order once.
#[test]
fn a_tied_product_with_the_transposed_table_copies_no_table() {
    alone(|| {
        let usage = tied_step(|hidden, table| {
            let columns = table.value().transpose(0, 1).unwrap();
            hidden.matmul(&columns).unwrap()
        });
        assert_eq!(usage.copies, 0);
        assert!(usage.peak < 2 * SMALL_TABLE + LOGITS, "{usage:?}");
    });
}

/// A tensor that the user keeps holds its values, and that alone makes the optimizer copy.
#[test]
fn a_table_that_is_still_held_is_copied_once() {
    alone(|| {
        let (table, ids) = (table(1_000), spread(8, 1_000));
        let mut optimizer = Sgd::new(1.0).build(&table);
        let held = table.value();
        let first = measure(|| step_towards_ones(&table, &ids, &mut optimizer));
        let second = measure(|| step_towards_ones(&table, &ids, &mut optimizer));
        assert_eq!((first.copies, second.copies), (1, 0));
        assert!(held.values().iter().all(|&value| value == 0.0));
    });
}

/// Eight blocks of eight functions of 10,000 numbers, forward and backward.
fn deep_step(checkpointed: bool) {
    let tape = Tape::new();
    let mut y = tape.watch(&Tensor::<f32>::full([10_000], 0.5));
    for _ in 0..8 {
        let input = y.clone();
        let block = move || Ok((0..8).fold(input.clone(), |x, _| x.tanh()));
        y = if checkpointed {
            checkpoint(block)
        } else {
            block()
        }
        .unwrap();
    }
    tape.backward(&y.sum()).unwrap();
}

#[test]
fn checkpointing_takes_less_memory() {
    alone(|| {
        let plain = measure(|| deep_step(false)).peak;
        let checkpointed = measure(|| deep_step(true)).peak;
        // 64 saved tensors without, 8 and those of one block of 8 with.
        assert!(checkpointed < plain / 2, "{checkpointed} of {plain}");
    });
}
