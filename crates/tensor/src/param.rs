//! A trainable tensor: the only thing that changes in place.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use lexigrad_macros::compiled;

use crate::deferred::Deferred;
use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::ids::Ids;
use crate::leaf::ParamId;
use crate::ops::cat;
use crate::packed::PackedCopies;
use crate::shape::Shape;
use crate::tape::{is_recording, param_leaf};
use crate::tensor::Tensor;
use crate::weight::Weight;

/// A trainable tensor, shared by its clones: a clone in two layers ties their weights.
///
/// Reading it while a tape records makes it a leaf of that tape. [`value`](Self::value) reads the whole tensor,
/// [`rows`](Self::rows) announces that only some rows of a table will be read.
///
/// ```
/// use lexigrad_tensor::{Param, Tensor};
/// let weight: Param = Param::new(Tensor::zeros([2]));
/// let tied = weight.clone();
/// weight.update(|values| values[1] = 5.0);
/// assert_eq!(tied.value().to_vec(), [0.0, 5.0]);
/// ```
///
/// PyTorch: `nn.Parameter`.
pub struct Param<T: Element = f32>(Arc<Inner<T>>);

struct Inner<T: Element> {
    id: ParamId,
    state: RwLock<State<T>>,
}

struct State<T: Element> {
    value: Tensor<T>,
    requires_grad: bool,
    fixed_row: Option<usize>,
    deferred: Option<Arc<dyn Deferred<T>>>,
    keeps_packed: bool,
    /// Those of the value: a change begins with new ones.
    copies: Arc<PackedCopies<T>>,
}

impl<T: Element> State<T> {
    fn is_behind(&self, rows: Option<&Ids>) -> bool {
        let deferred = self.deferred.as_ref();
        deferred.is_some_and(|deferred| deferred.is_behind(rows))
    }

    /// Brings `rows`, or all, up to date.
    fn catch_up(&mut self, rows: Option<&Ids>) {
        if self.is_behind(rows)
            && let Some(deferred) = &self.deferred
        {
            deferred.catch_up(rows, self.value.values_mut());
        }
    }
}

#[compiled]
impl<T: Element> Param<T> {
    /// A parameter with this value, to be trained.
    ///
    /// # Panics
    /// If it is a view whose elements are copied, and there is no memory for the copy.
    #[track_caller]
    pub fn new(value: Tensor<T>) -> Self {
        let id = ParamId::next();
        let state = RwLock::new(State {
            value: or_panic("param", value.dense()),
            requires_grad: true,
            fixed_row: None,
            deferred: None,
            keeps_packed: true,
            copies: Arc::new(PackedCopies::none()),
        });
        Self(Arc::new(Inner { id, state }))
    }

    /// The same parameter with a row that no optimizer moves: the padding row of an embedding.
    ///
    /// # Errors
    /// If there is no such row.
    pub fn with_fixed_row(self, row: usize) -> Result<Self> {
        let shape = self.shape();
        if shape.first().is_none_or(|&rows| row >= rows) {
            let rule = format!("it has no row {row} to fix");
            return Err(Error::shape("param", "the table", &shape, rule));
        }
        let mut state = self.write();
        state.catch_up(None);
        state.fixed_row = Some(row);
        drop(state);
        Ok(self)
    }

    /// The parameter's identity, shared by its clones.
    #[inline]
    pub fn id(&self) -> ParamId {
        self.0.id
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> Shape {
        self.read().value.shape().clone()
    }

    /// The row that optimizers leave alone, if any.
    pub fn fixed_row(&self) -> Option<usize> {
        self.read().fixed_row
    }

    /// Whether a tape makes this parameter a leaf.
    pub fn requires_grad(&self) -> bool {
        self.read().requires_grad
    }

    /// Freezes (`false`) the parameter or trains it (`true`).
    pub fn set_requires_grad(&self, requires_grad: bool) {
        self.write().requires_grad = requires_grad;
    }

    /// Whether products that no tape records may keep a packed copy of this parameter until it changes. They may, unless they are told
    /// not to.
    ///
    /// The copy takes about as much memory again as the parameter (its transpose, with the columns rounded up to whole vectors), and saves
    /// such products the time to read a weight as it stands, most where there are few inputs. It is made at the first such product after a
    /// change, so a model that answers without a tape between all steps of its training packs its weights at each. With a copy, sums of a
    /// few rows are added up in another order, so their last bits may differ.
    pub fn set_keeps_packed(&self, keeps: bool) {
        self.write().keeps_packed = keeps;
    }

    /// The whole value, as [`value`](Self::value) gives it, with its packed copies where no tape records.
    pub(crate) fn weight(&self) -> Weight<T> {
        let state = self.read_current(None);
        let keeps = state.keeps_packed && !is_recording();
        let copies = keeps.then(|| state.copies.clone());
        let value = self.leaf(state);
        Weight { value, copies }
    }

    /// The whole value; a leaf of the tape that is recording, once for each tape.
    ///
    /// The returned tensor keeps these values: a later update copies them first, unless the tensor was dropped before.
    pub fn value(&self) -> Tensor<T> {
        self.leaf(self.read_current(None))
    }

    fn leaf(&self, state: RwLockReadGuard<'_, State<T>>) -> Tensor<T> {
        let mut value = state.value.clone();
        if state.requires_grad && is_recording() {
            drop(state);
            value.set_node(param_leaf::<T>(self.id(), value.shape()));
        }
        value
    }

    /// The table `[V, dim]`, of which only the rows `ids` will be read; a leaf like [`value`](Self::value).
    ///
    /// If somebody [defers](Deferred) updates, the rows `ids` are up to date and the others may not be.
    ///
    /// # Errors
    /// If an id is beyond the table, in the name of `operation`.
    pub fn rows(&self, operation: &'static str, ids: &Ids) -> Result<Tensor<T>> {
        let state = self.read();
        let rows = state.value.shape().first().copied().unwrap_or(0);
        drop(state);
        ids.check_range(operation, rows)?;
        Ok(self.leaf(self.read_current(Some(ids))))
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// If the shape differs.
    pub fn set(&self, value: &Tensor<T>) -> Result<()> {
        let mut state = self.write();
        if value.shape() != state.value.shape() {
            let rule = format!("the parameter has shape {}", state.value.shape());
            return Err(Error::shape("param", "the new value", value.shape(), rule));
        }
        let value = value.dense()?;
        state.catch_up(None);
        state.value = value;
        Ok(())
    }

    /// `W ← [W; rows]`: a table `[V, dim]` gets further rows below, `rows: [n, dim]`.
    ///
    /// Its clones see them too, and an optimizer remembers nothing of them yet.
    ///
    /// ```
    /// use lexigrad_tensor::{Param, Tensor};
    /// let table: Param = Param::new(Tensor::zeros([3, 2]));
    /// table.append_rows(&Tensor::ones([1, 2]))?;
    /// assert_eq!(*table.shape(), [4, 2]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the parameter has no axis, or the rows do not have the shape of its rows; then nothing is changed.
    pub fn append_rows(&self, rows: &Tensor<T>) -> Result<()> {
        let mut state = self.write();
        let shape = state.value.shape().clone();
        if shape.rank() == 0 || rows.rank() != shape.rank() || rows.shape()[1..] != shape[1..] {
            let rule = format!("they are to stand below a table of shape {shape}");
            return Err(Error::shape("param", "the new rows", rows.shape(), rule));
        }
        state.catch_up(None);
        state.deferred = None;
        state.value = cat(&[&state.value, &rows.constant()], 0)?;
        Ok(())
    }

    /// Changes the value in place; it is copied first if a tensor still shares it.
    ///
    /// Whoever reads the parameter meanwhile waits. So `change` must not wait for another that reads it, which includes tasks of a
    /// thread pool that it waits in.
    ///
    /// # Panics
    /// If the value is copied and there is no memory for the copy.
    #[track_caller]
    pub fn update<R>(&self, change: impl FnOnce(&mut [T]) -> R) -> R {
        let mut state = self.write();
        state.catch_up(None);
        change(state.value.values_mut())
    }

    /// Changes the value in place as it stands, with rows that are behind; for the one who defers their updates.
    ///
    /// `by` takes the place of whoever deferred updates of this parameter before, which first brings every row up to date.
    ///
    /// # Panics
    /// As for [`update`](Self::update).
    #[track_caller]
    pub fn update_deferred<R>(
        &self,
        by: &Arc<dyn Deferred<T>>,
        change: impl FnOnce(&mut [T]) -> R,
    ) -> R {
        let mut state = self.write();
        if !state.deferred.as_ref().is_some_and(|own| is_same(own, by)) {
            state.catch_up(None);
            state.deferred = Some(by.clone());
        }
        change(state.value.values_mut())
    }

    /// Brings every row up to date and forgets `by`, if it is the one who defers updates of this parameter.
    pub fn settle(&self, by: &Arc<dyn Deferred<T>>) {
        let mut state = self.write();
        if state.deferred.as_ref().is_some_and(|own| is_same(own, by)) {
            state.catch_up(None);
            state.deferred = None;
        }
    }

    /// Changes the rows `rows` of a table in place, one after another: `change(i, row)` gets row `rows[i]`.
    ///
    /// # Errors
    /// If a row is beyond the table; then nothing is changed.
    pub fn update_rows(&self, rows: &Ids, mut change: impl FnMut(usize, &mut [T])) -> Result<()> {
        let mut state = self.write();
        let shape = state.value.shape().clone();
        rows.check_range("param", shape.first().copied().unwrap_or(0))?;
        state.catch_up(Some(rows));
        let dim: usize = shape.iter().skip(1).product();
        let values = state.value.values_mut();
        for (i, &row) in rows.as_slice().iter().enumerate() {
            let start = row as usize * dim;
            change(i, &mut values[start..start + dim]);
        }
        Ok(())
    }

    /// The state with `rows`, or all, up to date.
    fn read_current(&self, rows: Option<&Ids>) -> RwLockReadGuard<'_, State<T>> {
        loop {
            let state = self.read();
            if !state.is_behind(rows) {
                return state;
            }
            drop(state);
            self.write().catch_up(rows);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State<T>> {
        self.0.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state for a change, which packed copies do not follow.
    fn write(&self) -> RwLockWriteGuard<'_, State<T>> {
        let mut state = self.0.state.write().unwrap_or_else(PoisonError::into_inner);
        // Most changes find none, and need no new place for them.
        match Arc::get_mut(&mut state.copies) {
            Some(copies) => copies.clear(),
            None => state.copies = Arc::new(PackedCopies::none()),
        }
        state
    }
}

fn is_same<T: Element>(one: &Arc<dyn Deferred<T>>, other: &Arc<dyn Deferred<T>>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

/// Another handle on the same parameter.
impl<T: Element> Clone for Param<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Element> fmt::Debug for Param<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.read_current(None);
        write!(f, "Param {}", state.value)?;
        if !state.requires_grad {
            write!(f, " (frozen)")?;
        }
        Ok(())
    }
}
