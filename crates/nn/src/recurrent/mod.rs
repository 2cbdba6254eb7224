//! Recurrent layers: `rnn.rs`, `lstm.rs` and `gru.rs` name the recurrences, which are operations of the tensor crate; `stack.rs`
//! makes layers and directions of them, and `layer.rs` gives them their methods.

mod gru;
mod layer;
mod lstm;
mod parameters;
mod rnn;
mod stack;

pub use gru::{Gru, GruCell};
pub use lexigrad_tensor::Nonlinearity;
pub use lstm::{Lstm, LstmCell, LstmState};
pub use parameters::{CellConfig, CellParameters};
pub use rnn::{Rnn, RnnCell};

use layer::recurrent;

use lexigrad_tensor::{Error, Result};

use crate::dropout::check_probability;

/// The sizes and options of an [`Rnn`], [`Lstm`] or [`Gru`], with PyTorch's names and defaults.
///
/// ```
/// use lexigrad_nn::{Gru, RecurrentConfig};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = RecurrentConfig { bidirectional: true, batch_first: true, ..RecurrentConfig::new(4, 8) };
/// let gru: Gru = config.gru(&mut StdRng::seed_from_u64(1))?;
/// let (output, last) = gru.forward(&Tensor::ones([3, 5, 4]))?;
/// assert_eq!(*output.shape(), [3, 5, 2 * 8]);
/// assert_eq!(*last.shape(), [2, 3, 8]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RecurrentConfig {
    /// The size of an input.
    pub input_size: usize,
    /// H, the size of a hidden state.
    pub hidden_size: usize,
    /// How many layers stand on each other.
    pub num_layers: usize,
    /// Whether the gates have biases.
    pub bias: bool,
    /// Whether sequences are `[B, L, ..]`; else they are `[L, B, ..]`.
    pub batch_first: bool,
    /// The probability that a number of an output of a layer, the last apart, is dropped in training.
    pub dropout: f64,
    /// Whether each layer reads the sequence in both directions.
    pub bidirectional: bool,
}

impl RecurrentConfig {
    /// One layer with biases in one direction, time first.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            num_layers: 1,
            bias: true,
            batch_first: false,
            dropout: 0.0,
            bidirectional: false,
        }
    }

    fn directions(&self) -> usize {
        1 + usize::from(self.bidirectional)
    }

    fn check(&self, name: &'static str) -> Result<()> {
        if self.num_layers == 0 {
            return Err(Error::value(name, "num_layers", 0.0, "at least 1"));
        }
        check_probability(name, "dropout", self.dropout)
    }
}
