//! Dropout keeps the expectation, drops together what belongs together, and is off without a training tape.

use lexigrad_nn::{
    AttentionOptions, Dropout, LockedDropout, RecurrentConfig, WordDropout,
    scaled_dot_product_attention,
};
use lexigrad_tensor::{Ids, Tape, Tensor};
use proptest::prelude::*;

use super::{assert_close, rng, uniform};

/// Holds the mean of n independent draws of 0 or 1 / (1 - p) against 1, within six standard deviations.
#[track_caller]
fn assert_mean_of_one(y: &Tensor<f64>, p: f64, n: usize, what: &str) {
    let mean = y.mean().item().unwrap();
    let deviation = (p / (1.0 - p) / n as f64).sqrt();
    assert!(
        (mean - 1.0).abs() <= 6.0 * deviation,
        "{what}: the mean is {mean}, p {p}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_mean_stays(p in 0.05..0.9_f64, seed in any::<u64>()) {
        let x: Tensor<f64> = Tensor::ones([50, 6, 40]);
        let ids = Ids::from_vec((0..300).map(|place| place % 150).collect(), [50, 6]).unwrap();
        let _tape = Tape::seeded(seed);
        assert_mean_of_one(&Dropout::new(p).unwrap().forward(&x).unwrap(), p, 12_000, "elements");

        let locked = LockedDropout::new(p, 1).unwrap().forward(&x).unwrap();
        assert_mean_of_one(&locked, p, 2_000, "locked");
        let first = locked.narrow(1, 0, 1).unwrap().expand([50, 6, 40]).unwrap();
        assert_close(&locked, &first, "time");

        let words = WordDropout::new(p).unwrap().forward(&x, &ids).unwrap();
        assert_mean_of_one(&words, p, 150, "words");
        let rows = words.reshape([2, 150 * 40]).unwrap();
        assert_close(&rows.narrow(0, 0, 1).unwrap(), &rows.narrow(0, 1, 1).unwrap(), "a word twice");
        let row = words.narrow(2, 0, 1).unwrap().expand([50, 6, 40]).unwrap();
        assert_close(&words, &row, "a whole word");

        let (q, v) = (Tensor::zeros([400, 2]), Tensor::ones([400, 1]));
        let options = AttentionOptions { dropout: p, ..AttentionOptions::default() };
        let y = scaled_dot_product_attention(&q, &q, &v, &options).unwrap();
        assert_mean_of_one(&y, p, 160_000, "attention");
    }

    #[test]
    fn between_recurrent_layers_only(seed in any::<u64>()) {
        let config = |num_layers, dropout| RecurrentConfig { num_layers, dropout, ..RecurrentConfig::new(3, 4) };
        let x = uniform(&[3, 2, 3], &mut rng(seed));
        let single = config(1, 0.9).gru::<f64>(&mut rng(seed)).unwrap();
        let double = config(2, 1.0).gru::<f64>(&mut rng(seed)).unwrap();
        let without = double.forward(&x).unwrap().0;
        let tape = Tape::eval();
        assert_close(&double.forward(&x).unwrap().0.detach(), &without, "eval");
        drop(tape);
        let plain = single.forward(&x).unwrap().0;
        let _tape = Tape::seeded(seed);
        assert_close(&single.forward(&x).unwrap().0.detach(), &plain, "one layer has no between");
        // With everything dropped, the second layer sees zeros whatever the input.
        let (dropped, _) = double.forward(&x).unwrap();
        let (zeros, _) = double.forward(&x.neg()).unwrap();
        assert_close(&dropped.detach(), &zeros.detach(), "all dropped");
        prop_assert!(dropped.to_vec() != without.to_vec());
    }
}

#[test]
fn without_a_training_tape_it_is_off() {
    let x: Tensor<f64> = Tensor::ones([2, 3, 4]);
    let ids = Ids::new([[1, 2, 3], [4, 5, 6]]).unwrap();
    let check = || {
        let locked = LockedDropout::new(0.9, 1).unwrap().forward(&x).unwrap();
        let words = WordDropout::new(0.9).unwrap().forward(&x, &ids).unwrap();
        assert_eq!(
            (locked.to_vec(), words.to_vec()),
            (vec![1.0; 24], vec![1.0; 24])
        );
    };
    check();
    let _tape = Tape::eval();
    check();
}
