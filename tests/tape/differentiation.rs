//! Watching, differentiating again, vector-Jacobian products.

use std::cell::RefCell;
use std::rc::Rc;

use lexigrad::tensor::{EmbeddingOptions, Ids, Param, Result, Tape, Tensor, embedding};

use crate::{gradient, gradient_of, param};

#[test]
fn a_watched_tensor_has_a_gradient_and_the_original_is_a_constant() {
    let x = Tensor::new([1.0, 2.0]);
    let tape = Tape::new();
    let watched = tape.watch(&x);
    let loss = watched.mul(&x).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(gradient_of(&gradients, &watched), [1.0, 2.0]);
    assert!(gradients.of(&x).is_none());
}

#[test]
fn a_gradient_can_be_differentiated_again_and_mixed_with_the_loss() {
    let weight = param([2.0, -1.0]);
    let tape = Tape::new();
    let w = weight.value();
    let cubes = w.powf(3.0).sum();
    let slope = tape.grad(&cubes, &[&w]).unwrap().remove(0);
    assert_eq!(slope.to_vec(), [12.0, 3.0]);
    // L = Σ w³ + Σ (3 w²)², dL/dw = 3 w² + 36 w³
    let loss = cubes.add(&slope.square().sum()).unwrap();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(gradient(&gradients, &weight), [300.0, -33.0]);
}

#[test]
fn the_gradient_of_what_does_not_depend_is_zeros() {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0_f32, 2.0]));
    let y = tape.watch(&Tensor::new([[1.0_f32], [2.0]]));
    let found = tape.grad(&x.square().sum(), &[&y, &x]).unwrap();
    assert_eq!(found[0].to_array::<[[f32; 1]; 2]>().unwrap(), [[0.0]; 2]);
    assert_eq!(found[1].to_vec(), [2.0, 4.0]);
}

#[test]
fn backward_with_is_a_vector_jacobian_product() {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0, 2.0, 3.0]));
    let gradients = tape
        .backward_with(&x.square(), &Tensor::new([1.0, 0.0, -1.0]))
        .unwrap();
    assert_eq!(gradient_of(&gradients, &x), [2.0, 0.0, -6.0]);
}

#[test]
fn a_second_derivative_goes_through_an_embedding() {
    let table: Param = Param::new(Tensor::new([[1.0], [2.0], [3.0]]));
    let tape = Tape::new();
    let rows = table.value();
    let ids = Ids::new([2, 0, 2]).unwrap();
    let cubes = embedding(&rows, &ids, &EmbeddingOptions::default())
        .unwrap()
        .powf(3.0);
    let slope = tape.grad(&cubes.sum(), &[&rows]).unwrap().remove(0);
    assert_eq!(slope.to_vec(), [3.0, 0.0, 54.0]);
    let gradients = tape.backward(&slope.sum()).unwrap();
    assert_eq!(gradient(&gradients, &table), [6.0, 0.0, 36.0]);
}

/// `dx²/dx` at 3, worked out inside a hook on `y = x`, from `x²` and from `y²`.
fn gradient_inside_a_hook() -> (Result<Vec<f32>>, Result<Vec<f32>>) {
    let tape = Rc::new(Tape::new());
    let x = tape.watch(&Tensor::new([3.0_f32]));
    let hooked = Rc::new(RefCell::new(x.clone()));
    let found = Rc::new(RefCell::new(None));
    let y = x.inspect_gradient({
        let (tape, x, hooked, found) = (tape.clone(), x.clone(), hooked.clone(), found.clone());
        move |_| {
            let slope = |of: &Tensor| {
                let slopes = tape.grad(&of.square().sum(), &[&x])?;
                Ok(slopes[0].to_vec())
            };
            let y = hooked.borrow().clone();
            found.replace(Some((slope(&x), slope(&y))));
        }
    });
    hooked.replace(y.clone());
    let slope = tape.grad(&y.square().sum(), &[&x]).unwrap().remove(0);
    assert_eq!(slope.to_vec(), [6.0], "the pass around goes on");
    found.take().unwrap()
}

#[test]
fn inside_a_hook_a_gradient_leads_through_earlier_tensors_alone() {
    let (through_x, through_y) = gradient_inside_a_hook();
    assert_eq!(through_x.unwrap(), [6.0]);
    assert_eq!(
        through_y.unwrap_err().to_string(),
        "grad: the way back leads through a tensor of shape [1] whose gradient is being computed; \
         a hook can differentiate only what was computed before its tensor"
    );
}
