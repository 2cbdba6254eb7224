//! Derivatives of functions: grad, vjp, jvp, Jacobian, Hessian and their products with vectors.
//!
//! Each runs its function on a tape of its own, in eval mode. Inside another one, or while a tape records, it records on that tape
//! instead, so that they nest: the `grad` of a `grad` is a second derivative.

use crate::element::Element;
use crate::error::{Error, Result};
use crate::shape::Shape;
use crate::tape::{Tape, with_recording_tape};
use crate::tensor::Tensor;

/// What a function is differentiated by: a tensor, or an array or `Vec` of them.
pub trait Inputs<T: Element>: Sized {
    /// The tensors.
    fn tensors(&self) -> Vec<&Tensor<T>>;

    /// The same form with other tensors, as many.
    ///
    /// # Errors
    /// If their number is another.
    fn with_tensors(&self, tensors: Vec<Tensor<T>>) -> Result<Self>;
}

impl<T: Element> Inputs<T> for Tensor<T> {
    fn tensors(&self) -> Vec<&Tensor<T>> {
        vec![self]
    }

    fn with_tensors(&self, mut tensors: Vec<Tensor<T>>) -> Result<Self> {
        let count = tensors.len();
        tensors
            .pop()
            .filter(|_| count == 1)
            .ok_or_else(|| other_count(count, 1))
    }
}

impl<T: Element, const N: usize> Inputs<T> for [Tensor<T>; N] {
    fn tensors(&self) -> Vec<&Tensor<T>> {
        self.iter().collect()
    }

    fn with_tensors(&self, tensors: Vec<Tensor<T>>) -> Result<Self> {
        tensors
            .try_into()
            .map_err(|tensors: Vec<_>| other_count(tensors.len(), N))
    }
}

impl<T: Element> Inputs<T> for Vec<Tensor<T>> {
    fn tensors(&self) -> Vec<&Tensor<T>> {
        self.iter().collect()
    }

    fn with_tensors(&self, tensors: Vec<Tensor<T>>) -> Result<Self> {
        if tensors.len() == self.len() {
            Ok(tensors)
        } else {
            Err(other_count(tensors.len(), self.len()))
        }
    }
}

fn other_count(found: usize, wanted: usize) -> Error {
    Error::other(
        "transform",
        format!("{found} tensors for a function of {wanted}"),
    )
}

/// A function run at fresh copies of its inputs, on the tape that records or on one of its own.
struct Run<'a, T: Element, I> {
    tape: &'a Tape,
    own: bool,
    inputs: I,
    output: Tensor<T>,
}

/// Whether a product will be differentiated in its turn; if not, it is recorded only for a tape around it.
#[derive(Clone, Copy, PartialEq)]
enum Again {
    Yes,
    No,
}

impl<T: Element, I: Inputs<T>> Run<'_, T, I> {
    /// `uᵀ dy/dx` for each x; zeros if y does not depend on any.
    fn vjp(&self, cotangent: &Tensor<T>, again: Again) -> Result<I> {
        let inputs = self.inputs.tensors();
        if !self.tape.holds(&self.output) {
            let zeros = inputs.iter().map(|x| Tensor::zeros(x.shape()));
            return self.inputs.with_tensors(zeros.collect());
        }
        let _paused = (self.own && again == Again::No).then(|| self.tape.pause());
        let products = self.tape.vjp(&self.output, cotangent, &inputs)?;
        self.inputs.with_tensors(products)
    }

    /// The derivative of the output, one number.
    fn gradient(&self, again: Again) -> Result<I> {
        self.vjp(&Tensor::ones(self.output.shape()), again)
    }
}

fn run<T: Element, I: Inputs<T>, R>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
    use_it: impl FnOnce(Run<'_, T, I>) -> Result<R>,
) -> Result<R> {
    with_recording_tape(|tape, own| {
        let leaves = inputs
            .tensors()
            .into_iter()
            .map(|x| tape.leaf_of(x))
            .collect();
        let inputs = inputs.with_tensors(leaves)?;
        let output = f(&inputs)?;
        use_it(Run {
            tape,
            own,
            inputs,
            output,
        })
    })
}

/// `df/dx` of a function with one number as its output: `f: [..] -> []`, of the inputs' shapes.
///
/// ```
/// use lexigrad_tensor::{Tensor, grad};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let first = grad(|x: &Tensor| Ok(x.powf(3.0).sum()), &x)?;
/// assert_eq!(first.to_vec(), [3.0, 12.0]); // 3 x²
/// let second = grad(|x: &Tensor| Ok(grad(|x: &Tensor| Ok(x.powf(3.0).sum()), x)?.sum()), &x)?;
/// assert_eq!(second.to_vec(), [6.0, 12.0]); // 6 x
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// Those of `f`; if its output does not hold one element.
///
/// JAX: `jax.grad`. PyTorch: `torch.func.grad`.
pub fn grad<T: Element, I: Inputs<T>>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
) -> Result<I> {
    Ok(value_and_grad(f, inputs)?.1)
}

/// `f(x)` and `df/dx`: [`grad`] with the value, for the same price.
///
/// ```
/// use lexigrad_tensor::{Tensor, value_and_grad};
/// let inputs: [Tensor; 2] = [Tensor::new([1.0, 2.0]), Tensor::new([10.0, 20.0])];
/// let (value, [dx, dy]) = value_and_grad(|[x, y]: &[Tensor; 2]| Ok(x.mul(y)?.sum()), &inputs)?;
/// assert_eq!((value.item()?, dx.to_vec(), dy.to_vec()), (50.0, vec![10.0, 20.0], vec![1.0, 2.0]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// As for [`grad`].
pub fn value_and_grad<T: Element, I: Inputs<T>>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
) -> Result<(Tensor<T>, I)> {
    run(f, inputs, |run| {
        check_one_element("grad", &run.output)?;
        let gradients = run.gradient(Again::No)?;
        Ok((run.output, gradients))
    })
}

/// `f(x)` and the vector-Jacobian product `uᵀ df/dx`, `u` of the output's shape.
///
/// ```
/// use lexigrad_tensor::{Tensor, vjp};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let (y, product) = vjp(|x: &Tensor| Ok(x.square()), &x, &Tensor::new([1.0, 10.0]))?;
/// assert_eq!((y.to_vec(), product.to_vec()), (vec![1.0, 4.0], vec![2.0, 40.0]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// Those of `f`; if `u` has not the shape of its output.
pub fn vjp<T: Element, I: Inputs<T>>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
    cotangent: &Tensor<T>,
) -> Result<(Tensor<T>, I)> {
    run(f, inputs, |run| {
        check_same_shape("vjp", "the cotangent", cotangent, &run.output)?;
        let product = run.vjp(cotangent, Again::No)?;
        Ok((run.output, product))
    })
}

/// `f(x)` and the Jacobian-vector product `df/dx v`, `v` of the inputs' shapes: how the output moves when x moves along v.
///
/// Two passes back: `uᵀ df/dx` is linear in u, and its derivative by u along v is the product.
///
/// ```
/// use lexigrad_tensor::{Tensor, jvp};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let (y, moved) = jvp(|x: &Tensor| Ok(x.square()), &x, &Tensor::new([1.0, 0.0]))?;
/// assert_eq!((y.to_vec(), moved.to_vec()), (vec![1.0, 4.0], vec![2.0, 0.0]));
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// Those of `f`; if a vector has not the shape of its input.
pub fn jvp<T: Element, I: Inputs<T>>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
    vectors: &I,
) -> Result<(Tensor<T>, Tensor<T>)> {
    run(f, inputs, |run| {
        let cotangent = run.tape.leaf_of(&Tensor::zeros(run.output.shape()));
        let product = Run {
            output: dot("jvp", &run.vjp(&cotangent, Again::Yes)?, vectors)?,
            tape: run.tape,
            own: run.own,
            inputs: cotangent,
        };
        let moved = product.gradient(Again::No)?;
        Ok((run.output, moved))
    })
}

/// The Jacobian `J[i.., j..] = df[i..]/dx[j..]`, `f: [j..] -> [i..]`: a pass back for each element of the output.
///
/// ```
/// use lexigrad_tensor::{Tensor, jacobian};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let j = jacobian(|x: &Tensor| x.mul(&x.sum()), &x)?;
/// assert_eq!(j.to_array::<[[f32; 2]; 2]>()?, [[4.0, 1.0], [2.0, 5.0]]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// Those of `f`.
pub fn jacobian<T: Element>(
    f: impl Fn(&Tensor<T>) -> Result<Tensor<T>>,
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    run(f, x, |run| {
        let shape = run.output.shape();
        let unit = |hot: usize| {
            let place = |(index, value): (usize, &mut T)| {
                *value = if index == hot { T::one() } else { T::zero() };
            };
            Tensor::build(shape, |out| out.iter_mut().enumerate().for_each(place))
        };
        let rows = (0..shape.elements()).map(|hot| run.vjp(&unit(hot)?, Again::No));
        let rows = rows.collect::<Result<Vec<Tensor<T>>>>()?;
        let whole: Shape = shape.iter().chain(x.shape().iter()).copied().collect();
        if rows.is_empty() {
            return Tensor::build_zeros(whole);
        }
        crate::stack(&rows.iter().collect::<Vec<_>>(), 0)?.reshape(whole)
    })
}

/// The Hessian `H[i.., j..] = d²f/dx[i..]dx[j..]` of a function with one number as its output, `[x.., x..]`.
///
/// It costs a pass back for each element of x; a product with a vector is [`hvp`].
///
/// ```
/// use lexigrad_tensor::{Tensor, hessian};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let h = hessian(|x: &Tensor| Ok(x.square().sum().square()), &x)?;
/// assert_eq!(h.to_array::<[[f32; 2]; 2]>()?, [[28.0, 16.0], [16.0, 52.0]]);
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// As for [`grad`].
pub fn hessian<T: Element>(
    f: impl Fn(&Tensor<T>) -> Result<Tensor<T>>,
    x: &Tensor<T>,
) -> Result<Tensor<T>> {
    jacobian(|x| grad(&f, x), x)
}

/// `f(x)` and the Hessian-vector product `d²f/dx² v` of a function with one number as its output, `v` of the inputs' shapes.
///
/// It costs two passes back, whatever the size of x, and never a Hessian.
///
/// ```
/// use lexigrad_tensor::{Tensor, hvp};
/// let x: Tensor = Tensor::new([1.0, 2.0]);
/// let (value, product) = hvp(|x: &Tensor| Ok(x.powf(3.0).sum()), &x, &Tensor::new([1.0, 10.0]))?;
/// assert_eq!((value.item()?, product.to_vec()), (9.0, vec![6.0, 120.0])); // 6 x v
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// # Errors
/// As for [`grad`]; if a vector has not the shape of its input.
pub fn hvp<T: Element, I: Inputs<T>>(
    f: impl Fn(&I) -> Result<Tensor<T>>,
    inputs: &I,
    vectors: &I,
) -> Result<(Tensor<T>, I)> {
    run(f, inputs, |run| {
        check_one_element("hvp", &run.output)?;
        let output = dot("hvp", &run.gradient(Again::Yes)?, vectors)?;
        let value = run.output.clone();
        let slope = Run { output, ..run };
        Ok((value, slope.gradient(Again::No)?))
    })
}

/// `Σ x v` over all tensors.
fn dot<T: Element, I: Inputs<T>>(operation: &'static str, x: &I, vectors: &I) -> Result<Tensor<T>> {
    let (xs, vectors) = (x.tensors(), vectors.tensors());
    if xs.len() != vectors.len() {
        let message = format!("{} vectors for {} inputs", vectors.len(), xs.len());
        return Err(Error::other(operation, message));
    }
    let mut sum = Tensor::zeros([]);
    for (x, vector) in xs.into_iter().zip(vectors) {
        check_same_shape(operation, "a vector", vector, x)?;
        sum = sum.add(&x.mul(vector)?.sum())?;
    }
    Ok(sum)
}

fn check_one_element<T: Element>(operation: &'static str, output: &Tensor<T>) -> Result<()> {
    if output.elements() == 1 {
        return Ok(());
    }
    let rule = "it must hold one element (use vjp or jacobian for more)";
    Err(Error::shape(operation, "the output", output.shape(), rule))
}

fn check_same_shape<T: Element>(
    operation: &'static str,
    what: &'static str,
    found: &Tensor<T>,
    wanted: &Tensor<T>,
) -> Result<()> {
    if found.shape() == wanted.shape() {
        return Ok(());
    }
    let rule = format!("it must be {}", wanted.shape());
    Err(Error::shape(operation, what, found.shape(), rule))
}
