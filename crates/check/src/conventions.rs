//! Gradients that are no derivatives, held against their definition: padding, scaling by frequency, renormalised rows.

use lexigrad_tensor::{EmbeddingOptions, Error, Ids, Param, Result, Tensor};

use crate::gradcheck::first_order;
use crate::options::Options;
use crate::report::{Failure, Report};
use crate::subject::Subject;

/// Holds the gradient of a lookup against its definition: row r gets `c[r] ∂<u, f>/∂table[r]` with `c = 0` for the padding row, and
/// `c = 1 / (how often r is in ids)` if gradients are scaled by frequency.
///
/// The report says, row by row, where the gradient is not the derivative and why.
///
/// ```
/// use lexigrad_check::{Options, check_conventions};
/// use lexigrad_tensor::{EmbeddingOptions, Ids, Tensor, embedding};
/// let ids = Ids::new([0, 2, 2])?;
/// let table = Tensor::new([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]]);
/// let lookup = EmbeddingOptions { padding: Some(0), scale_grad_by_freq: true, ..Default::default() };
/// let f = |table: &Tensor<f64>| Ok(embedding(table, &ids, &lookup)?.square());
/// let report = check_conventions("lookup", f, &table, &ids, &lookup, &Options::default())?;
/// assert_eq!(report.conventions[0], "row 0 is the padding and gets no gradient");
/// assert_eq!(report.conventions[1], "row 2 was looked up 2 times, by which its gradient is divided");
/// # Ok::<(), lexigrad_check::Failure>(())
/// ```
///
/// # Errors
/// The first gradient that is not the definition's, or the error of the function.
pub fn check_conventions(
    name: &str,
    f: impl Fn(&Tensor<f64>) -> Result<Tensor<f64>>,
    table: &Tensor<f64>,
    ids: &Ids,
    lookup: &EmbeddingOptions,
    options: &Options,
) -> Result<Report, Failure> {
    let rows = table.shape().first().copied().unwrap_or(0);
    let mut factors = vec![1.0; rows];
    let mut told = Vec::new();
    for (row, factor) in factors.iter_mut().enumerate() {
        let same = ids.as_slice().iter().filter(|&&id| id as usize == row);
        let count = same.count();
        if lookup
            .padding
            .is_some_and(|padding| padding as usize == row)
        {
            *factor = 0.0;
            told.push(format!("row {row} is the padding and gets no gradient"));
        } else if lookup.scale_grad_by_freq && count > 1 {
            *factor = 1.0 / count as f64;
            told.push(format!(
                "row {row} was looked up {count} times, by which its gradient is divided"
            ));
        }
    }
    let of_table = |inputs: &[Tensor<f64>]| f(&inputs[0]);
    let inputs = std::slice::from_ref(table);
    let mut subject = Subject::new(name, &of_table, inputs, options.seed);
    subject.variables[0].row_factors = Some(factors);
    let mut report = first_order(&subject, options)?;
    report.conventions = told;
    Ok(report)
}

/// The longest that a row may be when it is looked up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxNorm {
    /// The longest norm.
    pub max_norm: f64,
    /// Which norm: p of `(Σ |x|^p)^(1/p)`.
    pub norm_type: f64,
}

/// Holds a lookup that renormalises rows in place against its definition: each row of `ids` that was longer is scaled to the
/// longest norm before it is read, no other row changes, and the gradient is that of `plain`, the same function without
/// renormalisation, at the new table: the scaling itself is not differentiated.
///
/// # Errors
/// If a row is not as it should be, or the gradient is not the definition's.
///
/// PyTorch: `max_norm` of `nn.Embedding`.
pub fn check_max_norm(
    name: &str,
    f: impl Fn() -> Result<Tensor<f64>>,
    plain: impl Fn(&Tensor<f64>) -> Result<Tensor<f64>>,
    table: &Param<f64>,
    ids: &Ids,
    limit: MaxNorm,
    options: &Options,
) -> Result<Report, Failure> {
    let before = table.value().detach();
    f()?;
    let after = table.value().detach();
    let size: usize = before.shape().iter().skip(1).product();
    let rows = before.values().len().checked_div(size).unwrap_or(0);
    for row in 0..rows {
        let was = &before.values()[row * size..(row + 1) * size];
        let is = &after.values()[row * size..(row + 1) * size];
        check_row(name, row, was, is, ids, limit)?;
    }
    // The library's gradient of f by the table, against the slopes of the plain function.
    let gradient_of_f = |cotangent: &Tensor<f64>| -> Result<Tensor<f64>> {
        let tape = lexigrad_tensor::Tape::seeded(options.seed);
        let output = f()?;
        let gradients = tape.backward_with(&output, cotangent)?;
        Ok(gradients
            .dense(table)?
            .unwrap_or_else(|| Tensor::zeros(after.shape())))
    };
    let of_table = |inputs: &[Tensor<f64>]| plain(&inputs[0]);
    let subject = Subject::new(name, &of_table, std::slice::from_ref(&after), options.seed);
    let mut report = first_order(&subject, options)?;
    let output = plain(&after)?;
    let ones = Tensor::ones(output.shape());
    let expected = subject
        .consumed(std::slice::from_ref(&after), &ones)?
        .swap_remove(0);
    let found = gradient_of_f(&ones)?;
    let pairs = expected.to_vec().into_iter().zip(found.to_vec());
    for (position, (expected, found)) in pairs.enumerate() {
        let close = (expected - found).abs() <= options.atol + options.rtol * expected.abs();
        if !close {
            let (row, column) = (position / size, position % size);
            let message = format!(
                "the gradient at [{row}, {column}] is {found:e}; it must be {expected:e}, that of the renormalised rows"
            );
            return Err(Error::other(name, message).into());
        }
    }
    report.conventions = vec![
        "rows are renormalised in place before they are read, which is not differentiated"
            .to_owned(),
    ];
    Ok(report)
}

fn check_row(
    name: &str,
    row: usize,
    was: &[f64],
    is: &[f64],
    ids: &Ids,
    limit: MaxNorm,
) -> Result<()> {
    let p = limit.norm_type;
    let norm = if p.is_infinite() {
        was.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()))
    } else {
        was.iter()
            .map(|x| x.abs().powf(p))
            .sum::<f64>()
            .powf(1.0 / p)
    };
    let looked_up = ids.as_slice().iter().any(|&id| id as usize == row);
    let factor = if looked_up && norm > limit.max_norm {
        limit.max_norm / norm
    } else {
        1.0
    };
    let tolerance = if factor == 1.0 { 0.0 } else { 1e-6 };
    let right =
        |(was, is): (&f64, &f64)| (was * factor - is).abs() <= tolerance * (1.0 + was.abs());
    if was.iter().zip(is).all(right) {
        return Ok(());
    }
    let message = format!(
        "row {row} of norm {norm} is {is:?} after the lookup; it must be {was:?} times {factor} (longest norm {})",
        limit.max_norm
    );
    Err(Error::other(name, message))
}
