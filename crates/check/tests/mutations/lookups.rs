//! Bugs in the gradient of a table, which is row-sparse.

use lexigrad_tensor::{Cotangents, Ids, Result, RowSparse, Tensor, gather_rows};

use crate::{Forward, Vjp, is_caught, passes};

const ROWS: [u32; 3] = [2, 0, 2];
const LOOKUP: Forward = |x| gather_rows(x[0], &Ids::new(ROWS)?);

fn table() -> [Tensor<f64>; 1] {
    [Tensor::new([
        [0.1, 0.9],
        [-0.4, 0.6],
        [0.3, -0.8],
        [0.7, 0.2],
    ])]
}

fn sparse(rows: impl IntoIterator<Item = u32>, values: &Tensor<f64>) -> Result<Cotangents<f64>> {
    let rows: Vec<u32> = rows.into_iter().collect();
    let gradient = RowSparse::new(Ids::new(rows)?, values.clone(), 4)?;
    Ok(Cotangents::row_sparse(gradient))
}

#[test]
fn of_the_scatter() {
    passes(&table(), LOOKUP, |_, _, g| sparse(ROWS, g));
    let bugs: [(&str, Vjp); 6] = [
        ("rows off by one", |_, _, g| {
            sparse(ROWS.map(|row| (row + 1) % 4), g)
        }),
        ("rows in another order", |_, _, g| sparse([0, 2, 2], g)),
        ("a repeated row counted once", |_, _, g| {
            sparse([ROWS[1], ROWS[2]], &gather_rows(g, &Ids::new([1, 2])?)?)
        }),
        ("rows counted twice", |_, _, g| {
            sparse(ROWS, &g.mul_scalar(2.0))
        }),
        ("repeats averaged", |_, _, g| {
            sparse(ROWS, &g.mul(&Tensor::new([[0.5], [1.0], [0.5]]))?)
        }),
        ("columns exchanged", |_, _, g| sparse(ROWS, &g.flip(&[-1])?)),
    ];
    for (bug, vjp) in bugs {
        is_caught(bug, &table(), LOOKUP, vjp);
    }
}

#[test]
fn of_a_mean_with_padding() {
    /// The mean of rows 2 and 1 of a bag that holds the padding 3 too.
    const BAG: Forward = |x| gather_rows(x[0], &Ids::new([2, 1])?)?.mean_axes(&[0]);
    passes(&table(), BAG, |_, _, g| {
        sparse([2, 1], &g.mul_scalar(0.5).expand([2, 2])?)
    });
    is_caught("padding in the mean's count", &table(), BAG, |_, _, g| {
        sparse([2, 1], &g.mul_scalar(1.0 / 3.0).expand([2, 2])?)
    });
    is_caught("a gradient for the padding", &table(), BAG, |_, _, g| {
        sparse([2, 1, 3], &g.mul_scalar(0.5).expand([3, 2])?)
    });
}
