//! Derivatives of functions, and their nesting.

use lexigrad::tensor::{
    EmbeddingOptions, Ids, Tape, Tensor, embedding, grad, hessian, hvp, jacobian, jvp,
    value_and_grad, vjp,
};

fn x() -> Tensor<f64> {
    Tensor::new([0.5, -1.5, 2.0])
}

/// `Σ tanh(x)² + x0 x1 x2`
fn f(x: &Tensor<f64>) -> lexigrad::prelude::Result<Tensor<f64>> {
    let parts = x.split(&[1, 1, 1], 0)?;
    let product = parts[0].mul(&parts[1])?.mul(&parts[2])?;
    x.tanh().square().sum().add(&product.sum())
}

fn close(x: &Tensor<f64>, y: &Tensor<f64>) -> bool {
    let (xs, ys) = (x.to_vec(), y.to_vec());
    x.shape() == y.shape() && xs.iter().zip(&ys).all(|(x, y)| (x - y).abs() < 1e-12)
}

#[test]
fn jvp_and_vjp_are_the_jacobian_and_its_transpose() {
    let g = |x: &Tensor<f64>| x.unsqueeze(-1)?.matmul(&x.exp().unsqueeze(0)?);
    let j = jacobian(g, &x()).unwrap();
    assert_eq!(*j.shape(), [3, 3, 3]);
    let flat = j.reshape([9, 3]).unwrap();
    let v = Tensor::new([1.0, -2.0, 0.25]);
    let (_, moved) = jvp(g, &x(), &v).unwrap();
    let expected = flat
        .matmul(&v.unsqueeze(-1).unwrap())
        .unwrap()
        .reshape([3, 3])
        .unwrap();
    assert!(close(&moved, &expected));
    let u = Tensor::<f64>::arange(0.0, 9.0, 1.0)
        .unwrap()
        .reshape([3, 3])
        .unwrap();
    let (_, product) = vjp(g, &x(), &u).unwrap();
    let expected = u
        .reshape([1, 9])
        .unwrap()
        .matmul(&flat)
        .unwrap()
        .reshape([3])
        .unwrap();
    assert!(close(&product, &expected));
}

#[test]
fn hvp_is_the_hessian_times_the_vector() {
    let v = Tensor::new([1.0, 0.5, -3.0]);
    let h = hessian(f, &x()).unwrap();
    assert!(close(&h, &h.transpose(0, 1).unwrap()));
    let (value, product) = hvp(f, &x(), &v).unwrap();
    let expected = h
        .matmul(&v.unsqueeze(-1).unwrap())
        .unwrap()
        .squeeze(-1)
        .unwrap();
    assert!(close(&product, &expected));
    assert!(close(&value, &f(&x()).unwrap()));
}

#[test]
fn a_jacobian_of_a_gradient_of_a_gradient_is_right() {
    let fourth = |x: &Tensor<f64>| Ok(x.powf(4.0).sum());
    let third = |x: &Tensor<f64>| {
        let second = |x: &Tensor<f64>| Ok(grad(fourth, x)?.sum());
        grad(|x: &Tensor<f64>| Ok(grad(second, x)?.sum()), x)
    };
    let expected = x().mul_scalar(24.0);
    assert!(close(&third(&x()).unwrap(), &expected));
}

#[test]
fn a_gradient_inside_a_step_is_part_of_its_loss() {
    let tape = Tape::new();
    let x = tape.watch(&x());
    let penalty = grad(|x: &Tensor<f64>| Ok(x.powf(3.0).sum()), &x)
        .unwrap()
        .square()
        .sum(); // Σ 9 x⁴
    let gradients = tape.backward(&penalty).unwrap();
    let expected = x.powf(3.0).mul_scalar(36.0);
    assert!(close(
        &gradients.of(&x).unwrap().to_dense().unwrap(),
        &expected
    ));
}

#[test]
fn several_inputs_one_unused_and_a_table() {
    let table: Tensor<f64> = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
    let inputs = vec![table, Tensor::new([5.0]), Tensor::new([7.0])];
    let ids = Ids::new([1, 1]).unwrap();
    let f = |inputs: &Vec<Tensor<f64>>| {
        let rows = embedding(&inputs[0], &ids, &EmbeddingOptions::default())?;
        Ok(rows.square().mul(&inputs[1])?.sum())
    };
    let (value, gradients) = value_and_grad(f, &inputs).unwrap();
    assert_eq!(value.item().unwrap(), 250.0);
    assert_eq!(gradients[0].to_vec(), [0.0, 0.0, 60.0, 80.0]);
    assert_eq!(gradients[1].to_vec(), [50.0]);
    assert_eq!(gradients[2].to_vec(), [0.0]);
    let ones: Vec<Tensor<f64>> = inputs.iter().map(|x| Tensor::ones(x.shape())).collect();
    let (_, products) = hvp(f, &inputs, &ones).unwrap();
    assert_eq!(products[0].to_vec(), [0.0, 0.0, 32.0, 36.0]);
    assert_eq!(products[1].to_vec(), [28.0]);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let text = |result: lexigrad::prelude::Result<Tensor<f64>>| result.unwrap_err().to_string();
    let square = |x: &Tensor<f64>| Ok(x.square());
    assert_eq!(
        text(grad(square, &x())),
        "grad: the output has shape [3]; it must hold one element (use vjp or jacobian for more)"
    );
    let short = Tensor::new([1.0]);
    assert_eq!(
        text(vjp(square, &x(), &short).map(|(y, _)| y)),
        "vjp: the cotangent has shape [1]; it must be [3]"
    );
    assert_eq!(
        text(jvp(square, &x(), &short).map(|(y, _)| y)),
        "jvp: a vector has shape [1]; it must be [3]"
    );
    let constant = |x: &Tensor<f64>| Ok(x.detach().sum());
    assert_eq!(grad(constant, &x()).unwrap().to_vec(), [0.0; 3]);
    assert_eq!(hessian(constant, &x()).unwrap().to_vec(), [0.0; 9]);
}

#[test]
fn a_hook_sees_the_whole_gradient_once_and_can_replace_it() {
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let log = seen.clone();
    let tape = Tape::new();
    let x = tape.watch(&x());
    let hooked = x.inspect_gradient(move |gradient| log.borrow_mut().push(gradient.to_vec()));
    let doubled = hooked.map_gradient(|gradient| Ok(gradient.mul_scalar(2.0)));
    let loss = doubled.sum().add(&doubled.sum()).unwrap();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(*seen.borrow(), [[4.0; 3]]);
    assert_eq!(
        gradients.of(&x).unwrap().to_dense().unwrap().to_vec(),
        [4.0; 3]
    );

    let tape = Tape::new();
    let leaf = tape.watch(&self::x());
    let broken = leaf.map_gradient(|gradient| gradient.narrow(0, 0, 1));
    assert_eq!(
        tape.backward(&broken.sum()).unwrap_err().to_string(),
        "map_gradient: the result has shape [1]; it must be that of the gradient, [3]"
    );
}
