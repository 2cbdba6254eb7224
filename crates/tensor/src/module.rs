//! What a model is made of: parameters and buffers under their paths.
//!
//! The trait stands in this crate, below the layers, because optimizers take a model and know no layer.

use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

use lexigrad_macros::compiled;

use crate::domain::Domain;
use crate::element::Element;
use crate::error::{Error, Result, or_panic};
use crate::param::Param;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A layer or a model: something that holds parameters and buffers, each under a path such as `encoder.0.weight`.
///
/// `#[derive(Module)]` writes [`visit`](Self::visit) from the fields in declaration order; the rest comes from it.
///
/// ```
/// use lexigrad_tensor::{Module, Param, Tensor, Visitor};
///
/// struct Scale { factor: Param }
///
/// impl Module for Scale {
///     fn visit(&self, visitor: &mut Visitor<'_>) {
///         visitor.field("factor", &self.factor);
///     }
/// }
///
/// let model = vec![Scale { factor: Param::new(Tensor::zeros([3])) }];
/// assert_eq!(model.named_parameters()[0].0, "0.factor");
/// ```
///
/// PyTorch: `nn.Module`, without `train`, `eval` and hooks: a [`Tape`](crate::Tape) says whether this is training.
pub trait Module<T: Element = f32> {
    /// Shows every parameter and buffer to `visitor`, in declaration order.
    fn visit(&self, visitor: &mut Visitor<'_, T>);

    /// The parameters in declaration order, one that is tied as often as it is used.
    fn parameters(&self) -> Vec<Param<T>> {
        let named = self.named_parameters();
        named.into_iter().map(|(_, param)| param).collect()
    }

    /// The parameters with their paths, in declaration order.
    fn named_parameters(&self) -> Vec<(String, Param<T>)> {
        let mut found = Vec::new();
        let mut see = |path: &str, entry: Entry<'_, T>| {
            if let Entry::Param(param) = entry {
                found.push((path.to_owned(), param.clone()));
            }
        };
        self.visit(&mut Visitor::new(&mut see));
        found
    }

    /// The number of trainable numbers, those of a tied parameter once.
    fn parameter_count(&self) -> usize {
        let mut params = self.parameters();
        params.sort_by_key(Param::id);
        params.dedup_by_key(|param| param.id());
        let trained = params.iter().filter(|param| param.requires_grad());
        trained.map(|param| param.shape().elements()).sum()
    }
}

/// What stands at a path.
pub enum Entry<'a, T: Element = f32> {
    /// A trainable tensor.
    Param(&'a Param<T>),
    /// A tensor that belongs to the state but is not trained.
    Buffer(&'a Buffer<T>),
}

/// Walks through a model and keeps the path.
pub struct Visitor<'a, T: Element = f32> {
    path: String,
    see: &'a mut dyn FnMut(&str, Entry<'_, T>),
}

impl<'a, T: Element> Visitor<'a, T> {
    /// A visitor that calls `see` with each path and what stands there.
    pub fn new(see: &'a mut dyn FnMut(&str, Entry<'_, T>)) -> Self {
        let path = String::new();
        Self { path, see }
    }

    /// Goes into the field `name`: a parameter, a buffer, a module, or a container of them.
    pub fn field(&mut self, name: &str, module: &(impl Module<T> + ?Sized)) {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        module.visit(self);
        self.path.truncate(outer);
    }

    fn see(&mut self, entry: Entry<'_, T>) {
        (self.see)(&self.path, entry);
    }
}

/// A tensor that is part of a model's state but not trained, such as a running mean; shared by its clones.
///
/// PyTorch: `register_buffer`.
pub struct Buffer<T: Element = f32>(Arc<Inner<T>>);

struct Inner<T: Element> {
    value: RwLock<Tensor<T>>,
    /// The shape that a buffer which is still empty will have, and the number that will fill it.
    reserved: Option<(Shape, T)>,
    takes_integers: bool,
    check: Box<Check<T>>,
}

/// Whether a loaded value can stand there; if not, what it holds and the rule.
type Check<T> = dyn Fn(&Tensor<T>) -> Result<(), String> + Send + Sync;

#[compiled]
impl<T: Element> Buffer<T> {
    /// A buffer with this value, which may hold [`Any`](Domain::Any) numbers: a mask may well be of infinities.
    ///
    /// # Panics
    /// If it is a view whose elements are copied, and there is no memory for the copy.
    #[track_caller]
    pub fn new(value: Tensor<T>) -> Self {
        Self::of(Domain::Any, value)
    }

    /// A buffer of numbers in `domain`.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    #[track_caller]
    pub fn of(domain: Domain, value: Tensor<T>) -> Self {
        let check = Box::new(move |value: &Tensor<T>| domain.check(value));
        Self::from_parts(value, None, domain.takes_integers(), check)
    }

    /// A buffer that only takes a value which `check` accepts: its error says what the value holds, and the rule.
    ///
    /// # Panics
    /// As for [`new`](Self::new).
    #[track_caller]
    pub fn checked(
        value: Tensor<T>,
        check: impl Fn(&Tensor<T>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        Self::from_parts(value, None, false, Box::new(check))
    }

    /// A buffer that is empty, `[0]`, and takes no memory, until it is [changed](Self::update) or [filled](Self::fill): then it has
    /// `shape` and holds `number` everywhere. An empty value can always be set.
    pub fn reserved(
        shape: impl Into<Shape>,
        number: T,
        check: impl Fn(&Tensor<T>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        let reserved = Some((shape.into(), number));
        Self::from_parts(Tensor::zeros([0]), reserved, false, Box::new(check))
    }

    #[track_caller]
    fn from_parts(
        value: Tensor<T>,
        reserved: Option<(Shape, T)>,
        takes_integers: bool,
        check: Box<Check<T>>,
    ) -> Self {
        Self(Arc::new(Inner {
            value: RwLock::new(or_panic("buffer", value.dense())),
            reserved,
            takes_integers,
            check,
        }))
    }

    /// The value, a constant.
    pub fn value(&self) -> Tensor<T> {
        let value = self.0.value.read().unwrap_or_else(PoisonError::into_inner);
        value.clone()
    }

    /// What `read` makes of the value's elements, where they stand; of a buffer that is still empty, of none.
    pub fn read<R>(&self, read: impl FnOnce(&[T]) -> R) -> R {
        let value = self.0.value.read().unwrap_or_else(PoisonError::into_inner);
        read(&value.values())
    }

    /// The shape; of a buffer that is still empty, the one that it will have.
    pub fn shape(&self) -> Shape {
        match &self.0.reserved {
            Some((shape, _)) => shape.clone(),
            None => self.value().shape().clone(),
        }
    }

    /// Whether a value of this shape can be set.
    pub fn fits(&self, shape: &Shape) -> bool {
        *shape == self.shape() || self.0.reserved.is_some() && shape[..] == [0]
    }

    /// Whether this value may be loaded from a file, beside its shape.
    ///
    /// # Errors
    /// What it holds that it may not hold, and the rule.
    pub fn check(&self, value: &Tensor<T>) -> Result<(), String> {
        (self.0.check)(value)
    }

    /// Whether a file may hold the numbers as integers.
    #[inline]
    pub fn takes_integers(&self) -> bool {
        self.0.takes_integers
    }

    /// Replaces the value.
    ///
    /// # Errors
    /// If the shape differs.
    pub fn set(&self, value: &Tensor<T>) -> Result<()> {
        if !self.fits(value.shape()) {
            let rule = format!("the buffer has shape {}", self.shape());
            return Err(Error::shape("buffer", "the new value", value.shape(), rule));
        }
        let value = value.dense()?;
        *self.write() = value;
        Ok(())
    }

    /// Gives a buffer that is still empty its memory.
    pub fn fill(&self) {
        self.update(|_| ());
    }

    /// Changes the value in place; it is copied first if a tensor still shares it.
    ///
    /// In a forward pass, let it be changed by [`change_state`](crate::change_state), so that shards of
    /// [`data_parallel`](crate::data_parallel) move it in their order.
    pub fn update<R>(&self, change: impl FnOnce(&mut [T]) -> R) -> R {
        change(self.writable().values_mut())
    }

    /// The value for writing, with all the elements that are reserved for it.
    pub(crate) fn writable(&self) -> RwLockWriteGuard<'_, Tensor<T>> {
        let mut own = self.write();
        if let Some((shape, number)) = &self.0.reserved
            && own.shape() != shape
        {
            // Zeros come from the system as they are, so that rows which are never touched take no memory.
            *own = if *number == T::zero() {
                Tensor::zeros(shape.clone())
            } else {
                Tensor::full(shape.clone(), *number)
            };
        }
        own
    }

    fn write(&self) -> RwLockWriteGuard<'_, Tensor<T>> {
        self.0.value.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Another handle on the same buffer.
impl<T: Element> Clone for Buffer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Element> fmt::Debug for Buffer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Buffer {}", self.value())
    }
}

impl<T: Element> Module<T> for Param<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.see(Entry::Param(self));
    }
}

impl<T: Element> Module<T> for Buffer<T> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.see(Entry::Buffer(self));
    }
}

impl<T: Element, M: Module<T>> Module<T> for [M] {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        for (index, module) in self.iter().enumerate() {
            visitor.field(&index.to_string(), module);
        }
    }
}

impl<T: Element, M: Module<T>, const N: usize> Module<T> for [M; N] {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        self.as_slice().visit(visitor);
    }
}

impl<T: Element, M: Module<T>> Module<T> for Vec<M> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        self.as_slice().visit(visitor);
    }
}

impl<T: Element, M: Module<T>> Module<T> for Option<M> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        if let Some(module) = self {
            module.visit(visitor);
        }
    }
}

impl<T: Element, M: Module<T> + ?Sized> Module<T> for Box<M> {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        (**self).visit(visitor);
    }
}

impl<T: Element, M: Module<T> + ?Sized> Module<T> for &M {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        (**self).visit(visitor);
    }
}

/// Two modules as one, `0` and `1`: a model and its optimizer.
impl<T: Element, A: Module<T>, B: Module<T>> Module<T> for (A, B) {
    fn visit(&self, visitor: &mut Visitor<'_, T>) {
        visitor.field("0", &self.0);
        visitor.field("1", &self.1);
    }
}

/// Settings hold nothing to train, so that a model can have them as fields.
macro_rules! settings {
    ($($setting:ty),*) => {$(
        impl<T: Element> Module<T> for $setting {
            fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
        }
    )*};
}

settings!(
    bool, u8, u32, u64, usize, i32, i64, f32, f64, char, str, String
);

impl<T: Element, S> Module<T> for PhantomData<S> {
    fn visit(&self, _visitor: &mut Visitor<'_, T>) {}
}
