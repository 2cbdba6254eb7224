//! Training steps: batches in turn, the way back, a step of the optimizer.

use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use super::Loaded;
use super::models::Model;
use super::values::{Result, Values};

/// The step of a model under a rule, from the values in the file.
pub fn training<M: Model + 'static>(
    model: impl FnOnce(&Values) -> Result<M>,
    values: Values,
    mut optimizer: ModuleOptimizer,
    rate: f64,
) -> Loaded {
    let labels = values.ids("labels")?.into_iter();
    let labels = labels.map(|labels| labels.flatten(0, 1));
    let batches: Vec<_> = values.ids("ids")?.into_iter().zip(labels).collect();
    let mut batches = batches.into_iter().cycle();
    let mut model = Some(model(&values)?);
    let mut step = move || {
        let ((ids, labels), trained) = (batches.next()?, model.take()?);
        let loss = trained.loss(ids, labels);
        let gradients = GradientsParams::from_grads(loss.backward(), &trained);
        model = Some(optimizer.step(rate, trained, gradients));
        Some(loss.into_scalar::<f32>())
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}

/// `x + y + y + ..`, and the way back.
pub fn chain(length: usize, values: &Values) -> Loaded {
    let x: Tensor<1> = values.parameter("x")?.val();
    let y: Tensor<1> = values.tensor("y")?;
    let step = move || {
        let sum = (0..length).fold(x.clone(), |sum, _| sum + y.clone());
        // The way back starts from ones, so the product is what brings `y` there.
        let gradients = (sum * y.clone()).sum().backward();
        Some(x.grad(&gradients)?.sum().into_scalar::<f32>())
    };
    Ok(Box::new(move || step().map_or(f64::NAN, f64::from)))
}
