//! Long short-term memory (Hochreiter and Schmidhuber 1997).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Module, RecurrentWeights, Result, Tensor, Visitor, Walk, lstm_sequence,
};
use rand::Rng;

use super::parameters::{CellConfig, CellParameters};
use super::stack::{Recurrence, Stack, State};
use super::{RecurrentConfig, recurrent};
use crate::start;

/// The recurrence of an [`Lstm`].
struct Gates;

/// How many gates there are: the weights have so many times H rows.
const GATES: usize = 4;

impl<T: Element> Recurrence<T, 2> for Gates {
    const NAME: &'static str = "lstm";
    type State = LstmState<T>;

    fn run(
        &self,
        x: &Tensor<T>,
        state: [&Tensor<T>; 2],
        weights: &RecurrentWeights<T>,
        walk: &Walk,
    ) -> Result<(Tensor<T>, [Tensor<T>; 2])> {
        lstm_sequence(x, state, weights, walk)
    }
}

/// The state of an [`Lstm`], `[layers directions, B, H]` each, or of an [`LstmCell`], `[B, H]` each.
#[derive(Clone)]
pub struct LstmState<T: Element = f32> {
    /// h, what the layer gives out.
    pub hidden: Tensor<T>,
    /// c, what it remembers.
    pub cell: Tensor<T>,
}

impl<T: Element> State<T, 2> for LstmState<T> {
    fn parts(&self) -> [&Tensor<T>; 2] {
        [&self.hidden, &self.cell]
    }

    fn of([hidden, cell]: [Tensor<T>; 2]) -> Self {
        Self { hidden, cell }
    }
}

/// `c_t = f c_{t-1} + i g`, `h_t = o tanh(c_t)` with `i, f, g, o = σ, σ, tanh, σ of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh`,
/// `x: [L, B, I]`, `h: [L, B, directions H]`, the weights of the four gates one above the other.
///
/// With lengths, padding changes neither a result nor a gradient; a sequence of length 0 ends in its initial state. All
/// parameters start evenly drawn between ±1/√H.
///
/// ```
/// use lexigrad_nn::{Lstm, RecurrentConfig};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = RecurrentConfig { bidirectional: true, batch_first: true, ..RecurrentConfig::new(3, 4) };
/// let lstm: Lstm = config.lstm(&mut StdRng::seed_from_u64(1))?;
/// let (output, last) = lstm.forward_with(&Tensor::ones([2, 5, 3]), Some(&[5, 2]), None)?;
/// assert_eq!((output.shape().to_vec(), last.cell.shape().to_vec()), (vec![2, 5, 8], vec![2, 2, 4]));
/// assert_eq!(output.narrow(0, 1, 1)?.narrow(1, 2, 3)?.to_vec(), [0.0; 24]); // padding
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// Back-propagation is truncated by handing the state on, since a tensor of an ended tape is a constant:
///
/// ```
/// # use lexigrad_nn::Lstm;
/// # use lexigrad_tensor::{Tape, Tensor};
/// # use rand::{SeedableRng, rngs::StdRng};
/// # let lstm = Lstm::new(3, 4, &mut StdRng::seed_from_u64(1));
/// let text = Tensor::ones([6, 1, 3]);
/// let mut state = None;
/// for part in text.split(&[3, 3], 0)? {
///     let tape = Tape::new();
///     let (output, last) = lstm.forward_with(&part, None, state.as_ref())?;
///     let _grads = tape.backward(&output.sum())?;
///     state = Some(last);
/// }
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.LSTM`, with the same names, layout and order of the parameters. Differences: lengths take the place of packed
/// sequences and need no order; 0 is a length, and the input may have no step; there is always a batch axis; there is no
/// `proj_size`.
#[derive(Clone, Debug)]
pub struct Lstm<T: Element = f32> {
    stack: Stack<T>,
}

impl RecurrentConfig {
    /// An [`Lstm`], with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If there is no layer, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn lstm<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Lstm<T>> {
        let stack = Stack::new("lstm", self, GATES, rng)?;
        Ok(Lstm { stack })
    }
}

impl Lstm {
    /// One layer in one direction, time first, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(input_size: usize, hidden_size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let config = RecurrentConfig::new(input_size, hidden_size);
        start::or_panic(config.lstm(rng))
    }
}

#[compiled]
impl<T: Element> Lstm<T> {
    /// The cell of a layer in a direction (0 forward, 1 backward), sharing its parameters; `None` if there is no such one.
    pub fn cell(&self, layer: usize, direction: usize) -> Option<LstmCell<T>> {
        let parameters = self.stack.cell(layer, direction)?.clone();
        Some(LstmCell { parameters })
    }
}

/// `c' = f c + i g`, `h' = o tanh(c')`, `x: [B, I]`, `h` and `c: [B, H]`: one step of an [`Lstm`].
///
/// ```
/// use lexigrad_nn::{CellConfig, LstmCell};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let cell: LstmCell = CellConfig::new(3, 4).lstm(&mut StdRng::seed_from_u64(1))?;
/// let mut state = None;
/// for _word in 0..5 {
///     state = Some(cell.forward(&Tensor::ones([2, 3]), state.as_ref())?);
/// }
/// assert_eq!(*state.unwrap().hidden.shape(), [2, 4]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.LSTMCell`. Difference: there is always a batch axis.
#[derive(Clone, Debug)]
pub struct LstmCell<T: Element = f32> {
    /// The weights of the gates i, f, g, o.
    pub parameters: CellParameters<T>,
}

impl CellConfig {
    /// An [`LstmCell`], with parameters drawn from `rng`.
    pub fn lstm<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<LstmCell<T>> {
        let parameters = self.parameters("lstm_cell", GATES, rng)?;
        Ok(LstmCell { parameters })
    }
}

recurrent!(Lstm, LstmCell, LstmState<T>, |_| Gates);
