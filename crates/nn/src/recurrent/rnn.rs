//! The simple recurrent layer.

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Module, Nonlinearity, RecurrentWeights, Result, Tensor, Visitor, Walk, rnn_sequence,
};
use rand::Rng;

use super::parameters::{CellConfig, CellParameters};
use super::stack::{Recurrence, Stack};
use super::{RecurrentConfig, recurrent};
use crate::start;

impl<T: Element> Recurrence<T, 1> for Nonlinearity {
    const NAME: &'static str = "rnn";
    type State = Tensor<T>;

    fn run(
        &self,
        x: &Tensor<T>,
        [state]: [&Tensor<T>; 1],
        weights: &RecurrentWeights<T>,
        walk: &Walk,
    ) -> Result<(Tensor<T>, [Tensor<T>; 1])> {
        let (output, last) = rnn_sequence(x, state, weights, *self, walk)?;
        Ok((output, [last]))
    }
}

/// `h_t = φ(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)`, `x: [L, B, I]`, `h: [L, B, directions H]`, φ being tanh or relu.
///
/// With lengths, padding changes neither a result nor a gradient; a sequence of length 0 ends in its initial state. All
/// parameters start evenly drawn between ±1/√H.
///
/// ```
/// use lexigrad_nn::{Module, Nonlinearity, RecurrentConfig, Rnn};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let config = RecurrentConfig { num_layers: 2, ..RecurrentConfig::new(3, 4) };
/// let rnn: Rnn = config.rnn(Nonlinearity::Relu, &mut StdRng::seed_from_u64(1))?;
/// assert_eq!(rnn.named_parameters()[4].0, "weight_ih_l1");
/// let (output, last) = rnn.forward(&Tensor::ones([5, 2, 3]))?;
/// assert_eq!((output.shape().to_vec(), last.shape().to_vec()), (vec![5, 2, 4], vec![2, 2, 4]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.RNN`, with the same names, layout and order of the parameters. Differences: lengths take the place of packed
/// sequences and need no order; 0 is a length, and the input may have no step; there is always a batch axis.
#[derive(Clone, Debug)]
pub struct Rnn<T: Element = f32> {
    stack: Stack<T>,
    nonlinearity: Nonlinearity,
}

impl RecurrentConfig {
    /// An [`Rnn`], with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If there is no layer, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn rnn<T: Element>(
        &self,
        nonlinearity: Nonlinearity,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Rnn<T>> {
        let stack = Stack::new("rnn", self, 1, rng)?;
        Ok(Rnn {
            stack,
            nonlinearity,
        })
    }
}

impl Rnn {
    /// One layer in one direction, time first, with tanh, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(input_size: usize, hidden_size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let config = RecurrentConfig::new(input_size, hidden_size);
        start::or_panic(config.rnn(Nonlinearity::Tanh, rng))
    }
}

#[compiled]
impl<T: Element> Rnn<T> {
    /// The cell of a layer in a direction (0 forward, 1 backward), sharing its parameters; `None` if there is no such one.
    pub fn cell(&self, layer: usize, direction: usize) -> Option<RnnCell<T>> {
        let parameters = self.stack.cell(layer, direction)?.clone();
        Some(RnnCell {
            parameters,
            nonlinearity: self.nonlinearity,
        })
    }
}

/// `h' = φ(W_ih x + b_ih + W_hh h + b_hh)`, `x: [B, I]`, `h: [B, H]`: one step of an [`Rnn`].
///
/// ```
/// use lexigrad_nn::{CellConfig, RnnCell, Nonlinearity};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let cell: RnnCell = CellConfig::new(3, 4).rnn(Nonlinearity::Tanh, &mut StdRng::seed_from_u64(1))?;
/// let mut state = None;
/// for _word in 0..5 {
///     state = Some(cell.forward(&Tensor::ones([2, 3]), state.as_ref())?);
/// }
/// assert_eq!(*state.unwrap().shape(), [2, 4]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.RNNCell`. Difference: there is always a batch axis.
#[derive(Clone, Debug)]
pub struct RnnCell<T: Element = f32> {
    /// The weights.
    pub parameters: CellParameters<T>,
    nonlinearity: Nonlinearity,
}

impl CellConfig {
    /// An [`RnnCell`], with parameters drawn from `rng`.
    pub fn rnn<T: Element>(
        &self,
        nonlinearity: Nonlinearity,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<RnnCell<T>> {
        let parameters = self.parameters("rnn_cell", 1, rng)?;
        Ok(RnnCell {
            parameters,
            nonlinearity,
        })
    }
}

recurrent!(Rnn, RnnCell, Tensor<T>, |of| of.nonlinearity);
