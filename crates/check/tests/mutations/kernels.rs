//! A kernel whose gradient is off by less than differences of the function show.

use lexigrad_check::strategies::{Domain, shape, tensor};
use lexigrad_check::{Case, row};
use lexigrad_tensor::{Cotangents, Element, Needs, Op, Result, Saved, Tensor, apply};
use proptest::prelude::*;

/// `y = 2 x`; its kernel multiplies the gradient by another factor.
#[derive(Clone, Copy)]
struct Twice {
    factor_of_kernel: f64,
}

impl<T: Element> Op<T> for Twice {
    fn name(&self) -> &'static str {
        "twice"
    }

    fn forward(&mut self, inputs: &[&Tensor<T>], _needs: Needs) -> Result<Tensor<T>> {
        Ok(inputs[0].detach().mul_scalar(T::from_f64(2.0)))
    }

    fn vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let gradient = cotangent.mul_scalar(T::from_f64(2.0));
        Ok(Cotangents::one(gradient))
    }

    fn fused_vjp(&self, _saved: &Saved<'_, T>, cotangent: Tensor<T>) -> Result<Cotangents<T>> {
        let gradient = cotangent.mul_scalar(T::from_f64(self.factor_of_kernel));
        Ok(Cotangents::one(gradient))
    }
}

fn inputs() -> impl Strategy<Value = Case> {
    let tensors = shape(1..=2, 1..=3).prop_flat_map(|shape| tensor(shape, Domain::Positive));
    tensors.prop_map(|x| Case::of(vec![x]))
}

#[test]
fn is_found_beside_the_tensor_operations() {
    let right = row!("twice", inputs(), |x, _ids| {
        let factor_of_kernel = 2.0;
        Ok(apply(Twice { factor_of_kernel }, &[&x[0]])?.square())
    });
    right.run(16);
    let wrong = row!("twice", inputs(), |x, _ids| {
        let factor_of_kernel = 2.0 + 1e-8;
        Ok(apply(Twice { factor_of_kernel }, &[&x[0]])?.square())
    });
    let failure = wrong.try_run(16).unwrap_err();
    assert!(
        failure
            .reason
            .starts_with("kernels against tensor operations: gradient 0 holds "),
        "{failure}"
    );
}
