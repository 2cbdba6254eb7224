//! The gated recurrent unit (Cho et al. 2014).

use lexigrad_macros::compiled;
use lexigrad_tensor::{
    Element, Module, RecurrentWeights, Result, Tensor, Visitor, Walk, gru_sequence,
};
use rand::Rng;

use super::parameters::{CellConfig, CellParameters};
use super::stack::{Recurrence, Stack};
use super::{RecurrentConfig, recurrent};
use crate::start;

/// The recurrence of a [`Gru`].
struct Gates;

/// How many gates there are: the weights have so many times H rows.
const GATES: usize = 3;

impl<T: Element> Recurrence<T, 1> for Gates {
    const NAME: &'static str = "gru";
    type State = Tensor<T>;

    fn run(
        &self,
        x: &Tensor<T>,
        [state]: [&Tensor<T>; 1],
        weights: &RecurrentWeights<T>,
        walk: &Walk,
    ) -> Result<(Tensor<T>, [Tensor<T>; 1])> {
        let (output, last) = gru_sequence(x, state, weights, walk)?;
        Ok((output, [last]))
    }
}

/// `h_t = (1 - z) n + z h_{t-1}`, `x: [L, B, I]`, `h: [L, B, directions H]`, with
/// `r, z = σ of W_ih x_t + b_ih + W_hh h_{t-1} + b_hh` and `n = tanh(W_in x_t + b_in + r (W_hn h_{t-1} + b_hn))`, the weights of
/// the three gates r, z, n one above the other.
///
/// With lengths, padding changes neither a result nor a gradient; a sequence of length 0 ends in its initial state. All
/// parameters start evenly drawn between ±1/√H.
///
/// ```
/// use lexigrad_nn::Gru;
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let gru = Gru::new(3, 4, &mut StdRng::seed_from_u64(1));
/// let (output, last) = gru.forward(&Tensor::ones([5, 2, 3]))?;
/// assert_eq!(output.narrow(0, 4, 1)?.to_vec(), last.to_vec());
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.GRU`, with the same names, layout and order of the parameters. Differences: lengths take the place of packed
/// sequences and need no order; 0 is a length, and the input may have no step; there is always a batch axis.
#[derive(Clone, Debug)]
pub struct Gru<T: Element = f32> {
    stack: Stack<T>,
}

impl RecurrentConfig {
    /// A [`Gru`], with parameters drawn from `rng`.
    ///
    /// # Errors
    /// If there is no layer, `dropout` is not between 0 and 1, or there is no memory for the parameters.
    pub fn gru<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<Gru<T>> {
        let stack = Stack::new("gru", self, GATES, rng)?;
        Ok(Gru { stack })
    }
}

impl Gru {
    /// One layer in one direction, time first, in `f32`.
    ///
    /// # Panics
    /// If there is no memory for the parameters.
    #[track_caller]
    pub fn new(input_size: usize, hidden_size: usize, rng: &mut (impl Rng + ?Sized)) -> Self {
        let config = RecurrentConfig::new(input_size, hidden_size);
        start::or_panic(config.gru(rng))
    }
}

#[compiled]
impl<T: Element> Gru<T> {
    /// The cell of a layer in a direction (0 forward, 1 backward), sharing its parameters; `None` if there is no such one.
    pub fn cell(&self, layer: usize, direction: usize) -> Option<GruCell<T>> {
        let parameters = self.stack.cell(layer, direction)?.clone();
        Some(GruCell { parameters })
    }
}

/// `h' = (1 - z) n + z h`, `x: [B, I]`, `h: [B, H]`: one step of a [`Gru`].
///
/// ```
/// use lexigrad_nn::{CellConfig, GruCell};
/// use lexigrad_tensor::Tensor;
/// use rand::{SeedableRng, rngs::StdRng};
/// let cell: GruCell = CellConfig::new(3, 4).gru(&mut StdRng::seed_from_u64(1))?;
/// let mut state = None;
/// for _word in 0..5 {
///     state = Some(cell.forward(&Tensor::ones([2, 3]), state.as_ref())?);
/// }
/// assert_eq!(*state.unwrap().shape(), [2, 4]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// PyTorch: `nn.GRUCell`. Difference: there is always a batch axis.
#[derive(Clone, Debug)]
pub struct GruCell<T: Element = f32> {
    /// The weights of the gates r, z, n.
    pub parameters: CellParameters<T>,
}

impl CellConfig {
    /// A [`GruCell`], with parameters drawn from `rng`.
    pub fn gru<T: Element>(&self, rng: &mut (impl Rng + ?Sized)) -> Result<GruCell<T>> {
        let parameters = self.parameters("gru_cell", GATES, rng)?;
        Ok(GruCell { parameters })
    }
}

recurrent!(Gru, GruCell, Tensor<T>, |_| Gates);
