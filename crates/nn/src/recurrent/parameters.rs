//! The parameters of one layer in one direction.

use lexigrad_tensor::{Element, Param, RecurrentWeights, Result, Visitor};
use rand::Rng;

use crate::start;

/// The weights of a cell of G gates, stacked in PyTorch's order: they compute `W_ih x + b_ih` and `W_hh h + b_hh`.
#[derive(Clone, Debug, crate::Module)]
pub struct CellParameters<T: Element = f32> {
    /// `W_ih: [G H, I]`
    pub weight_ih: Param<T>,
    /// `W_hh: [G H, H]`
    pub weight_hh: Param<T>,
    /// `b_ih: [G H]`, unless the cell has no biases.
    pub bias_ih: Option<Param<T>>,
    /// `b_hh: [G H]`, unless the cell has no biases.
    pub bias_hh: Option<Param<T>>,
}

/// The sizes of an [`RnnCell`](crate::RnnCell), [`LstmCell`](crate::LstmCell) or [`GruCell`](crate::GruCell), and whether it has
/// biases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CellConfig {
    /// The size of an input.
    pub input_size: usize,
    /// H, the size of a hidden state.
    pub hidden_size: usize,
    /// Whether the gates have biases.
    pub bias: bool,
}

impl CellConfig {
    /// A cell of these sizes with biases.
    pub fn new(input_size: usize, hidden_size: usize) -> Self {
        Self {
            input_size,
            hidden_size,
            bias: true,
        }
    }

    /// All parameters of `gates` gates, evenly drawn between ±1/√H.
    ///
    /// # Errors
    /// If there is no memory for them.
    pub(super) fn parameters<T: Element>(
        &self,
        layer: &'static str,
        gates: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<CellParameters<T>> {
        let hidden = self.hidden_size;
        let rows = hidden.saturating_mul(gates);
        let mut draw = |shape: &[usize]| start::uniform(layer, shape, hidden, rng);
        Ok(CellParameters {
            weight_ih: draw(&[rows, self.input_size])?,
            weight_hh: draw(&[rows, hidden])?,
            bias_ih: self.bias.then(|| draw(&[rows])).transpose()?,
            bias_hh: self.bias.then(|| draw(&[rows])).transpose()?,
        })
    }
}

impl<T: Element> CellParameters<T> {
    pub(super) fn hidden_size(&self) -> usize {
        self.weight_hh.shape()[1]
    }

    /// The values, read once for all steps of a sequence.
    pub(super) fn read(&self) -> RecurrentWeights<T> {
        let biases = self.bias_ih.as_ref().zip(self.bias_hh.as_ref());
        RecurrentWeights {
            weight_ih: (&self.weight_ih).into(),
            weight_hh: (&self.weight_hh).into(),
            biases: biases.map(|(of_input, of_hidden)| [of_input.value(), of_hidden.value()]),
        }
    }

    /// Shows the parameters under their names followed by `suffix`.
    pub(super) fn visit_as(&self, suffix: &str, visitor: &mut Visitor<'_, T>) {
        visitor.field(&format!("weight_ih{suffix}"), &self.weight_ih);
        visitor.field(&format!("weight_hh{suffix}"), &self.weight_hh);
        visitor.field(&format!("bias_ih{suffix}"), &self.bias_ih);
        visitor.field(&format!("bias_hh{suffix}"), &self.bias_hh);
    }
}
