//! A case with axes that hold nothing: where a kernel loops over nothing, it may leave its output unwritten.

use lexigrad_tensor::{Ids, Shape, Tensor};

use crate::battery::Case;

/// The case with every axis of one size emptied, for each size; and with one axis of one tensor emptied, for each axis.
pub(crate) fn emptied(case: &Case) -> Vec<Case> {
    let shapes = || case.tensors.iter().map(Tensor::shape);
    let mut sizes: Vec<usize> = shapes()
        .chain([case.ids.shape()])
        .flat_map(|shape| shape.iter().copied())
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    let alike = sizes.iter().map(|&size| {
        let empty = |shape: &Shape| {
            shape
                .iter()
                .map(|&s| if s == size { 0 } else { s })
                .collect()
        };
        let tensors = case.tensors.iter().map(|x| resized(x, empty(x.shape())));
        Case {
            tensors: tensors.collect(),
            ids: taken(&case.ids, empty(case.ids.shape())),
        }
    });
    let places = shapes()
        .enumerate()
        .flat_map(|(index, shape)| (0..shape.rank()).map(move |axis| (index, axis)));
    let single = places.map(|(index, axis)| {
        let mut one = case.clone();
        let mut shape = one.tensors[index].shape().to_vec();
        shape[axis] = 0;
        one.tensors[index] = resized(&one.tensors[index], shape.into());
        one
    });
    alike.chain(single).collect()
}

/// What was never written, in the output or a gradient.
///
/// An arithmetic operation makes NaNs without a payload; a debug build of the tensor crate fills new buffers with NaNs that have one.
pub(crate) fn unwritten(found: &[Tensor<f64>]) -> Option<String> {
    const PAYLOAD: u64 = (1 << 51) - 1;
    let is_unwritten = |x: &f64| x.is_nan() && x.to_bits() & PAYLOAD != 0;
    let index = found
        .iter()
        .position(|tensor| tensor.values().iter().any(is_unwritten))?;
    Some(match index {
        0 => "the output was not wholly written".to_owned(),
        _ => format!("gradient {} was not wholly written", index - 1),
    })
}

/// The tensor itself if it has this shape, else one of this shape, which holds nothing.
fn resized(x: &Tensor<f64>, shape: Shape) -> Tensor<f64> {
    if *x.shape() == shape {
        return x.clone();
    }
    Tensor::zeros(shape)
}

fn taken(ids: &Ids, shape: Shape) -> Ids {
    if *ids.shape() == shape {
        return ids.clone();
    }
    Ids::from_vec(Vec::new(), shape).unwrap_or_else(|error| unreachable!("{error}"))
}
