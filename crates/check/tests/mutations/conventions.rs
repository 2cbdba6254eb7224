//! Bugs in what is a convention and no derivative.

use lexigrad_check::{MaxNorm, Options, check_conventions, check_max_norm, gradcheck};
use lexigrad_tensor::{EmbeddingOptions, Ids, Param, Tensor, embedding};

fn table() -> Tensor<f64> {
    Tensor::new([[0.1, 0.9], [-0.4, 0.6], [3.0, -4.0]])
}

fn ids() -> Ids {
    Ids::new([[1, 0], [1, 2]]).unwrap()
}

fn padded() -> EmbeddingOptions {
    EmbeddingOptions {
        padding: Some(0),
        ..EmbeddingOptions::default()
    }
}

fn scaled() -> EmbeddingOptions {
    EmbeddingOptions {
        scale_grad_by_freq: true,
        ..EmbeddingOptions::default()
    }
}

/// Checks a lookup under the conventions `done` against the definition of `wanted`.
fn check(done: EmbeddingOptions, wanted: EmbeddingOptions) -> Result<Vec<String>, String> {
    let f = |table: &Tensor<f64>| Ok(embedding(table, &ids(), &done)?.square());
    let checked = check_conventions("lookup", f, &table(), &ids(), &wanted, &Options::default());
    let told = checked.map(|report| report.conventions);
    told.map_err(|failure| failure.to_string())
}

#[test]
fn of_padding_and_of_scaling_by_frequency() {
    assert_eq!(
        check(padded(), padded()).unwrap(),
        ["row 0 is the padding and gets no gradient"]
    );
    let told = "row 1 was looked up 2 times, by which its gradient is divided";
    assert_eq!(check(scaled(), scaled()).unwrap(), [told]);
    let both = EmbeddingOptions {
        padding: Some(0),
        ..scaled()
    };
    assert_eq!(check(both, both).unwrap().len(), 2);

    let plain = EmbeddingOptions::default();
    assert!(
        check(plain, padded()).is_err(),
        "a padding row that gets a gradient"
    );
    assert!(
        check(padded(), plain).is_err(),
        "a row without its gradient"
    );
    assert!(
        check(plain, scaled()).is_err(),
        "scaling by frequency forgotten"
    );
    assert!(
        check(scaled(), plain).is_err(),
        "scaling by frequency where none is wanted"
    );
    let wrong_row = EmbeddingOptions {
        padding: Some(2),
        ..padded()
    };
    assert!(
        check(wrong_row, padded()).is_err(),
        "another row taken for the padding"
    );
}

#[test]
fn a_derivative_check_says_that_a_gradient_is_a_convention() {
    let lookup = |x: &[Tensor<f64>]| embedding(&x[0], &ids(), &padded());
    let failure = gradcheck("lookup", lookup, &[table()], &Options::default()).unwrap_err();
    let text = failure.to_string();
    let told = "; not the derivative by convention: embedding: the padding row gets no gradient";
    assert!(text.ends_with(told), "{text}");
}

/// Scales the rows `rows` to norm `to`, then looks all ids up.
fn renormalised(rows: &[u32], to: f64) -> Result<Vec<String>, String> {
    let param = Param::new(table());
    let f = || {
        let rows = Ids::new(rows)?;
        param.update_rows(&rows, |_, row| {
            let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
            if norm > to {
                row.iter_mut().for_each(|x| *x *= to / norm);
            }
        })?;
        Ok(embedding(&param.value(), &ids(), &EmbeddingOptions::default())?.square())
    };
    let plain =
        |table: &Tensor<f64>| Ok(embedding(table, &ids(), &EmbeddingOptions::default())?.square());
    let limit = MaxNorm {
        max_norm: 1.0,
        norm_type: 2.0,
    };
    let checked = check_max_norm(
        "lookup",
        f,
        plain,
        &param,
        &ids(),
        limit,
        &Options::default(),
    );
    let told = checked.map(|report| report.conventions);
    told.map_err(|failure| failure.to_string())
}

#[test]
fn of_renormalised_rows() {
    let told = renormalised(&[0, 1, 2], 1.0).unwrap();
    assert_eq!(
        told,
        ["rows are renormalised in place before they are read, which is not differentiated"]
    );
    let text = renormalised(&[0, 1], 1.0).unwrap_err();
    assert!(
        text.starts_with("lookup: row 2 of norm 5 is [3.0, -4.0] after the lookup"),
        "{text}"
    );
    assert!(
        renormalised(&[0, 1, 2], 2.0).is_err(),
        "a limit that is too long"
    );
    assert!(
        renormalised(&[0, 1, 2], 0.5).is_err(),
        "rows shortened that were short enough"
    );
}
