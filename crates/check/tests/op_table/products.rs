//! Products of matrices and vectors, convolutions, and dropout, which multiplies too.

use lexigrad_check::strategies::{Domain, matmul_sizes, shape, tensor};
use lexigrad_check::{Batch, Case, Row, row};
use lexigrad_tensor::{
    Conv1dOptions, Norm, PoolOptions, Shape, avg_pool1d, conv1d, cosine_similarity, dropout,
    einsum, linear, max_pool1d,
};
use proptest::prelude::*;

#[test]
fn products() {
    crate::run(&rows());
}

fn matrices(left: &'static [usize], right: &'static [usize]) -> impl Strategy<Value = Case> {
    matmul_sizes().prop_flat_map(move |(m, k, n)| {
        let batched = |batch: &[usize], rows, columns| {
            let sizes = batch.iter().copied().chain([rows, columns]);
            tensor(sizes.collect::<Shape>(), Domain::Any)
        };
        (batched(left, m, k), batched(right, k, n)).prop_map(|(a, b)| Case::of(vec![a, b]))
    })
}

fn layer(outer: usize) -> impl Strategy<Value = Case> {
    (shape(outer, 0..=3), 1..=4usize, 1..=4usize).prop_flat_map(|(outer, inputs, outputs)| {
        let x: Shape = outer.iter().copied().chain([inputs]).collect();
        let parts = (
            tensor(x, Domain::Any),
            tensor(Shape::from([outputs, inputs]), Domain::Any),
            tensor(Shape::from([outputs]), Domain::Any),
        );
        parts.prop_map(|(x, weight, bias)| Case::of(vec![x, weight, bias]))
    })
}

/// Two tensors with a size for each letter of `left` and `right`, the same for the same letter.
fn lettered(left: &'static str, right: &'static str) -> impl Strategy<Value = Case> {
    proptest::collection::vec(1..=3usize, 26).prop_flat_map(move |sizes| {
        let of = |letters: &str| {
            let shape = letters
                .bytes()
                .map(|letter| sizes[usize::from(letter - b'a')]);
            tensor(shape.collect::<Shape>(), Domain::Any)
        };
        (of(left), of(right)).prop_map(|(x, y)| Case::of(vec![x, y]))
    })
}

/// Rows of vectors that are not short, two alike.
fn directions(outer: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = Case> {
    (shape(outer, 1..=3), 2..=4usize).prop_flat_map(|(outer, dim)| {
        let whole: Shape = outer.iter().copied().chain([dim]).collect();
        let parts = (
            tensor(whole.clone(), Domain::AwayFromKinks),
            tensor(whole, Domain::AwayFromKinks),
        );
        parts.prop_map(|(x, y)| Case::of(vec![x, y]))
    })
}

/// A batch of sequences, a weight and a bias, for this many groups.
fn convolution(groups: usize) -> impl Strategy<Value = Case> {
    let sizes = (1..=2usize, 1..=2usize, 1..=2usize, 1..=3usize, 5..=8usize);
    sizes.prop_flat_map(move |(batch, inputs, outputs, size, length)| {
        let parts = (
            tensor(Shape::from([batch, inputs * groups, length]), Domain::Any),
            tensor(Shape::from([outputs * groups, inputs, size]), Domain::Any),
            tensor(Shape::from([outputs * groups]), Domain::Any),
        );
        parts.prop_map(|(x, weight, bias)| Case::of(vec![x, weight, bias]))
    })
}

/// A batch of sequences of 4 to 7 places, no two elements alike.
fn sequences() -> impl Strategy<Value = Case> {
    let shapes = (0..=2usize, 1..=2usize, 4..=7usize).prop_map(|(b, c, l)| Shape::from([b, c, l]));
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::AwayFromKinks))
        .prop_map(|x| Case::of(vec![x]))
}

fn pooling(size: usize, stride: usize, padding: usize) -> PoolOptions {
    PoolOptions {
        size,
        stride,
        padding,
    }
}

fn any_tensor() -> impl Strategy<Value = Case> {
    let shapes = shape(1..=2, 1..=4);
    shapes
        .prop_flat_map(|shape| tensor(shape, Domain::Any))
        .prop_map(|x| Case::of(vec![x]))
}

/// A batch in both tensors.
const BOTH: Batch = Batch {
    tensors: &[0, 1],
    ids: false,
};

pub fn rows() -> Vec<Row> {
    vec![
        row!("matmul", matrices(&[], &[]), |x, _ids| x[0].matmul(&x[1])).batched(crate::FIRST),
        row!(
            "matmul of batches",
            matrices(&[2, 1], &[1, 3]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!(
            "matmul of a batch with one",
            matrices(&[3], &[]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!(
            "matmul of one with a batch",
            matrices(&[], &[2]),
            |x, _ids| x[0].matmul(&x[1])
        ),
        row!("matmul transposed", matrices(&[], &[]), |x, _ids| {
            let (a, b) = (x[0].transpose(0, 1)?, x[1].transpose(0, 1)?);
            b.matmul(&a)
        }),
        row!("linear", layer(1), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        ))
        .batched(crate::FIRST),
        row!("linear without bias", layer(1), |x, _ids| linear(
            &x[0], &x[1], None
        ))
        .batched(crate::FIRST),
        row!("linear on a vector", layer(0), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        )),
        row!("linear on a cube", layer(2), |x, _ids| linear(
            &x[0],
            &x[1],
            Some(&x[2])
        ))
        .batched(crate::FIRST),
        row!("outer", lettered("i", "j"), |x, _ids| x[0].outer(&x[1])),
        row!("bmm", lettered("bij", "bjk"), |x, _ids| x[0].bmm(&x[1])).batched(BOTH),
        row!("einsum product", lettered("bij", "bjk"), |x, _ids| {
            einsum("bij,bjk->bik", &[&x[0], &x[1]])
        })
        .batched(BOTH),
        row!(
            "einsum of four axes",
            lettered("bqhd", "bkhd"),
            |x, _ids| { einsum("bqhd,bkhd->bhqk", &[&x[0], &x[1]]) }
        )
        .batched(BOTH),
        row!(
            "einsum with sums of its own",
            lettered("aij", "jkc"),
            |x, _ids| { einsum("aij,jkc->kij", &[&x[0], &x[1]]) }
        ),
        row!("einsum of diagonals", lettered("iji", "jj"), |x, _ids| {
            einsum("iji,jj", &[&x[0].square(), &x[1]])
        }),
        row!("einsum of one", lettered("ijk", "i"), |x, _ids| {
            einsum("ijk->ki", &[&x[0].square()])?.mul(&x[1])
        }),
        row!("norm L1", directions(1..=2), |x, _ids| {
            x[0].norm(Norm::L1, &[-1])?
                .mul(&x[1].norm(Norm::L1, &[-1])?)
        })
        .batched(BOTH),
        row!("norm L2", directions(1..=2), |x, _ids| x[0]
            .norm(Norm::L2, &[-1]))
        .batched(crate::FIRST),
        row!(
            "norm L2 over all axes, kept",
            directions(1..=2),
            |x, _ids| {
                let axes: Vec<isize> = (0..x[0].rank() as isize).collect();
                x[0].norm_keep(Norm::L2, &axes)?.mul(&x[1])
            }
        ),
        row!("norm infinity", directions(1..=2), |x, _ids| {
            Ok(x[0].norm(Norm::Infinity, &[-1])?.square())
        })
        .batched(crate::FIRST),
        row!("cosine_similarity", directions(1..=2), |x, _ids| {
            cosine_similarity(&x[0], &x[1], -1, 1e-8)
        })
        .batched(BOTH),
        row!(
            "cosine_similarity of two vectors",
            directions(0..=0),
            |x, _ids| { cosine_similarity(&x[0], &x[1], 0, 1e-8) }
        ),
        row!("conv1d", convolution(1), |x, _ids| {
            conv1d(&x[0], &x[1], Some(&x[2]), &Conv1dOptions::default())
        })
        .batched(crate::FIRST),
        row!("conv1d with every option", convolution(2), |x, _ids| {
            let options = Conv1dOptions {
                stride: 2,
                padding: 1,
                dilation: 2,
                groups: 2,
            };
            conv1d(&x[0], &x[1], None, &options)
        })
        .batched(crate::FIRST),
        row!("max_pool1d", sequences(), |x, _ids| {
            Ok(max_pool1d(&x[0], &PoolOptions::new(2))?.square())
        })
        .batched(crate::FIRST),
        row!("max_pool1d padded", sequences(), |x, _ids| {
            Ok(max_pool1d(&x[0], &pooling(3, 1, 1))?.square())
        })
        .batched(crate::FIRST),
        row!("avg_pool1d", sequences(), |x, _ids| {
            Ok(avg_pool1d(&x[0], &pooling(3, 2, 1))?.square())
        })
        .batched(crate::FIRST),
        row!("dropout", any_tensor(), |x, _ids| {
            Ok(dropout(&x[0].square(), 0.4)?.square())
        }),
    ]
}
