//! Recurrences over whole sequences as one operation each: what is kept between steps is written where it stays.

mod composed;
mod sequence;

pub use lexigrad_kernels::recurrent::Nonlinearity;

use lexigrad_kernels::recurrent::{Gru, Lstm};
use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::lengths::check_lengths;
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::weight::Weight;
use composed::Steps;

/// The weights of a recurrence of G gates, which stand one above the other in PyTorch's order.
#[derive(Clone)]
pub struct RecurrentWeights<T: Element = f32> {
    /// `W_ih: [G H, I]`
    pub weight_ih: Weight<T>,
    /// `W_hh: [G H, H]`
    pub weight_hh: Weight<T>,
    /// `b_ih` and `b_hh`, `[G H]` each.
    pub biases: Option<[Tensor<T>; 2]>,
}

/// How a recurrence goes through the sequences of a batch. The default: all of their steps, forwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// How many steps each sequence has; what comes after is padding, in which it keeps its state. 0 is a length.
    pub lengths: Option<Vec<usize>>,
    /// From the last step to the first; each sequence starts at its own last.
    pub reverse: bool,
}

/// `h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`, `x: [L, B, I]`: the hidden states `[L, B, H]`, zeros in the padding, and
/// the last one, `[B, H]`, from a first one of that shape.
///
/// Values in the padding of x never matter, but an infinity or NaN there spoils the gradient of W_ih.
///
/// # Errors
/// If a shape does not fit, the lengths are not one for each sequence, or one is beyond x.
///
/// PyTorch: `nn.RNN` of one layer in one direction, with lengths instead of packed sequences.
#[compiled]
pub fn rnn_sequence<T: Element>(
    x: &Tensor<T>,
    state: &Tensor<T>,
    weights: &RecurrentWeights<T>,
    nonlinearity: Nonlinearity,
    walk: &Walk,
) -> Result<(Tensor<T>, Tensor<T>)> {
    let (output, [last]) = run(nonlinearity, x, [state], weights, walk)?;
    Ok((output, last))
}

/// `c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)` with `i, f, g, o = σ, σ, tanh, σ of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh`,
/// `x: [L, B, I]`: the hidden states `[L, B, H]`, zeros in the padding, and the last h and c, `[B, H]`, from first ones.
///
/// ```
/// use lexigrad_tensor::{RecurrentWeights, Tensor, Walk, lstm_sequence};
/// let weights = RecurrentWeights {
///     weight_ih: Tensor::ones([4 * 3, 2]).into(),
///     weight_hh: Tensor::zeros([4 * 3, 3]).into(),
///     biases: None,
/// };
/// let (x, zeros): (Tensor, Tensor) = (Tensor::ones([5, 2, 2]), Tensor::zeros([2, 3]));
/// let walk = Walk { lengths: Some(vec![5, 1]), reverse: false };
/// let (output, [hidden, _memory]) = lstm_sequence(&x, [&zeros, &zeros], &weights, &walk)?;
/// assert_eq!(output.narrow(0, 0, 1)?.narrow(1, 1, 1)?.to_vec(), hidden.narrow(0, 1, 1)?.to_vec());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// Values in the padding of x never matter, but an infinity or NaN there spoils the gradient of W_ih.
///
/// # Errors
/// If a shape does not fit, the lengths are not one for each sequence, or one is beyond x.
///
/// PyTorch: `nn.LSTM` of one layer in one direction, with lengths instead of packed sequences.
#[compiled]
pub fn lstm_sequence<T: Element>(
    x: &Tensor<T>,
    state: [&Tensor<T>; 2],
    weights: &RecurrentWeights<T>,
    walk: &Walk,
) -> Result<(Tensor<T>, [Tensor<T>; 2])> {
    run(Lstm, x, state, weights, walk)
}

/// `h_t = (1 - z) n + z h_{t-1}` with `r, z = σ of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh` and
/// `n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))`, the gates r, z, n, `x: [L, B, I]`: the hidden states `[L, B, H]`, zeros
/// in the padding, and the last one, `[B, H]`, from a first one of that shape.
///
/// Values in the padding of x never matter, but an infinity or NaN there spoils the gradient of W_ih.
///
/// # Errors
/// If a shape does not fit, the lengths are not one for each sequence, or one is beyond x.
///
/// PyTorch: `nn.GRU` of one layer in one direction, with lengths instead of packed sequences.
#[compiled]
pub fn gru_sequence<T: Element>(
    x: &Tensor<T>,
    state: &Tensor<T>,
    weights: &RecurrentWeights<T>,
    walk: &Walk,
) -> Result<(Tensor<T>, Tensor<T>)> {
    let (output, [last]) = run(Gru, x, [state], weights, walk)?;
    Ok((output, last))
}

/// The hidden states and the last state of a recurrence whose state is N tensors.
fn run<T: Element, C: Steps<T>, const N: usize>(
    cell: C,
    x: &Tensor<T>,
    state: [&Tensor<T>; N],
    weights: &RecurrentWeights<T>,
    walk: &Walk,
) -> Result<(Tensor<T>, [Tensor<T>; N])> {
    check(C::NAME, C::GATES, x, &state, weights, walk)?;
    let whole = sequence::apply_to(cell, x, &state, weights, walk)?;
    let steps = x.shape()[0];
    let mut last = state.map(Tensor::clone);
    for (index, part) in last.iter_mut().enumerate() {
        *part = whole.narrow(0, steps + index, 1)?.squeeze(0)?;
    }
    Ok((whole.narrow(0, 0, steps)?, last))
}

fn check<T: Element>(
    name: &'static str,
    gates: usize,
    x: &Tensor<T>,
    state: &[&Tensor<T>],
    weights: &RecurrentWeights<T>,
    walk: &Walk,
) -> Result<()> {
    let [steps, batch, inputs] = x.shape()[..] else {
        let rule = "it must be [length, batch, inputs]";
        return Err(Error::shape(name, "the input", x.shape(), rule));
    };
    let [weight_ih, weight_hh] = [&weights.weight_ih.value, &weights.weight_hh.value];
    let hidden = *weight_hh.shape().last().unwrap_or(&0);
    let must_be = |operand: &str, tensor: &Tensor<T>, shape: &[usize]| {
        if tensor.shape()[..] == *shape {
            return Ok(());
        }
        let rule = format!("it must be {}", Shape::from(shape));
        Err(Error::shape(name, operand, tensor.shape(), rule))
    };
    let rows = gates * hidden;
    must_be("the weight of h", weight_hh, &[rows, hidden])?;
    must_be("the weight of x", weight_ih, &[rows, inputs])?;
    for bias in weights.biases.iter().flatten() {
        must_be("a bias", bias, &[rows])?;
    }
    for part in state {
        must_be("the state", part, &[batch, hidden])?;
    }
    match &walk.lengths {
        Some(lengths) => check_lengths(name, ["input", "steps"], lengths, batch, steps),
        None => Ok(()),
    }
}
