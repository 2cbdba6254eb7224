//! The table of all cases in `docs/parity.md`, and where it must be brought up to date.

use std::fmt::Write;

use crate::case::take_errors;
use crate::{layers, losses, models, modules, operations, optimizers, schedules, sequence};

/// What is compared, and the test that does it.
const FAMILIES: [(&str, fn()); 17] = [
    ("Embedding", layers::embedding),
    ("EmbeddingBag", layers::embedding_bag),
    ("Linear", layers::linear_layer),
    ("LayerNorm", layers::layer_normalisation),
    ("GELU", layers::gelu),
    ("Rnn, Lstm and Gru", sequence::recurrent),
    ("Attention", sequence::attention),
    ("Transformer", sequence::transformer),
    ("Other modules", modules::modules),
    ("Operations", operations::operations),
    (
        "Cross-entropy",
        losses::cross_entropy_of_labels_and_of_probabilities,
    ),
    ("Mean squared error", losses::mean_squared_error),
    (
        "Binary cross-entropy of logits",
        losses::binary_cross_entropy_with_logits,
    ),
    (
        "Other losses and the adaptive softmax",
        losses::every_other_loss_and_the_adaptive_softmax,
    ),
    (
        "Whole models, five steps",
        models::five_steps_of_whole_models,
    ),
    (
        "Optimizers, ten steps",
        optimizers::ten_steps_of_every_optimizer,
    ),
    ("Schedules", schedules::every_schedule_step_by_step),
];

/// `cargo test --test parity table -- --ignored` writes `docs/parity.md` anew.
#[test]
#[ignore = "writes a file"]
fn table() {
    let differences = include_str!("differences.md");
    let (mut summary, mut details) = (String::new(), String::new());
    let mut total = 0;
    for (family, run) in FAMILIES {
        run();
        let errors = take_errors();
        total += errors.len();
        let worst = |precision: usize| {
            errors
                .values()
                .map(|worst| worst[precision])
                .fold(f64::NAN, f64::max)
        };
        let (cases, wide, narrow) = (errors.len(), text(worst(0)), text(worst(1)));
        writeln!(summary, "| {family} | {cases} | {wide} | {narrow} |").unwrap();
        writeln!(
            details,
            "\n### {family}\n\n| case | f64 | f32 |\n|---|---|---|"
        )
        .unwrap();
        for (case, [wide, narrow]) in &errors {
            writeln!(details, "| {case} | {} | {} |", text(*wide), text(*narrow)).unwrap();
        }
    }
    let page = format!(
        "# Parity with PyTorch\n\n\
         The largest errors, relative beyond 1, of outputs and gradients against the numbers that PyTorch 2.15.0 gave in f64, {total} cases.\n\
         Written by `cargo test --test parity table -- --ignored`; how the numbers were recorded stands in\n\
         [`tests/parity`](../tests/parity/README.md). Allowed are 1e-10 in f64 (optimizers 1e-12, whole models 1e-8), 1e-5 in f32.\n\n\
         | family | cases | worst in f64 | worst in f32 |\n|---|---|---|---|\n{summary}\n\
         {differences}\n## All cases\n{details}"
    );
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/docs");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(format!("{folder}/parity.md"), page).unwrap();
}

fn text(error: f64) -> String {
    if error.is_nan() {
        "".to_owned()
    } else if error == 0.0 {
        "0".to_owned()
    } else {
        format!("{error:.0e}")
    }
}
