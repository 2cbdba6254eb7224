//! What the parameters of a layer start with. The memory may not hold them; the error then names the layer.

use lexigrad_tensor::{Element, Error, Param, Result, Shape, Tensor};
use rand::Rng;

/// Evenly drawn between ±1/√`inputs`.
pub(crate) fn uniform<T: Element>(
    layer: &'static str,
    shape: impl Into<Shape>,
    inputs: usize,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Param<T>> {
    uniform_within(layer, shape, 1.0 / (inputs.max(1) as f64).sqrt(), rng)
}

/// Evenly drawn between ±`bound`.
pub(crate) fn uniform_within<T: Element>(
    layer: &'static str,
    shape: impl Into<Shape>,
    bound: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Param<T>> {
    let bound = T::from_f64(bound);
    parameter(layer, Tensor::try_uniform(shape, -bound, bound, rng))
}

/// Drawn from N(0, `std`²).
pub(crate) fn normal<T: Element>(
    layer: &'static str,
    shape: impl Into<Shape>,
    std: f64,
    rng: &mut (impl Rng + ?Sized),
) -> Result<Param<T>> {
    let std = T::from_f64(std);
    parameter(layer, Tensor::try_normal(shape, T::zero(), std, rng))
}

/// Zeros.
pub(crate) fn zeros<T: Element>(layer: &'static str, shape: impl Into<Shape>) -> Result<Param<T>> {
    parameter(layer, Tensor::try_zeros(shape))
}

/// Ones.
pub(crate) fn ones<T: Element>(layer: &'static str, shape: impl Into<Shape>) -> Result<Param<T>> {
    parameter(layer, Tensor::try_full(shape, T::one()))
}

fn parameter<T: Element>(layer: &'static str, values: Result<Tensor<T>>) -> Result<Param<T>> {
    values.map(Param::new).map_err(|error| error.within(layer))
}

/// `make()` so many times.
pub(crate) fn repeat<L>(
    layer: &'static str,
    count: usize,
    mut make: impl FnMut(usize) -> Result<L>,
) -> Result<Vec<L>> {
    let mut layers = Vec::new();
    if layers.try_reserve_exact(count).is_err() {
        let rule = "few enough that the memory holds them";
        return Err(Error::value(layer, "num_layers", count as f64, rule));
    }
    for index in 0..count {
        layers.push(make(index)?);
    }
    Ok(layers)
}

/// What was built, for a constructor that returns no `Result`.
///
/// # Panics
/// With the words of the error.
#[track_caller]
pub(crate) fn or_panic<L>(built: Result<L>) -> L {
    match built {
        Ok(built) => built,
        Err(error) => panic!("{error}"),
    }
}
