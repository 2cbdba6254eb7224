//! Checkpointing: the same bits for less memory.

use lexigrad::tensor::{
    Gradients, Ids, Param, Result, Tape, Tensor, checkpoint, dropout, embedding,
};

use super::{gradient, gradient_of, param};

/// Two layers of a kind with dropout between, each behind a checkpoint or not.
fn run(weight: &Param, bias: &Param, checkpointed: bool) -> (f32, Gradients, Tensor) {
    let tape = Tape::seeded(7);
    let x = tape.watch(&Tensor::new([0.5, -1.0, 2.0]));
    let mut y = x.clone();
    for _ in 0..2 {
        let (w, b, input, shared) = (weight.clone(), bias.clone(), y.clone(), x.clone());
        let layer = move || -> Result<Tensor> {
            let hidden = dropout(&input.mul(&w.value())?.add(&b.value())?.tanh(), 0.5)?;
            hidden.exp().add(&shared)
        };
        y = if checkpointed {
            checkpoint(layer).unwrap()
        } else {
            layer().unwrap()
        };
    }
    let loss = dropout(&y, 0.5).unwrap().square().sum();
    let value = loss.item().unwrap();
    (value, tape.backward(&loss).unwrap(), x)
}

#[test]
fn a_checkpoint_changes_no_bit_of_loss_or_gradients() {
    let (weight, bias) = (param([0.3, -0.7, 1.1]), param([0.1, 0.2, 0.3]));
    let (plain, plain_gradients, plain_x) = run(&weight, &bias, false);
    let (loss, gradients, x) = run(&weight, &bias, true);
    assert_eq!(plain.to_bits(), loss.to_bits());
    for param in [&weight, &bias] {
        assert_eq!(
            gradient(&plain_gradients, param),
            gradient(&gradients, param)
        );
    }
    assert_eq!(
        gradient_of(&plain_gradients, &plain_x),
        gradient_of(&gradients, &x)
    );
}

#[test]
fn a_checkpoint_in_a_checkpoint_and_one_of_what_is_passed_on() {
    let weight = param([2.0]);
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([3.0]));
    let (w, input) = (weight.clone(), x.clone());
    let y = checkpoint(move || {
        let (w, inner) = (w.clone(), input.clone());
        checkpoint(move || inner.mul(&w.value())?.square().mul(&inner))?.mul(&input)
    })
    .unwrap(); // w² x⁴
    let passed = x.clone();
    let same = checkpoint(move || Ok(passed.clone())).unwrap();
    let w = weight.clone();
    let own = checkpoint(move || Ok(w.value())).unwrap();
    let loss = y.add(&same).unwrap().add(&own).unwrap().sum();
    let gradients = tape.backward(&loss).unwrap();
    assert_eq!(gradient_of(&gradients, &x), [4.0 * 4.0 * 27.0 + 1.0]);
    assert_eq!(gradient(&gradients, &weight), [2.0 * 2.0 * 81.0 + 1.0]);
}

#[test]
fn a_checkpoint_can_be_differentiated_twice() {
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new(2.0_f64));
    let cube = x.powf(3.0);
    let (a, b) = (x.clone(), cube.clone());
    let y = checkpoint(move || a.mul(&b)).unwrap(); // x⁴, by two ways
    let first = tape.grad(&y, &[&x]).unwrap().remove(0);
    let second = tape.grad(&first, &[&x]).unwrap().remove(0);
    assert_eq!(
        (first.item().unwrap(), second.item().unwrap()),
        (32.0, 48.0)
    );
}

#[test]
fn a_lookup_behind_a_checkpoint_keeps_its_sparse_gradient() {
    let table: Param = Param::new(Tensor::ones([100, 2]));
    let tape = Tape::new();
    let t = table.clone();
    let rows = checkpoint(move || {
        let ids = Ids::new([3, 7])?;
        embedding(&t.rows("embedding", &ids)?, &ids, &Default::default())
    });
    let gradients = tape.backward(&rows.unwrap().square().sum()).unwrap();
    let sparse = gradients.get(&table).unwrap().as_row_sparse().unwrap();
    assert_eq!(sparse.rows().as_slice(), [3, 7]);
}

#[test]
fn without_a_tape_and_on_an_error_a_checkpoint_is_its_closure() {
    let y = checkpoint(|| Ok(Tensor::new([1.0_f32]).exp())).unwrap();
    assert_eq!(y.to_vec(), [1.0_f32.exp()]);
    let tape = Tape::new();
    let x = tape.watch(&Tensor::new([1.0_f32, 2.0]));
    let input = x.clone();
    let error = checkpoint(move || input.reshape([3])).unwrap_err();
    assert_eq!(error.operation(), "reshape");
    let gradients = tape.backward(&x.square().sum()).unwrap();
    assert_eq!(gradient_of(&gradients, &x), [2.0, 4.0]);
}
