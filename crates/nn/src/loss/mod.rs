//! Losses, as functions and as modules that hold the options.

pub(crate) mod absolute;
pub(crate) mod bce_with_logits;
pub(crate) mod cross_entropy;
pub(crate) mod ctc;
pub(crate) mod divergence;
pub(crate) mod margin;
pub(crate) mod mse;
pub(crate) mod multi_label;
pub(crate) mod nll;
pub(crate) mod similarity;

use lexigrad_tensor::{Element, Error, Reduction, Result, Tensor};

/// The losses of the elements, as one number if asked for; a mean over nothing is 0.
pub(crate) fn reduce<T: Element>(losses: Tensor<T>, reduction: Reduction) -> Tensor<T> {
    match reduction {
        Reduction::None => losses,
        Reduction::Mean => {
            let count = losses.elements().max(1);
            losses.sum().mul_scalar(T::from_f64(count as f64).recip())
        }
        Reduction::Sum => losses.sum(),
    }
}

/// The mean over the last axis, the classes; 0 over none.
fn mean_over_classes<T: Element>(losses: &Tensor<T>, classes: usize) -> Result<Tensor<T>> {
    let factor = T::from_f64(classes.max(1) as f64).recip();
    Ok(losses.sum_axes(&[-1])?.mul_scalar(factor))
}

/// How many classes there are, along the last axis.
fn class_count<T: Element>(name: &'static str, x: &Tensor<T>) -> Result<usize> {
    let rule = "it must be [.., classes]";
    let classes = x.shape().last().copied();
    classes.ok_or_else(|| Error::shape(name, "the input", x.shape(), rule))
}

/// Checks that a weight, if there is one, holds one number for each class.
fn check_class_weight<T: Element>(
    name: &'static str,
    weight: Option<&Tensor<T>>,
    classes: usize,
) -> Result<()> {
    match weight {
        Some(weight) if *weight.shape() != [classes] => {
            let rule = format!("it must be [{classes}], one for each class");
            Err(Error::shape(name, "the weight", weight.shape(), rule))
        }
        _ => Ok(()),
    }
}

fn check_same_shape<T: Element>(name: &'static str, x: &Tensor<T>, y: &Tensor<T>) -> Result<()> {
    check_shape_of(name, ("the input", x), ("the target", y))
}

/// Checks that the first operand has the shape of the second.
fn check_shape_of<T: Element>(
    name: &'static str,
    (operand, x): (&str, &Tensor<T>),
    (other, y): (&str, &Tensor<T>),
) -> Result<()> {
    if x.shape() == y.shape() {
        return Ok(());
    }
    let rule = format!("it must have {other}'s shape, {}", y.shape());
    Err(Error::shape(name, operand, x.shape(), rule))
}

/// Checks that every number fits; `what` names one of them, and `rule` says what it must be.
fn check_numbers<T: Element>(
    name: &'static str,
    x: &Tensor<T>,
    (what, rule): (&str, &str),
    fits: impl Fn(T) -> bool,
) -> Result<()> {
    let numbers = x.values();
    let Some(place) = numbers.iter().position(|&x| !fits(x)) else {
        return Ok(());
    };
    let (number, place) = (numbers[place], x.shape().index_of(place));
    Err(Error::other(
        name,
        format!("{what} {number} at {place} must be {rule}"),
    ))
}

/// Checks that a weight, if there is one, broadcasts to the input's shape.
fn check_weight<T: Element>(
    name: &'static str,
    operand: &str,
    weight: Option<&Tensor<T>>,
    x: &Tensor<T>,
) -> Result<()> {
    match weight {
        Some(weight)
            if weight.shape().broadcast(name, x.shape()).ok().as_ref() != Some(x.shape()) =>
        {
            let rule = format!("it must broadcast to the input's shape, {}", x.shape());
            Err(Error::shape(name, operand, weight.shape(), rule))
        }
        _ => Ok(()),
    }
}
