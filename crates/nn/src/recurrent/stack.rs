//! Layers of a recurrence, in one or two directions, over sequences of different lengths.

use lexigrad_tensor::{
    Element, Error, Module, RecurrentWeights, Result, Shape, Tensor, Visitor, Walk, cat, dropout,
    stack,
};
use rand::Rng;

use super::parameters::CellParameters;
use super::{CellConfig, RecurrentConfig};
use crate::sequence::{axes, check_input_lengths, without_padding};
use crate::start;

/// N tensors that users know as one state, the hidden state first.
pub(super) trait State<T: Element, const N: usize> {
    fn parts(&self) -> [&Tensor<T>; N];

    fn of(parts: [Tensor<T>; N]) -> Self;
}

impl<T: Element> State<T, 1> for Tensor<T> {
    fn parts(&self) -> [&Tensor<T>; 1] {
        [self]
    }

    fn of([state]: [Tensor<T>; 1]) -> Self {
        state
    }
}

/// A recurrence whose state is N tensors `[B, H]`, the hidden state first.
pub(super) trait Recurrence<T: Element, const N: usize> {
    /// What errors call it.
    const NAME: &'static str;

    /// The state as users know it.
    type State: State<T, N>;

    /// The hidden states `[L, B, H]` and the last state from a first one, `x: [L, B, I]`.
    fn run(
        &self,
        x: &Tensor<T>,
        state: [&Tensor<T>; N],
        weights: &RecurrentWeights<T>,
        walk: &Walk,
    ) -> Result<(Tensor<T>, [Tensor<T>; N])>;

    /// One step from an input `[B, I]`, starting from zeros if there is no state yet.
    fn first_step(
        &self,
        x: &Tensor<T>,
        state: Option<&Self::State>,
        parameters: &CellParameters<T>,
    ) -> Result<Self::State> {
        let [batch, _] = x.shape()[..] else {
            let rule = "it must be [batch, inputs]";
            return Err(Error::shape(Self::NAME, "the input", x.shape(), rule));
        };
        let shape = Shape::from([batch, parameters.hidden_size()]);
        let state = initial(Self::NAME, state.map(State::parts), &shape)?;
        let (state, weights) = (state.each_ref(), parameters.read());
        let (_, next) = self.run(&x.unsqueeze(0)?, state, &weights, &Walk::default())?;
        Ok(State::of(next))
    }
}

/// The given state, or zeros.
fn initial<T: Element, const N: usize>(
    name: &'static str,
    state: Option<[&Tensor<T>; N]>,
    shape: &Shape,
) -> Result<[Tensor<T>; N]> {
    let Some(state) = state else {
        let zeros = Tensor::try_zeros(shape)?;
        return Ok(std::array::from_fn(|_| zeros.clone()));
    };
    match state.iter().find(|part| part.shape() != shape) {
        Some(part) => {
            let rule = format!("it must be {shape}");
            Err(Error::shape(name, "the state", part.shape(), rule))
        }
        None => Ok(state.map(Tensor::clone)),
    }
}

/// The parameters of all layers and directions.
#[derive(Clone, Debug)]
pub(super) struct Stack<T: Element> {
    /// Layer after layer, in each the forward direction first.
    cells: Vec<CellParameters<T>>,
    config: RecurrentConfig,
}

impl<T: Element> Module<T> for Stack<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        let directions = self.config.directions();
        for (index, cell) in self.cells.iter().enumerate() {
            let direction = ["", "_reverse"][index % directions];
            cell.visit_as(&format!("_l{}{direction}", index / directions), visitor);
        }
    }
}

impl<T: Element> Stack<T> {
    pub(super) fn new(
        layer: &'static str,
        config: &RecurrentConfig,
        gates: usize,
        rng: &mut (impl Rng + ?Sized),
    ) -> Result<Self> {
        config.check(layer)?;
        let directions = config.directions();
        let count = config.num_layers.saturating_mul(directions);
        let cells = start::repeat(layer, count, |index| {
            let input_size = if index < directions {
                config.input_size
            } else {
                config.hidden_size.saturating_mul(directions)
            };
            let cell = CellConfig {
                input_size,
                hidden_size: config.hidden_size,
                bias: config.bias,
            };
            cell.parameters(layer, gates, rng)
        })?;
        Ok(Self {
            cells,
            config: config.clone(),
        })
    }

    pub(super) fn config(&self) -> &RecurrentConfig {
        &self.config
    }

    pub(super) fn cell(&self, layer: usize, direction: usize) -> Option<&CellParameters<T>> {
        let directions = self.config.directions();
        let exists = direction < directions;
        self.cells
            .get(layer * directions + direction)
            .filter(|_| exists)
    }

    /// The outputs of the last layer, and the last state of each layer and direction.
    pub(super) fn forward<R: Recurrence<T, N>, const N: usize>(
        &self,
        rule: &R,
        x: &Tensor<T>,
        lengths: Option<&[usize]>,
        state: Option<&R::State>,
    ) -> Result<(Tensor<T>, R::State)> {
        let config = &self.config;
        let batch = self.check(R::NAME, x, lengths)?;
        let states = Shape::from([self.cells.len(), batch, config.hidden_size]);
        let initial = initial(R::NAME, state.map(State::parts), &states)?;
        let time_first = |x: &Tensor<T>| {
            if config.batch_first {
                x.transpose(0, 1)
            } else {
                Ok(x.clone())
            }
        };
        let mut x = time_first(x)?;
        if let Some(lengths) = lengths {
            x = without_padding(&x, lengths, false)?;
        }
        let mut last = Vec::with_capacity(self.cells.len());
        for (layer, cells) in self.cells.chunks(config.directions()).enumerate() {
            let mut outputs = Vec::with_capacity(cells.len());
            for (direction, cell) in cells.iter().enumerate() {
                let index = layer * cells.len() + direction;
                let start = pick(&initial, index)?;
                let walk = Walk {
                    lengths: lengths.map(<[usize]>::to_vec),
                    reverse: direction == 1,
                };
                let (output, end) = rule.run(&x, start.each_ref(), &cell.read(), &walk)?;
                outputs.push(output);
                last.push(end);
            }
            x = match &outputs[..] {
                [output] => output.clone(),
                both => cat(&both.iter().collect::<Vec<_>>(), -1)?,
            };
            if layer + 1 < config.num_layers {
                x = dropout(&x, config.dropout)?;
            }
        }
        Ok((time_first(&x)?, State::of(stack_states(&last)?)))
    }

    /// Checks the input and gives the batch size.
    fn check(&self, name: &'static str, x: &Tensor<T>, lengths: Option<&[usize]>) -> Result<usize> {
        let (size, batch_first) = (self.config.input_size, self.config.batch_first);
        let (length, batch) = match x.shape()[..] {
            [batch, length, inputs] if batch_first && inputs == size => (length, batch),
            [length, batch, inputs] if !batch_first && inputs == size => (length, batch),
            _ => {
                let rule = format!("it must be [{}, {size}]", axes(batch_first));
                return Err(Error::shape(name, "the input", x.shape(), rule));
            }
        };
        if let Some(lengths) = lengths {
            check_input_lengths(name, lengths, batch, length)?;
        }
        Ok(batch)
    }
}

/// The state `[B, H]` of one layer and direction out of `[layers directions, B, H]`.
fn pick<T: Element, const N: usize>(
    states: &[Tensor<T>; N],
    index: usize,
) -> Result<[Tensor<T>; N]> {
    let mut picked = states.clone();
    for part in &mut picked {
        *part = part.narrow(0, index, 1)?.squeeze(0)?;
    }
    Ok(picked)
}

/// The states of all layers and directions, `[layers directions, B, H]`.
fn stack_states<T: Element, const N: usize>(states: &[[Tensor<T>; N]]) -> Result<[Tensor<T>; N]> {
    let mut stacked = states[0].clone();
    for (part, whole) in stacked.iter_mut().enumerate() {
        let parts: Vec<&Tensor<T>> = states.iter().map(|state| &state[part]).collect();
        *whole = stack(&parts, 0)?;
    }
    Ok(stacked)
}
