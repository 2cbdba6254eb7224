//! A mapped table with the rows that moved beside it.

use std::collections::HashMap;

use lexigrad_optim::Rule;
use lexigrad_tensor::{Grad, Gradients, Ids, Param, Tensor};

use super::lookup::Lookup;
use crate::error::{Error, Result};
use crate::vectors::mapped::MappedTable;

/// A table `[V, D]` that is trained, while its file stays as it is: rows that a step moves are copied out first.
///
/// Memory is taken by rows touched, for their numbers and for what the rule remembers of them. A step moves the very bits that an
/// optimizer of the same [`Rule`] moves in an [`Embedding`](lexigrad_nn::Embedding), if the ids of the step are looked up at once.
///
/// ```
/// use lexigrad_optim::Adagrad;
/// use lexigrad_tensor::{Ids, Tape};
/// use lexigrad_text::vectors::{MappedTable, Overlay};
///
/// let folder = tempfile::tempdir()?;
/// let base = MappedTable::create(folder.path().join("table"), 2, (0..1000).map(|row| [row as f32, 0.5]))?;
/// let mut table = Overlay::new(base, Adagrad::new(0.5));
/// let batch = table.lookup(&Ids::new([[3, 7], [3, 999]])?)?;
///
/// let tape = Tape::new();
/// let loss = batch.forward()?.sum();                 // [2, 2, D]
/// let grads = tape.backward(&loss)?;
/// table.step(&batch, &grads)?;
///
/// assert_eq!(table.touched(), 3);
/// assert_eq!(table.rows(&Ids::new([3, 4])?)?.to_vec(), [2.5, 0.0, 4.0, 0.5]);
/// table.save_delta(folder.path().join("delta.safetensors"))?; // the three rows
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Overlay<R: Rule<f32>> {
    pub(super) base: MappedTable,
    rule: R,
    learning_rate: f64,
    steps: u64,
    padding: Option<u32>,
    pub(super) touched: Touched,
}

/// The rows that moved, each at a place of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    pub(super) places: HashMap<u32, usize>,
    /// `[touched, D]`
    pub(super) values: Vec<f32>,
    /// What the rule remembers: `[touched, runs · width]`.
    state: Vec<f32>,
}

impl<R: Rule<f32>> Overlay<R> {
    /// The table of `base`, moved by `rule`.
    pub fn new(base: MappedTable, rule: R) -> Self {
        Self {
            base,
            learning_rate: rule.learning_rate(),
            rule,
            steps: 0,
            padding: None,
            touched: Touched::default(),
        }
    }

    /// The same table with a row that gets no gradient and never moves: the padding row.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn with_padding(self, row: u32) -> Result<Self> {
        Ids::new([row])?.check_range("overlay", self.base.len())?;
        Ok(Self {
            padding: Some(row),
            ..self
        })
    }

    /// The learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the learning rate of the next steps.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// How many rows moved, or were put in by a delta.
    pub fn touched(&self) -> usize {
        self.touched.places.len()
    }

    /// The rows of `ids: [..]` as they stand now, a constant `[.., D]`.
    ///
    /// # Errors
    /// If an id is not below V.
    pub fn rows(&self, ids: &Ids) -> Result<Tensor> {
        ids.check_range("overlay", self.base.len())?;
        let values = self.values_of(ids.as_slice())?;
        let shape: Vec<usize> = ids
            .shape()
            .iter()
            .copied()
            .chain([self.base.dim()])
            .collect();
        Ok(Tensor::from_slice(&values, &shape[..])?)
    }

    /// The distinct rows of `ids: [..]`, to be trained in one step.
    ///
    /// # Errors
    /// If an id is not below V.
    pub fn lookup(&self, ids: &Ids) -> Result<Lookup> {
        ids.check_range("overlay", self.base.len())?;
        let mut distinct = Vec::new();
        let mut places = HashMap::new();
        let place = |&id: &u32| {
            *places.entry(id).or_insert_with(|| {
                distinct.push(id);
                distinct.len() as u32 - 1
            })
        };
        let positions: Vec<u32> = ids.as_slice().iter().map(place).collect();
        let values = self.values_of(&distinct)?;
        let rows = Tensor::from_slice(&values, [distinct.len(), self.base.dim()])?;
        Ok(Lookup {
            rows: Param::new(rows),
            padding: self.padding.and_then(|id| places.get(&id).copied()),
            positions: Ids::from_vec(positions, ids.shape().clone())?,
            ids: distinct,
        })
    }

    /// Moves the rows of `batch` that have a gradient, by one step of the rule.
    ///
    /// # Errors
    /// If an option of the rule is out of its range, or the batch or the gradient is one of another table. Then nothing has moved.
    pub fn step(&mut self, batch: &Lookup, gradients: &Gradients) -> Result<()> {
        self.check(batch)?;
        let Some(gradient) = gradients.get(&batch.rows).map(Grad::coalesce) else {
            return Ok(());
        };
        if gradient.shape() != batch.rows.shape() {
            let (found, shape) = (gradient.shape(), batch.rows.shape());
            let reason = format!("a gradient of shape {found} of rows of shape {shape}");
            return Err(Error::argument("overlay", reason));
        }
        let entries: Vec<u32> = match &gradient {
            Grad::Dense(_) => (0..batch.ids.len() as u32).collect(),
            Grad::RowSparse(sparse) => sparse.rows().as_slice().to_vec(),
        };
        let stored = gradient.stored().values();
        let rows = stored.chunks_exact(self.base.dim());
        let moves: Vec<(u32, &[f32])> = entries
            .into_iter()
            .zip(rows)
            .filter(|&(entry, _)| Some(entry) != batch.padding)
            .map(|(entry, row)| (batch.ids[entry as usize], row))
            .collect();
        self.touch(moves.iter().map(|&(id, _)| id))?;
        self.steps += 1;
        let factors = self.rule.factors(self.learning_rate, self.steps);
        for (id, gradient) in moves {
            self.move_row(&factors, id, gradient);
        }
        Ok(())
    }

    /// Checks the rule, and that the batch can be one of this table.
    fn check(&self, batch: &Lookup) -> Result<()> {
        self.rule.check()?;
        let rate = self.learning_rate;
        if !rate.is_finite() || rate < 0.0 {
            let reason = format!("the learning rate is {rate}; it must be finite and not negative");
            return Err(Error::argument(R::NAME, reason));
        }
        let (len, dim, shape) = (self.base.len(), self.base.dim(), batch.rows.shape());
        let is_within = batch.ids.iter().all(|&id| (id as usize) < len);
        if shape[..] != [batch.ids.len(), dim] || !is_within {
            let reason =
                format!("a lookup of shape {shape} of another table; this one is [{len}, {dim}]");
            return Err(Error::argument("overlay", reason));
        }
        Ok(())
    }

    fn move_row(&mut self, factors: &R::Factors, id: u32, gradient: &[f32]) {
        let (dim, width, remembered) = (self.base.dim(), self.width(), self.remembered());
        let Touched {
            places,
            values,
            state,
        } = &mut self.touched;
        let place = places[&id];
        let mut runs = state[place * remembered..][..remembered].chunks_exact_mut(width);
        let runs = [(); 3].map(|()| runs.next().unwrap_or_default());
        R::update(factors, &mut values[place * dim..][..dim], gradient, runs);
    }

    /// Copies rows out of the file that have not been; all of them, or after an error none.
    fn touch(&mut self, ids: impl Iterator<Item = u32>) -> Result<()> {
        let is_new = |id: &u32| !self.touched.places.contains_key(id);
        let new: Vec<u32> = ids.filter(is_new).collect();
        let values = self.values_of(&new)?;
        self.touched.values.extend(values);
        for id in new {
            let place = self.touched.places.len();
            self.touched.places.insert(id, place);
        }
        let length = self.touched() * self.remembered();
        let initial = self.rule.initial_state() as f32;
        self.touched.state.resize(length, initial);
        Ok(())
    }

    fn values_of(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let dim = self.base.dim();
        let mut values = Vec::with_capacity(ids.len() * dim);
        for id in ids {
            match self.touched.places.get(id) {
                Some(&place) => values.extend(&self.touched.values[place * dim..][..dim]),
                None => self.base.append_row(*id as usize, &mut values)?,
            }
        }
        Ok(values)
    }

    /// How many numbers of a run of state belong to a row.
    fn width(&self) -> usize {
        if R::BY_ROW { 1 } else { self.base.dim() }
    }

    /// How many numbers the rule remembers of a row.
    fn remembered(&self) -> usize {
        self.rule.runs() * self.width()
    }

    /// Puts rows in the place of those of the table; the rule remembers nothing of them. The ids are distinct and below V.
    pub(super) fn put(&mut self, ids: &[u32], values: &[f32]) -> Result<()> {
        self.touch(ids.iter().copied())?;
        let (dim, remembered) = (self.base.dim(), self.remembered());
        let initial = self.rule.initial_state() as f32;
        for (id, row) in ids.iter().zip(values.chunks_exact(dim)) {
            let place = self.touched.places[id];
            self.touched.values[place * dim..][..dim].copy_from_slice(row);
            self.touched.state[place * remembered..][..remembered].fill(initial);
        }
        Ok(())
    }
}
