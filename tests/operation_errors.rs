//! The texts of the errors of operations that index, cut, join and slide.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fmt::Debug;

use lexigrad::prelude::*;
use lexigrad::tensor::{
    Conv1dOptions, Norm, PoolOptions, conv1d, cosine_similarity, einsum, max_pool1d, segment_sum,
};

fn zeros<const N: usize>(shape: [usize; N]) -> Tensor {
    Tensor::zeros(shape)
}

#[track_caller]
fn assert_text<T: Debug>(result: Result<T>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[test]
fn indices_beyond_an_axis_or_of_another_shape() {
    let x = zeros([2, 3]);
    assert_text(
        x.index_select(1, &Ids::new([0, 3]).unwrap()),
        "index_select: id 3 at [1] is out of range for axis 1 of size 3",
    );
    assert_text(
        x.index_select(0, &Ids::new([[0]]).unwrap()),
        "index_select: the ids have shape [1, 1]; they must have one axis",
    );
    assert_text(
        x.gather(1, &Ids::new([[0], [0], [0]]).unwrap()),
        "gather: the ids have shape [3, 1]; beside axis 1 they must have the tensor's, [2, 3]",
    );
    assert_text(
        x.scatter_add(1, &Ids::new([[0], [4]]).unwrap(), &zeros([2, 1])),
        "scatter_add: id 4 at [1, 0] is out of range for axis 1 of size 3",
    );
    assert_text(
        x.scatter_add(1, &Ids::new([[0], [1]]).unwrap(), &zeros([2, 2])),
        "scatter_add: the values have shape [2, 2]; they must have that of the ids, [2, 1]",
    );
    assert_text(
        Ids::new([[0, 7]]).unwrap().one_hot::<f32>(7),
        "one_hot: id 7 at [0, 1] is out of range for 7 classes",
    );
    assert_text(
        segment_sum(&x, &Ids::new([0]).unwrap(), 2),
        "segment_sum: the values have shape [2, 3]; their first axis must be that of the ids, [1]",
    );
    assert_text(
        segment_sum(&x, &Ids::new([0, 2]).unwrap(), 2),
        "segment_sum: id 2 at [1] is out of range for 2 segments",
    );
}

#[test]
fn parts_and_windows_that_are_not_there() {
    let x = zeros([2, 5]);
    assert_text(
        x.split(&[2, 2], 1),
        "split: the tensor has shape [2, 5]; the lengths [2, 2] must add up to axis 1",
    );
    assert_text(
        x.split(&[usize::MAX, 6], 1),
        &format!(
            "split: the tensor has shape [2, 5]; the lengths [{}, 6] must add up to axis 1",
            usize::MAX
        ),
    );
    assert_text(
        x.chunk(0, 1),
        "chunk: the number of parts is 0; it must be at least 1",
    );
    assert_text(
        x.unfold(1, 6, 1),
        "unfold: the tensor has shape [2, 5]; axis 1 has no window of 6 elements",
    );
    assert_text(
        x.unfold(1, 0, 1),
        "unfold: the tensor has shape [2, 5]; the window's size, step and dilation must be at least 1",
    );
    assert_text(
        x.pad(0, usize::MAX, 1, 0.0),
        &format!(
            "pad: the tensor has shape [2, 5]; axis 0 with {} and 1 more is too long",
            usize::MAX
        ),
    );
    assert_text(
        x.topk(6, 1),
        "topk: the tensor has shape [2, 5]; axis 1 must hold 6 elements",
    );
    assert_text(
        x.repeat(&[2]),
        "repeat: the tensor has shape [2, 5]; [2] must hold a count for each axis",
    );
    assert_text(x.flip(&[0, -2]), "flip: axis -2 is named twice in [0, -2]");
    assert_text(
        Tensor::<f32>::zeros([]).cumsum(0),
        "cumsum: axis 0 is out of range for shape [] (it has no axes)",
    );
}

#[test]
fn convolutions_and_pools_that_do_not_fit() {
    let options = Conv1dOptions::default();
    let conv = |x: &Tensor, weight: &Tensor| conv1d(x, weight, None, &options);
    assert_text(
        conv(&zeros([2, 5]), &zeros([1, 1, 1])),
        "conv1d: the input has shape [2, 5]; it must be [batch, channels, length]",
    );
    assert_text(
        conv(&zeros([1, 2, 5]), &zeros([1, 3, 1])),
        "conv1d: the weight has shape [1, 3, 1]; axis 1 must be the 2 channels of the input by 1 groups",
    );
    assert_text(
        conv(&zeros([1, 2, 2]), &zeros([1, 2, 3])),
        "conv1d: the padded input has shape [1, 2, 2]; axis 2 has no window of 3 elements",
    );
    let grouped = Conv1dOptions {
        groups: 3,
        ..options
    };
    assert_text(
        conv1d(&zeros([1, 2, 5]), &zeros([3, 1, 1]), None, &grouped),
        "conv1d: 3 groups do not divide 2 channels and 3 outputs",
    );
    assert_text(
        conv1d(
            &zeros([1, 2, 5]),
            &zeros([3, 2, 1]),
            Some(&zeros([2])),
            &options,
        ),
        "conv1d: the bias has shape [2]; it must be [3], one for each output",
    );
    let padded = PoolOptions {
        padding: 2,
        ..PoolOptions::new(3)
    };
    assert_text(
        max_pool1d(&zeros([1, 1, 5]), &padded),
        "max_pool1d: the padding is 2; it must be at most half of the window's 3",
    );
}

#[test]
fn products_in_letters_that_do_not_fit() {
    let x = zeros([2, 3]);
    let error = |notation: &str, operands: &[&Tensor], reason: &str| {
        assert_text(
            einsum(notation, operands),
            &format!("einsum: `{notation}`: {reason}"),
        );
    };
    error("ij,jk->ik", &[&x, &x], "`j` stands for sizes 3 and 2");
    error("ijk->i", &[&x], "`ijk` does not name the axes of [2, 3]");
    error(
        "ij->ik",
        &[&x],
        "`k` stands in the output, but in no operand",
    );
    error("ij->ii", &[&x], "`i` stands twice in the output");
    error("i.j->i", &[&x], "`.` is no letter");
    error(
        "ij->i",
        &[&x, &x],
        "it names 1 operands, 2 are given (1 or 2 are taken)",
    );
    assert_text(
        zeros([1, 2, 3]).bmm(&zeros([2, 3, 1])),
        "bmm: the right operand has shape [2, 3, 1]; both must be [batch, rows, columns] of one batch size",
    );
    assert_text(
        zeros([2]).outer(&zeros([2, 1])),
        "outer: the right operand has shape [2, 1]; it must have one axis",
    );
    assert_text(
        zeros([2, 0]).norm(Norm::Infinity, &[1]),
        "max: the tensor has shape [2, 0]; the axes reduced must hold an element",
    );
    assert_text(
        cosine_similarity(&zeros([2, 3]), &zeros([2]), -1, 1e-8),
        "cosine_similarity: [2, 3] and [2] do not broadcast (axis 1: 3 and 2; sizes must be equal, or one of them 1)",
    );
    assert_text(
        zeros([3]).tril(0),
        "tril: the tensor has shape [3]; it must have at least two axes",
    );
}

#[test]
fn nothing_and_what_is_not_a_number_are_handled() {
    let empty = zeros([0, 3]);
    assert_eq!(*empty.sort(0, false).unwrap().0.shape(), [0, 3]);
    assert_eq!(*empty.cumsum(0).unwrap().shape(), [0, 3]);
    assert_eq!(empty.chunk(2, 0).unwrap().len(), 1);
    assert_eq!(*empty.roll(1, 0).unwrap().shape(), [0, 3]);
    assert_eq!(*empty.repeat(&[2, 2]).unwrap().shape(), [0, 6]);
    assert_eq!(empty.norm(Norm::L2, &[0]).unwrap().to_vec(), [0.0; 3]);
    assert_eq!(
        *einsum("ij,kj->ik", &[&empty, &empty]).unwrap().shape(),
        [0, 0]
    );
    let nan: Tensor = Tensor::new([1.0, f32::NAN, 2.0]);
    assert_eq!(nan.topk(2, 0).unwrap().1.as_slice(), [1, 2]);
    assert_eq!(nan.sort(0, false).unwrap().1.as_slice(), [0, 2, 1]);
    let same = Tensor::<f32>::zeros([4]);
    assert_eq!(
        cosine_similarity(&same, &same, 0, 1e-8).unwrap().item(),
        Ok(0.0)
    );
}
