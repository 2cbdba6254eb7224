//! Sizes that no machine has: an error in words, never an abort, an overflow, or memory that is not the tensor's own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad::nn::{LearnedPositions, RotaryPositions, SinusoidalPositions};
use lexigrad::prelude::*;
use lexigrad::tensor::{
    AttentionMask, AttentionOptions, BagMode, Bags, Conv1dOptions, EmbeddingOptions, Mask,
    PoolOptions, RowSparse, Shape, attention, avg_pool1d, cat, conv1d, embedding_bag, gather_rows,
    layer_norm, linear, max_pool1d, scatter_rows, segment_max, segment_mean, segment_sum,
    self_attention, stack,
};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rand::{SeedableRng, rngs::StdRng};

/// Small sizes, and sizes of which one alone is more than the address space holds.
fn size() -> impl Strategy<Value = usize> {
    let huge = [1 << 48, (1 << 60) + 1, 1 << 62, (1 << 62) + 100];
    // As shifts and diagonals they are the largest `isize`, the smallest, and -1.
    let largest = [usize::MAX / 2, usize::MAX / 2 + 1, usize::MAX];
    let small = [0, 1, 2, 3];
    prop::sample::select([&small[..], &huge, &largest].concat())
}

/// A tensor of up to three axes, as large as views can make it.
fn view() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(size(), 0..=3);
    shape.prop_filter_map("no tensor has this shape", |shape| {
        Tensor::ones([]).expand(shape).ok()
    })
}

/// The result if it is one, and what a pass back through it gives.
fn pass(f: impl Fn(&Tensor) -> Result<Tensor>, x: &Tensor) {
    let tape = Tape::new();
    let x = tape.watch(x);
    if let Ok(y) = f(&x) {
        let _ = tape.grad_with(&y, &y.detach(), &[&x]);
    }
}

/// The same cases each time: a fault would end the test program.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2_000,
        max_local_rejects: 1 << 20,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn shapes_are_taken_or_refused(sizes in prop::collection::vec(size(), 0..=4)) {
        let product = sizes.iter().try_fold(1_usize, |n, &size| n.checked_mul(size));
        let data = [0_u32; 3];
        prop_assert_eq!(Ids::from_slice(&data, &sizes[..]).is_ok(), product == Some(3));
        prop_assert_eq!(Mask::new(vec![true; 3], &sizes[..]).is_ok(), product == Some(3));
        let x = Tensor::<f32>::zeros([3]);
        prop_assert_eq!(x.reshape(&sizes[..]).is_ok(), product == Some(3));
        prop_assert_eq!(Tensor::from_slice(&[0.0_f32; 3], &sizes[..]).is_ok(), product == Some(3));
        let bytes = sizes.iter().try_fold(8_usize, |n, &size| n.checked_mul(size.max(1)));
        let fits = bytes.is_some_and(|bytes| bytes <= isize::MAX as usize);
        prop_assert_eq!(Tensor::<f32>::zeros([]).expand(&sizes[..]).is_ok(), fits);
    }

    #[test]
    fn operations_refuse_what_does_not_fit(x in view(), y in view(), n in size(), m in size()) {
        let (axis, last) = (0, -1);
        // A product over 2⁴⁸ numbers of a view fits, and takes years.
        let is_short = x.shape().last().is_none_or(|&size| size < 1 << 20);
        if is_short {
            pass(|x| x.matmul(&y), &x);
            pass(|x| linear(x, &y, None), &x);
        }
        pass(|x| x.add(&y), &x);
        pass(|x| x.maximum(&y), &x);
        pass(|x| x.outer(&y), &x);
        pass(|x| cat(&[x, &y], last), &x);
        pass(|x| cat(&[x; 20], axis), &x);
        pass(|x| stack(&[x, x], axis), &x);
        pass(|x| x.softmax(last), &x);
        pass(|x| x.sum_axes(&[last]), &x);
        pass(|x| x.max_axes(&[axis]), &x);
        pass(|x| x.var_axes(&[last], n), &x);
        pass(|x| x.cumsum(last), &x);
        pass(|x| x.pad(last, n, m, 1.0), &x);
        pass(|x| x.narrow(last, n, m), &x);
        pass(|x| x.unfold(last, n, m), &x);
        pass(|x| x.repeat(&[n, m, 1]), &x);
        pass(|x| x.roll(n as isize, last), &x);
        pass(|x| x.flip(&[axis]), &x);
        pass(|x| x.tril(n as isize), &x);
        pass(|x| x.triu(m as isize), &x);
        pass(|x| x.reshape([n, m]), &x);
        pass(|x| Ok(x.split(&[n, m], last)?.swap_remove(0)), &x);
        pass(|x| Ok(x.chunk(n, last)?.swap_remove(0)), &x);
        pass(|x| Ok(x.topk(n, last)?.0), &x);
        pass(|x| x.masked_fill(&Mask::new(vec![true], [1])?, 0.0), &x);
    }

    #[test]
    fn lookups_and_segments_refuse_what_does_not_fit(x in view(), n in size(), m in size()) {
        let ids = Ids::new([0, 0]).unwrap();
        pass(|x| gather_rows(x, &ids), &x);
        pass(|x| scatter_rows(x, &ids, n), &x);
        pass(|x| segment_sum(x, &ids, n), &x);
        pass(|x| segment_mean(x, &ids, n), &x);
        pass(|x| segment_max(x, &ids, n), &x);
        pass(|x| x.index_select(-1, &ids), &x);
        pass(|_| ids.one_hot(n), &x);
        pass(|x| layer_norm(x, 1, None, None, 1e-5), &x);
        pass(|x| cross_entropy(x, &ids), &x);
        let none = Ids::from_vec(Vec::new(), [0]).unwrap();
        pass(|x| cross_entropy(x, &none), &x);
        let bags = Bags::from_offsets(&none, &[0, 0]).unwrap();
        pass(|x| embedding_bag(x, &bags, BagMode::Max, &EmbeddingOptions::default()), &x);
        if let Ok(ids) = none.reshape([n, m]) {
            let _ = Bags::from_rows(&ids);
        }
        let _ = RowSparse::new(ids.clone(), x.clone(), n).and_then(|sparse| sparse.to_dense());
        let _ = ids.reshape([n, m]);
    }

    #[test]
    fn windows_and_attention_refuse_what_does_not_fit(
        x in view(),
        y in view(),
        [n, m, k] in [size(), size(), size()],
    ) {
        let options = Conv1dOptions { stride: n, padding: m, dilation: k, ..Default::default() };
        pass(|x| conv1d(x, &y, None, &options), &x);
        let options = Conv1dOptions { groups: n, ..Default::default() };
        pass(|x| conv1d(x, &y, None, &options), &x);
        let options = PoolOptions { size: n, stride: m, padding: k };
        pass(|x| max_pool1d(x, &options), &x);
        pass(|x| avg_pool1d(x, &options), &x);
        let mask = AttentionMask::causal().and(AttentionMask::window(m, k));
        let attend = AttentionOptions { mask, first: k, ..Default::default() };
        pass(|x| self_attention(x, n, &attend), &x);
        pass(|x| attention(x, &y, &y, &attend), &x);
        pass(|x| SinusoidalPositions::new(n.min(4)).forward(x, m), &x);
        pass(|x| RotaryPositions::new(2)?.forward(x, m), &x);
        let learned = LearnedPositions::new(3, 2, &mut StdRng::seed_from_u64(1));
        pass(|x| learned.forward(x, m), &x);
    }
}

#[test]
fn the_message_names_operation_size_and_rule() {
    let text = |result: Result<Tensor>| result.unwrap_err().to_string();
    let x = Tensor::<f32>::zeros([400]);
    assert_eq!(
        text(x.reshape([(1 << 62) + 100, 4])),
        "reshape: a result of shape [4611686018427388004, 4] is too large; \
         its sizes other than 0 must multiply to at most 1152921504606846975"
    );
    assert_eq!(
        text(x.expand([0, 1 << 40, 1 << 40])),
        "expand: a result of shape [0, 1099511627776, 1099511627776] is too large; \
         its sizes other than 0 must multiply to at most 1152921504606846975"
    );
    for (result, operation) in [
        (Tensor::arange(0.0, 1e14, 1.0), "arange"),
        (x.pad(0, 1 << 45, 0, 0.0), "pad"),
        (x.repeat(&[1 << 40]), "repeat"),
        (Ids::new([0]).unwrap().one_hot(1 << 45), "one_hot"),
        (
            scatter_rows(
                &x.reshape([400, 1]).unwrap(),
                &Ids::from_vec(vec![0; 400], [400]).unwrap(),
                1 << 47,
            ),
            "scatter_rows",
        ),
    ] {
        let text = text(result);
        assert!(
            text.starts_with(&format!("{operation}: a result of shape [")),
            "{text}"
        );
        assert!(text.contains("more memory than the system gives"), "{text}");
    }
}

#[test]
fn what_returns_no_result_panics_with_the_same_words() {
    let words = |f: fn() -> Tensor| {
        let panic = std::panic::catch_unwind(f).unwrap_err();
        panic.downcast_ref::<String>().unwrap().clone()
    };
    let zeros = words(|| Tensor::zeros([1 << 48]));
    assert!(
        zeros.starts_with("zeros: a result of shape [281474976710656] is too large"),
        "{zeros}"
    );
    let tanh = words(|| Tensor::<f32>::zeros([]).expand([1 << 48]).unwrap().tanh());
    assert!(
        tanh.starts_with("tanh: a result of shape [281474976710656] is too large"),
        "{tanh}"
    );
}

#[test]
fn a_sum_over_nothing_is_the_bias() {
    let (x, weight) = (Tensor::<f32>::zeros([1, 0, 4]), Tensor::zeros([4, 0, 4]));
    let bias = Tensor::new([1.0, 2.0, 3.0, 4.0]);
    let y = conv1d(&x, &weight, Some(&bias), &Conv1dOptions::default()).unwrap();
    assert_eq!(y.to_vec(), [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn a_shape_says_what_it_holds() {
    assert_eq!(Shape::from([2, 3]).elements(), 6);
    assert_eq!(Shape::from([1 << 40, 1 << 40]).elements(), usize::MAX);
    assert_eq!(Shape::from([1 << 40, 1 << 40, 0]).elements(), 0);
}
