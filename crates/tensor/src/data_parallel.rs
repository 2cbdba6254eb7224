//! One training step on several threads: a batch cut into shards, each with a tape of its own.

use lexigrad_kernels::{random, threads};

use crate::element::Element;
use crate::error::Result;
use crate::gradients::Gradients;
use crate::tape::{Tape, change_state, next_thread_seed, run_shard};
use crate::tensor::Tensor;

/// `Σ loss(shard)` and its gradients: each shard runs under a tape of its own on the thread pool, and the gradients are merged in
/// the order of the shards.
///
/// State that a forward pass moves, such as running statistics, moves after all shards, in their order too, as
/// [`change_state`] says; tapes that a shard makes draw from a seed of its own.
///
/// How the batch is cut decides the bits, the number of threads never does: cut it by a fixed size, and weigh a mean over a
/// shard by the shard's part of the batch. The sum of the losses is returned as one number.
///
/// ```
/// use lexigrad_tensor::{Param, Tensor, data_parallel};
/// let weight: Param = Param::new(Tensor::new([2.0]));
/// let batch = [1.0, 2.0, 3.0, 4.0];
/// let shards: Vec<&[f32]> = batch.chunks(2).collect();
/// let (loss, grads) = data_parallel(&shards, |shard| {
///     let x = Tensor::from(shard.to_vec());
///     Ok(weight.value().mul(&x)?.square().sum())
/// })?;
/// assert_eq!(loss, 120.0); // Σ (2 x)²
/// assert_eq!(grads.dense(&weight)?.map(|g| g.to_vec()), Some(vec![120.0])); // Σ 4 x²
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// A shard does not see a tape of the caller, nor what that checks. To find where a NaN arose, run the shard alone under
/// [`Tape::check_finite`].
///
/// # Errors
/// The error of the first shard that fails; places in it are those of the shard. Then no state has moved.
pub fn data_parallel<S: Sync, T: Element>(
    shards: &[S],
    loss: impl Fn(&S) -> Result<Tensor<T>> + Sync,
) -> Result<(T, Gradients<T>)> {
    let seed = next_thread_seed();
    let pass = |index: usize, shard: &S| {
        let tape = Tape::seeded(random::mix(seed ^ index as u64));
        let loss = loss(shard)?;
        let value = loss.constant().item()?;
        Ok((value, tape.backward(&loss)?))
    };
    // With a shard for each thread there is nobody left to share the work of a shard with.
    let enough = shards.len() >= threads::count();
    let results = threads::map(shards.len(), |index| {
        // A seed of its own for other tapes that the shard makes.
        let seed = random::mix(seed ^ index as u64);
        threads::alone_if(enough, || run_shard(seed, || pass(index, &shards[index])))
    });
    let mut total = T::zero();
    let mut parts = Vec::with_capacity(results.len());
    let mut changes = Vec::new();
    for (result, put_off) in results {
        let (value, part) = result?;
        total += value;
        parts.push(part);
        changes.extend(put_off);
    }
    let mut gradients = Gradients::default();
    gradients.merge_all(parts)?;
    changes.into_iter().for_each(change_state);
    Ok((total, gradients))
}
