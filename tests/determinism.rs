//! The same seed gives the same bits, whatever the number of threads.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad::nn::{BatchNorm1d, SharedNegatives, SharedNegativesConfig};
use lexigrad::prelude::*;
use lexigrad::tensor::set_seed;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::ThreadPoolBuilder;

const WORDS: usize = 2_000;
const CLASSES: usize = 64;
/// With 1,024 tokens of 192 numbers in a shard, elementwise kernels are above 2¹⁷ elements and products above 2²⁰, where
/// both are cut up for the thread pool.
const DIM: usize = 192;
const SHARD: usize = 1_024;
const SHARDS: usize = 4;
const STEPS: usize = 3;

#[derive(Module)]
struct Tagger {
    embed: Embedding,
    norm: LayerNorm,
    hidden: Linear,
    out: Linear,
}

impl Tagger {
    fn new() -> Self {
        let mut rng = StdRng::seed_from_u64(3);
        Self {
            embed: Embedding::new(WORDS, DIM, &mut rng),
            norm: LayerNorm::new(DIM),
            hidden: Linear::new(DIM, DIM, &mut rng),
            out: Linear::new(DIM, CLASSES, &mut rng),
        }
    }

    fn loss(&self, words: &Ids, tags: &Ids) -> Result<Tensor> {
        let x = dropout(&self.embed.forward(words)?, 0.2)?;
        let x = self.hidden.forward(&self.norm.forward(&x)?)?.gelu();
        let scores = self.out.forward(&dropout(&x, 0.3)?)?;
        cross_entropy(&scores, tags)
    }

    fn bits(&self) -> Vec<u32> {
        let bits = |param: Param| param.value().values().iter().map(|x| x.to_bits()).collect();
        self.parameters()
            .into_iter()
            .flat_map::<Vec<u32>, _>(bits)
            .collect()
    }
}

/// Words, many of them repeated, and tags that follow from the words.
fn batch(step: usize, tokens: usize) -> (Vec<u32>, Vec<u32>) {
    let mut rng = StdRng::seed_from_u64(step as u64);
    let words: Vec<u32> = (0..tokens)
        .map(|_| rng.random_range(0..WORDS as u32))
        .collect();
    let tags = words.iter().map(|word| word % CLASSES as u32).collect();
    (words, tags)
}

/// Runs a training with this many threads.
fn with_threads<R: Send>(threads: usize, train: impl FnOnce() -> R + Send) -> R {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.unwrap().install(train)
}

/// One tape for each shard of a batch.
fn train_in_shards(seed: u64) -> (Vec<f32>, Vec<u32>) {
    set_seed(seed);
    let model = Tagger::new();
    let mut optimizer = Sgd::new(0.5).build(&model);
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let (words, tags) = batch(step, SHARD * SHARDS);
        let shards: Vec<_> = words.chunks(SHARD).zip(tags.chunks(SHARD)).collect();
        let (loss, gradients) = data_parallel(&shards, |(words, tags)| {
            let loss = model.loss(&Ids::new(*words)?, &Ids::new(*tags)?)?;
            Ok(loss.mul_scalar(1.0 / SHARDS as f32))
        })
        .unwrap();
        optimizer.step(&gradients).unwrap();
        losses.push(loss);
    }
    (losses, model.bits())
}

/// One tape for the whole batch; the kernels alone share the work.
fn train_whole(seed: u64) -> Vec<u32> {
    set_seed(seed);
    let model = Tagger::new();
    let mut optimizer = Adam::new(0.01).build(&model);
    for step in 0..STEPS {
        let (words, tags) = batch(step, 2 * SHARD);
        let tape = Tape::new();
        let loss = model
            .loss(&Ids::new(words).unwrap(), &Ids::new(tags).unwrap())
            .unwrap();
        let mut gradients = tape.backward(&loss).unwrap();
        clip_grad_norm(&mut gradients, 1.0).unwrap();
        optimizer.step(&gradients).unwrap();
    }
    model.bits()
}

#[test]
fn shards_on_1_2_and_4_threads_train_the_same_bits() {
    let (losses, expected) = with_threads(1, || train_in_shards(1));
    assert!(losses[STEPS - 1] < losses[0], "it learns: {losses:?}");
    for threads in [2, 4] {
        let (same_losses, bits) = with_threads(threads, || train_in_shards(1));
        assert_eq!(same_losses, losses);
        assert!(bits == expected, "other bits with {threads} threads");
    }
}

#[test]
fn kernels_on_1_2_and_4_threads_train_the_same_bits() {
    let expected = with_threads(1, || train_whole(1));
    assert!(expected != Tagger::new().bits(), "nothing was trained");
    for threads in [2, 4] {
        let bits = with_threads(threads, || train_whole(1));
        assert!(bits == expected, "other bits with {threads} threads");
    }
}

#[derive(Module)]
struct SkipGram {
    input: Embedding,
    output: SharedNegatives,
}

/// Each word of a shard tells the next one; the noise belongs to the tape of the shard.
fn train_word_vectors(seed: u64) -> (Vec<f32>, Vec<u32>) {
    set_seed(seed);
    let mut rng = StdRng::seed_from_u64(3);
    let model = SkipGram {
        input: Embedding::new(WORDS, DIM, &mut rng),
        output: SharedNegativesConfig::new(DIM).build(&[1; WORDS]).unwrap(),
    };
    let mut optimizer = Sgd::new(0.01).build(&model);
    let mut losses = Vec::new();
    let (words, _) = batch(0, SHARD);
    let shards: Vec<&[u32]> = words.chunks(64).collect();
    for _ in 0..STEPS {
        let (loss, gradients) = data_parallel(&shards, |words| {
            let next: Vec<Vec<u32>> = (1..=words.len() as u32)
                .map(|place| vec![place % words.len() as u32])
                .collect();
            let words = Ids::new(*words)?;
            let hidden = model.input.forward(&words)?;
            model
                .output
                .forward(&hidden, &words, &Bags::from_lists(&next)?)
        })
        .unwrap();
        optimizer.step(&gradients).unwrap();
        losses.push(loss);
    }
    let value = model.input.weight.value();
    let bits = value.values().iter().map(|x| x.to_bits()).collect();
    (losses, bits)
}

#[test]
fn word_vectors_on_1_2_and_4_threads_are_the_same_bits() {
    let expected = with_threads(1, || train_word_vectors(1));
    assert!(
        expected.0[STEPS - 1] < expected.0[0],
        "it learns: {:?}",
        expected.0
    );
    for threads in [2, 4] {
        let same = with_threads(threads, || train_word_vectors(1));
        assert!(same == expected, "other bits with {threads} threads");
    }
    assert!(with_threads(2, || train_word_vectors(2)) != expected);
}

/// Steps of a rule with a state over rows of a table, one of which is fixed.
fn move_rows<R: Rule<f32>>(rule: R) -> Vec<u32> {
    let rng = &mut StdRng::seed_from_u64(3);
    let table: Param = Param::new(Tensor::normal([WORDS, DIM], 0.0, 1.0, rng));
    let table = table.with_fixed_row(7).unwrap();
    let mut optimizer = rule.build(&table);
    for step in 0..STEPS {
        let words = Ids::new(batch(step, SHARD * SHARDS).0).unwrap();
        let tape = Tape::new();
        let rows = lexigrad::tensor::gather_rows(&table.value(), &words).unwrap();
        let gradients = tape.backward(&rows.square().sum()).unwrap();
        drop(rows);
        optimizer.step(&gradients).unwrap();
    }
    table.value().values().iter().map(|x| x.to_bits()).collect()
}

#[test]
fn rows_with_a_state_on_1_2_and_4_threads_move_the_same_bits() {
    let adam = |threads| with_threads(threads, || move_rows(SparseAdam::new(0.1)));
    let adagrad = |threads| with_threads(threads, || move_rows(Adagrad::new(0.1)));
    let alone = (adam(1), adagrad(1));
    assert_eq!(alone.0.len(), WORDS * DIM);
    assert!([2, 4].map(adam).iter().all(|bits| *bits == alone.0));
    assert!([2, 4].map(adagrad).iter().all(|bits| *bits == alone.1));
}

#[test]
fn another_seed_trains_other_bits() {
    assert!(with_threads(2, || train_whole(1)) != with_threads(2, || train_whole(2)));
}

/// A table with a limit, read by rows and as a whole, and running statistics: what a forward pass changes.
#[derive(Module)]
struct Moving {
    embed: Embedding,
    norm: BatchNorm1d,
    bag: EmbeddingBag,
}

const CHANNELS: usize = 4;

impl Moving {
    fn new() -> Self {
        let rng = &mut StdRng::seed_from_u64(3);
        let limited = EmbeddingConfig {
            max_norm: Some(0.5),
            padding_idx: Some(0),
            scale_grad_by_freq: true,
            ..EmbeddingConfig::new(16, CHANNELS)
        };
        let bag = EmbeddingBagConfig {
            max_norm: Some(0.5),
            ..EmbeddingBagConfig::new(16, CHANNELS)
        };
        Self {
            embed: limited.build(rng).unwrap(),
            norm: BatchNorm1d::new(CHANNELS),
            bag: bag.build(rng).unwrap(),
        }
    }

    fn loss(&self, words: &[u32]) -> Result<Tensor> {
        let words = Ids::new(words)?;
        let x = self.norm.forward(&self.embed.forward(&words)?)?;
        let bags = self.bag.forward(&Bags::from_offsets(&words, &[0])?)?;
        let whole = self.embed.weight.value().square().sum();
        let nested = Tape::new(); // draws from the seed of the shard
        let noise = dropout(&Tensor::ones([64]), 0.5)?.sum();
        drop(nested);
        x.tanh().add(&bags)?.sum().add(&whole)?.mul(&noise)
    }

    fn bits(&self) -> Vec<u32> {
        let state = self.state_dict();
        let values = state.iter().flat_map(|(_, value)| value.to_vec());
        values.map(f32::to_bits).collect()
    }
}

/// The loss, and the state and gradients after a step in shards of different lengths.
fn move_in_shards() -> (u32, Vec<u32>, Vec<u32>) {
    set_seed(1);
    let model = Moving::new();
    let words: Vec<u32> = (0..200).map(|i| i * 7 % 16).collect();
    let shards = [
        &words[..90],
        &words[90..150],
        &words[150..180],
        &words[180..],
    ];
    let (loss, gradients) = data_parallel(&shards, |words| model.loss(words)).unwrap();
    let of = |param: &Param| gradients.dense(param).unwrap().unwrap().to_vec();
    let slopes = [of(&model.embed.weight), of(&model.bag.weight)].concat();
    let slopes = slopes.into_iter().map(f32::to_bits).collect();
    (loss.to_bits(), model.bits(), slopes)
}

#[test]
fn state_moves_in_the_order_of_the_shards() {
    let expected = with_threads(1, move_in_shards);
    assert!(expected.1 != Moving::new().bits(), "nothing has moved");
    for threads in [1, 2, 4] {
        for _ in 0..50 {
            let same = with_threads(threads, move_in_shards);
            assert!(same == expected, "other bits with {threads} threads");
        }
    }
}

#[test]
fn where_a_shard_fails_no_state_moves() {
    let model = Moving::new();
    let before = model.bits();
    let (good, bad) = (vec![1, 2, 3, 1], vec![1, 99]);
    let outcome = data_parallel(&[good.clone(), bad], |words| model.loss(words));
    assert!(outcome.is_err());
    assert!(model.bits() == before);
    data_parallel(&[good.clone(), good], |words| model.loss(words)).unwrap();
    assert!(model.bits() != before);
}

#[test]
fn a_row_shortened_in_a_shard_has_the_gradient_of_one_shortened_in_place() {
    let words = [1, 2, 3, 1, 0];
    let (sharded, whole) = (Moving::new(), Moving::new());
    let loss = |model: &Moving| {
        let words = Ids::new(words)?;
        let y = model.embed.forward(&words)?.square().sum();
        let bags = Bags::from_offsets(&words, &[0, 2])?;
        y.add(&model.bag.forward(&bags)?.square().sum())
    };
    let (value, gradients) = data_parallel(&[()], |()| loss(&sharded)).unwrap();
    let tape = Tape::new();
    let expected = loss(&whole).unwrap();
    let expected_gradients = tape.backward(&expected).unwrap();
    assert_eq!(value, expected.item().unwrap());
    assert!(sharded.bits() == whole.bits(), "the tables end the same");
    for (param, other) in sharded.parameters().iter().zip(&whole.parameters()) {
        let found = gradients.dense(param).unwrap().map(|g| g.to_vec());
        let expected = expected_gradients.dense(other).unwrap().map(|g| g.to_vec());
        assert_eq!(found, expected);
    }
}
