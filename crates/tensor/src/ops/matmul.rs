//! Matrix products, and the product with a bias that a linear layer is.

use std::sync::Arc;

use lexigrad_kernels::product::{Packed, Right, Start, product};
use lexigrad_kernels::reduce;
use lexigrad_kernels::view::{Matrix, View};
use lexigrad_macros::compiled;

use crate::apply::apply;
use crate::element::Element;
use crate::error::{Error, ErrorKind, Result};
use crate::op::{Cotangents, Needs, Op, Saved, Saves};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::weight::Weight;

/// `C = A B`, `A: [.., m, k]`, `B: [.., k, n]`, `C: [.., m, n]`, batch axes broadcast.
struct MatMul;

impl<T: Element> Op<T> for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn saves(&self, needs: Needs) -> Saves {
        let first = Saves::input(0).when(needs.input(1));
        first.and(Saves::input(1).when(needs.input(0)))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (a, b) = (inputs[0], inputs[1]);
        let (m, k) = last_two(a.shape());
        let (rows, n) = last_two(b.shape());
        if k != rows {
            let kind = ErrorKind::InnerSizes {
                left: a.shape().clone(),
                right: b.shape().clone(),
                columns: k,
                rows,
            };
            return Err(Error::new("matmul", kind));
        }
        let batch = batch_axes(a.shape()).broadcast("matmul", &batch_axes(b.shape()))?;
        let [left, right] = [a, b].map(|operand| matrices(operand, &batch));
        Tensor::build(with_last(&batch, [m, n]), |out| {
            let results = out.chunks_exact_mut((m * n).max(1));
            for (index, out) in results.enumerate() {
                let place = batch.index_of(index);
                let (a, b) = (matrix_at(&left, &place), matrix_at(&right, &place));
                product([m, k, n], a, b, (out, n), Start::Zero);
            }
        })
    }

    /// `dA = G Bᵀ`, `dB = Aᵀ G`
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let first = || cotangent.matmul(&saved.input(1).transpose(-2, -1)?);
        let second = || saved.input(0).transpose(-2, -1)?.matmul(&cotangent);
        Ok(Cotangents::two(
            saved.needs(0).then(first).transpose()?,
            saved.needs(1).then(second).transpose()?,
        ))
    }
}

/// A tensor as matrices over broadcast batch axes.
fn matrices<'a, T: Element>(tensor: &'a Tensor<T>, batch: &Shape) -> View<'a, T, Shape> {
    let (m, n) = last_two(tensor.shape());
    let layout = tensor.layout().expand(&with_last(batch, [m, n]));
    layout.view(tensor.buffer())
}

/// The matrix at a place of the batch axes.
fn matrix_at<'a, T>(matrices: &View<'a, T, Shape>, place: &Shape) -> Matrix<'a, T> {
    let (outer, inner) = matrices.strides.split_at(place.rank());
    let steps = place.iter().zip(outer);
    let start = steps.map(|(index, stride)| index * stride).sum::<usize>();
    Matrix {
        values: matrices.values.get(start..).unwrap_or_default(),
        strides: [inner[0], inner[1]],
    }
}

fn with_last(batch: &Shape, sizes: [usize; 2]) -> Shape {
    batch.iter().copied().chain(sizes).collect()
}

fn last_two(shape: &Shape) -> (usize, usize) {
    (shape[shape.rank() - 2], shape[shape.rank() - 1])
}

fn batch_axes(shape: &Shape) -> Shape {
    Shape::from(&shape[..shape.rank() - 2])
}

/// `y = x Wᵀ + b`, `x: [rows, in]`, `W: [out, in]`, `b: [out]`, `y: [rows, out]`.
struct Linear<T: Element> {
    /// `Wᵀ`, where the parameter keeps it packed.
    packed: Option<Arc<[Packed<T>]>>,
}

impl<T: Element> Op<T> for Linear<T> {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn saves(&self, needs: Needs) -> Saves {
        let input = Saves::input(0).when(needs.input(1));
        input.and(Saves::input(1).when(needs.input(0)))
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        let (x, weight) = (inputs[0], inputs[1]);
        let ([rows, inner], columns) = ([x.shape()[0], x.shape()[1]], weight.shape()[0]);
        let right = match self.packed.as_deref() {
            Some([packed]) => Right::Packed(packed),
            _ => Right::View(matrix_of(weight).transposed()),
        };
        let bias = inputs.get(2).map(|bias| bias.read()).transpose()?;
        Tensor::build([rows, columns], |out| {
            let start = bias.as_deref().map_or(Start::Zero, Start::Row);
            let sizes = [rows, inner, columns];
            product(sizes, matrix_of(x), right, (out, columns), start);
        })
    }

    /// `dx = G W`, `dW = Gᵀ x`, `db = Σ G` over the rows
    fn vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let input = || cotangent.matmul(saved.input(1));
        let weight = || cotangent.transpose(0, 1)?.matmul(saved.input(0));
        let bias = || cotangent.sum_axes(&[0]);
        Ok(Cotangents::from_iter([
            saved.needs(0).then(input).transpose()?,
            saved.needs(1).then(weight).transpose()?,
            saved.needs(2).then(bias).transpose()?,
        ]))
    }

    /// The same products without the operations around them, which cost more than small ones.
    fn fused_vjp(&self, saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let grad = matrix_of(&cotangent);
        let [rows, outputs] = [cotangent.shape()[0], cotangent.shape()[1]];
        let input = || constant_product([rows, outputs], grad, saved.input(1));
        let weight = || constant_product([outputs, rows], grad.transposed(), saved.input(0));
        let bias = || column_sums(&cotangent);
        Ok(Cotangents::from_iter([
            saved.needs(0).then(input).transpose()?,
            saved.needs(1).then(weight).transpose()?,
            saved.needs(2).then(bias).transpose()?,
        ]))
    }
}

/// A tensor of two axes as the kernels read it.
fn matrix_of<T: Element>(tensor: &Tensor<T>) -> Matrix<'_, T> {
    tensor.layout().view_of(tensor.buffer())
}

/// `A B`, `A: [m, k]`
fn constant_product<T: Element>(
    [m, k]: [usize; 2],
    a: Matrix<'_, T>,
    b: &Tensor<T>,
) -> Result<Tensor<T>> {
    let (n, b) = (b.shape()[1], matrix_of(b));
    Tensor::build([m, n], |out| {
        product([m, k, n], a, b, (out, n), Start::Zero)
    })
}

/// The sum of a matrix over its rows; a constant.
fn column_sums<T: Element>(matrix: &Tensor<T>) -> Result<Tensor<T>> {
    let (rows, columns) = last_two(matrix.shape());
    let values = matrix.read()?;
    Tensor::build([columns], |out| {
        reduce::sum_axis(&values, 1, rows, columns, out);
    })
}

#[compiled]
impl<T: Element> Tensor<T> {
    /// `C = A B`, `A: [.., m, k]`, `B: [.., k, n]`, `C: [.., m, n]`; batch axes broadcast, and views are not copied.
    ///
    /// ```
    /// use lexigrad_tensor::Tensor;
    /// let a: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    /// let b: Tensor = Tensor::new([[1.0], [10.0]]);
    /// assert_eq!(a.matmul(&b)?.to_vec(), [21.0, 43.0]);
    /// # Ok::<(), lexigrad_tensor::Error>(())
    /// ```
    ///
    /// # Errors
    /// If an operand has fewer than two axes (PyTorch takes vectors too), the inner sizes differ, or the batch axes do not
    /// broadcast.
    pub fn matmul(&self, other: &Self) -> Result<Self> {
        for (operand, tensor) in [("the left operand", self), ("the right operand", other)] {
            if tensor.rank() < 2 {
                let rule = "it must have at least two axes";
                return Err(Error::shape("matmul", operand, tensor.shape(), rule));
            }
        }
        let batched = self.rank() > 2 && other.rank() == 2;
        if batched && self.elements() > 0 {
            // One tall product instead of one for each matrix of the batch.
            let (_, k) = last_two(self.shape());
            let mut shape = self.shape().clone();
            let tall = self.reshape([self.elements() / k, k])?.matmul(other)?;
            shape.set(self.rank() - 1, other.shape()[1]);
            return tall.reshape(shape);
        }
        apply(MatMul, &[self, other])
    }

    /// `C[b] = A[b] B[b]`, `A: [B, m, k]`, `B: [B, k, n]`, `C: [B, m, n]`: [`matmul`](Self::matmul) that refuses to broadcast.
    ///
    /// # Errors
    /// If an operand has not three axes, the batches or the inner sizes differ.
    pub fn bmm(&self, other: &Self) -> Result<Self> {
        for (operand, tensor) in [("the left operand", self), ("the right operand", other)] {
            if tensor.rank() != 3 || tensor.shape()[0] != self.shape()[0] {
                let rule = "both must be [batch, rows, columns] of one batch size";
                return Err(Error::shape("bmm", operand, tensor.shape(), rule));
            }
        }
        self.matmul(other)
    }

    /// `C[i, j] = x[i] y[j]`, `x: [m]`, `y: [n]`, `C: [m, n]`.
    ///
    /// # Errors
    /// If an operand has not one axis.
    pub fn outer(&self, other: &Self) -> Result<Self> {
        for (operand, tensor) in [("the left operand", self), ("the right operand", other)] {
            if tensor.rank() != 1 {
                let rule = "it must have one axis";
                return Err(Error::shape("outer", operand, tensor.shape(), rule));
            }
        }
        self.unsqueeze(-1)?.mul(other)
    }
}

/// `y = x Wᵀ + b`, `x: [.., in]`, `W: [out, in]`, `b: [out]`, `y: [.., out]`.
///
/// W is a tensor or, better, the parameter itself, of which a pass without a tape keeps a packed copy: see [`Weight`].
///
/// # Errors
/// If the sizes do not fit.
///
/// PyTorch: `nn.functional.linear`.
pub fn linear<T: Element>(
    x: &Tensor<T>,
    weight: impl Into<Weight<T>>,
    bias: Option<&Tensor<T>>,
) -> Result<Tensor<T>> {
    linear_by(x, &weight.into(), bias)
}

#[compiled]
fn linear_by<T: Element>(
    x: &Tensor<T>,
    weight: &Weight<T>,
    bias: Option<&Tensor<T>>,
) -> Result<Tensor<T>> {
    let value = &weight.value;
    check_linear(x, value, bias)?;
    let (inner, columns) = (value.shape()[1], value.shape()[0]);
    let rows = x.shape()[..x.rank() - 1].iter().product::<usize>();
    let flat;
    let input = if x.rank() == 2 {
        x
    } else {
        flat = x.reshape([rows, inner])?;
        &flat
    };
    let packed = weight.packed(&[columns]);
    let output = match bias {
        Some(bias) => apply(Linear { packed }, &[input, value, bias])?,
        None => apply(Linear { packed }, &[input, value])?,
    };
    if x.rank() == 2 {
        return Ok(output);
    }
    let mut shape = x.shape().clone();
    shape.set(x.rank() - 1, columns);
    output.reshape(shape)
}

fn check_linear<T: Element>(
    x: &Tensor<T>,
    weight: &Tensor<T>,
    bias: Option<&Tensor<T>>,
) -> Result<()> {
    if weight.rank() != 2 {
        let rule = "it must be [out, in]";
        return Err(Error::shape("linear", "the weight", weight.shape(), rule));
    }
    if x.shape().last() != Some(&weight.shape()[1]) {
        let rule = format!(
            "its last axis must be the {} inputs of weight {}",
            weight.shape()[1],
            weight.shape()
        );
        return Err(Error::shape("linear", "the input", x.shape(), rule));
    }
    match bias {
        Some(bias) if *bias.shape() != [weight.shape()[0]] => {
            let rule = format!("it must be [{}], one for each output", weight.shape()[0]);
            Err(Error::shape("linear", "the bias", bias.shape(), rule))
        }
        _ => Ok(()),
    }
}
