//! A part of a model that is not part of the loss is told as such: no line of the library's own is named as a cut.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use lexigrad_nn::{
    AdaptiveSoftmaxConfig, AttentionMask, BagMode, BatchNorm1d, BceWithLogitsLoss, BilinearConfig,
    CellConfig, Conv1dConfig, CosineEmbeddingLoss, CrossEntropyLoss, CrossEntropyOptions, CtcLoss,
    Dropout, Elu, EmbeddingBagConfig, EmbeddingConfig, Gelu, HierarchicalSoftmax,
    HingeEmbeddingLoss, LayerNorm, LeakyRelu, LearnedPositions, Linear, LinearChainCrf,
    LockedDropout, MarginRankingLoss, Module, MultiMarginLoss, MultiheadAttentionConfig,
    NegativeSamplingConfig, NllOptions, Nonlinearity, PoolOverTime, RecurrentConfig, Reduction,
    Relu, RmsNormConfig, RotaryPositions, SampledSoftmaxConfig, Sequential, SharedNegativesConfig,
    Silu, SinusoidalPositions, Softplus, TransformerConfig, TripletMarginLoss, WordDropout, bce,
    bce_with_logits, cross_entropy_probabilities, cross_entropy_with, ctc, huber, kl_div, l1, mse,
    multi_label_soft_margin, multi_margin, nll, smooth_l1, triplet_margin,
};
use lexigrad_tensor::{Bags, Cut, Ids, Mask, MissingReason, Param, Result, Tape, Tensor};
use rand::SeedableRng;
use rand::rngs::StdRng;

fn rng() -> StdRng {
    StdRng::seed_from_u64(3)
}

/// A layer, loss or head, with inputs that are parameters too.
struct Part {
    name: &'static str,
    params: Vec<Param>,
    inputs: Vec<Param>,
    forward: Box<Run>,
}

type Run = dyn Fn(&[Tensor]) -> Result<Tensor>;

type Forward<M> = fn(&M, &[Tensor]) -> Result<Tensor>;

fn part<M: Module + 'static>(
    name: &'static str,
    model: M,
    shapes: &[&[usize]],
    forward: Forward<M>,
) -> Part {
    // Between 0 and 1, so that they are probabilities as well.
    let input = |shape: &&[usize]| Param::new(Tensor::uniform(*shape, 0.2, 0.8, &mut rng()));
    Part {
        name,
        params: model.parameters(),
        inputs: shapes.iter().map(input).collect(),
        forward: Box::new(move |inputs| forward(&model, inputs)),
    }
}

/// A function of the inputs alone.
fn loss(name: &'static str, shapes: &[&[usize]], forward: Forward<Vec<Param>>) -> Part {
    part(name, Vec::new(), shapes, forward)
}

impl Part {
    /// The reason of every parameter and input that got no gradient, after a pass in which the loss got `of_part` of the output.
    fn missing(&self, of_part: fn(&Tensor) -> Option<Tensor>) -> Vec<(String, MissingReason)> {
        let other: Param = Param::new(Tensor::new([1.0]));
        let tape = Tape::seeded(1).record_cuts();
        let inputs: Vec<Tensor> = self.inputs.iter().map(Param::value).collect();
        let output = (self.forward)(&inputs).unwrap();
        let mut loss = other.value().sum();
        if let Some(more) = of_part(&output) {
            loss = loss.add(&more.sum()).unwrap();
        }
        let all: Vec<Param> = self.params.iter().chain(&self.inputs).cloned().collect();
        let missing = tape.backward(&loss).unwrap().missing(&all).into_iter();
        missing
            .map(|missing| (format!("{} {missing}", self.name), missing.reason))
            .collect()
    }

    fn check(&self) {
        let count = self.params.len() + self.inputs.len();
        let unused = self.missing(|_| None);
        assert_eq!(unused.len(), count, "{}", self.name);
        for (text, reason) in unused {
            assert_eq!(reason, MissingReason::Unused, "{text}");
        }
        let detached = self.missing(|output| Some(output.detach()));
        assert_eq!(detached.len(), count, "{}", self.name);
        let is_ours = |cut: &Cut| cut.operation == "detach" && cut.location.file() == file!();
        for (text, reason) in detached {
            let one =
                matches!(&reason, MissingReason::Cut(cuts) if cuts.len() == 1 && is_ours(&cuts[0]));
            assert!(one, "{text}");
        }
    }
}

fn words() -> Ids {
    Ids::new([[1, 3], [3, 0]]).unwrap()
}

fn labels() -> Ids {
    Ids::new([2, 0]).unwrap()
}

fn signs() -> Tensor {
    Tensor::new([1.0, -1.0])
}

#[test]
fn layers_are_silent() {
    let rng = &mut rng();
    let short = EmbeddingConfig {
        max_norm: Some(0.1),
        padding_idx: Some(0),
        ..EmbeddingConfig::new(4, 2)
    };
    let short_bags = EmbeddingBagConfig {
        max_norm: Some(0.1),
        mode: BagMode::Max,
        ..EmbeddingBagConfig::new(4, 2)
    };
    let sum = EmbeddingBagConfig {
        mode: BagMode::Sum,
        ..EmbeddingBagConfig::new(4, 2)
    };
    let activations = Sequential::new().with(Linear::new(3, 3, rng)).with(Relu);
    let activations = activations.with(Elu::default()).with(Gelu).with(Silu);
    let activations = activations.with(LeakyRelu::default()).with(Softplus);
    for part in [
        part("embedding", short.build(rng).unwrap(), &[], |m, _| {
            m.forward(&words())
        }),
        part(
            "bag of maxima",
            short_bags.build(rng).unwrap(),
            &[],
            |m, _| m.forward(&Bags::from_lists(&[vec![1_u32, 3], vec![]])?),
        ),
        part("weighted bag", sum.build(rng).unwrap(), &[&[2]], |m, x| {
            m.forward_weighted(&Bags::from_lists(&[vec![1_u32, 3], vec![]])?, &x[0])
        }),
        part("linear", Linear::new(3, 2, rng), &[&[2, 3]], |m, x| {
            m.forward(&x[0])
        }),
        part("sequential", activations, &[&[2, 3]], |m, x| {
            m.forward(&x[0])
        }),
        part(
            "bilinear",
            BilinearConfig::new(2, 3, 2).build(rng).unwrap(),
            &[&[2, 2], &[2, 3]],
            |m, x| m.forward(&x[0], &x[1]),
        ),
        part("layer norm", LayerNorm::new(3), &[&[2, 3]], |m, x| {
            m.forward(&x[0])
        }),
        part(
            "rms norm",
            RmsNormConfig::new([3]).build().unwrap(),
            &[&[2, 3]],
            |m, x| m.forward(&x[0]),
        ),
        part("batch norm", BatchNorm1d::new(3), &[&[2, 3]], |m, x| {
            m.forward(&x[0])
        }),
        part(
            "conv1d",
            Conv1dConfig::new(2, 3, 2).build(rng).unwrap(),
            &[&[2, 2, 4]],
            |m, x| m.forward(&x[0]),
        ),
        part(
            "positions",
            LearnedPositions::new(4, 2, rng),
            &[&[2, 3, 2]],
            |m, x| m.forward(&x[0], 1),
        ),
        loss("rotary", &[&[2, 3, 2]], |_, x| {
            RotaryPositions::new(2)?.forward(&x[0], 1)
        }),
        loss("sinusoidal", &[&[2, 3, 2]], |_, x| {
            SinusoidalPositions::new(2).forward(&x[0], 1)
        }),
        loss("dropout", &[&[2, 3]], |_, x| {
            Dropout::new(0.5)?.forward(&x[0])
        }),
        loss("locked dropout", &[&[2, 3]], |_, x| {
            LockedDropout::new(0.5, 1)?.forward(&x[0])
        }),
        loss("word dropout", &[&[2, 2, 3]], |_, x| {
            WordDropout::new(0.5)?.forward(&x[0], &words())
        }),
        loss("maximum", &[&[2, 3, 2]], |_, x| {
            PoolOverTime::Max.forward(&x[0], Some(&[2, 0]))
        }),
        loss("mean", &[&[2, 3, 2]], |_, x| {
            PoolOverTime::Mean.forward(&x[0], Some(&[2, 0]))
        }),
    ] {
        part.check();
    }
}

#[test]
fn layers_over_sequences_are_silent() {
    let rng = &mut rng();
    let deep = RecurrentConfig {
        bidirectional: true,
        num_layers: 2,
        dropout: 0.3,
        ..RecurrentConfig::new(2, 2)
    };
    let cell = CellConfig::new(2, 2);
    let attention = MultiheadAttentionConfig {
        dropout: 0.3,
        ..MultiheadAttentionConfig::new(4, 2)
    };
    let block = TransformerConfig {
        dim_feedforward: 3,
        ..TransformerConfig::new(4, 2)
    };
    let sequences: &[&[usize]] = &[&[3, 2, 2]];
    for part in [
        part("lstm", deep.lstm(rng).unwrap(), sequences, |m, x| {
            Ok(m.forward_with(&x[0], Some(&[3, 1]), None)?.0)
        }),
        part("gru", deep.gru(rng).unwrap(), sequences, |m, x| {
            Ok(m.forward_with(&x[0], Some(&[3, 1]), None)?.0)
        }),
        part(
            "rnn",
            deep.rnn(Nonlinearity::Tanh, rng).unwrap(),
            sequences,
            |m, x| Ok(m.forward_with(&x[0], Some(&[3, 1]), None)?.0),
        ),
        part("lstm cell", cell.lstm(rng).unwrap(), &[&[2, 2]], |m, x| {
            Ok(m.forward(&x[0], None)?.hidden)
        }),
        part(
            "attention",
            attention.build(rng).unwrap(),
            &[&[2, 2, 4]],
            |m, x| {
                let keys = Mask::from_lengths(&[2, 0], 2);
                let mask = AttentionMask::keys(&keys).and(AttentionMask::causal());
                m.forward(&x[0], &x[0], &x[0], &mask)
            },
        ),
        part(
            "encoder",
            block.encoder(2, true, rng).unwrap(),
            &[&[2, 2, 4]],
            |m, x| m.forward(&x[0], &AttentionMask::causal()),
        ),
        part(
            "decoder",
            block.decoder(2, true, rng).unwrap(),
            &[&[2, 2, 4], &[2, 2, 4]],
            |m, x| {
                m.forward(
                    &x[0],
                    &x[1],
                    &AttentionMask::causal(),
                    &AttentionMask::default(),
                )
            },
        ),
        part("crf", LinearChainCrf::new(3, rng), &[&[2, 2, 3]], |m, x| {
            m.log_likelihood(&x[0], &Ids::new([[1, 0], [2, 0]])?, &[2, 1])
        }),
    ] {
        part.check();
    }
}

#[test]
fn losses_are_silent() {
    use Reduction::Mean;
    const ONE: &[&[usize]] = &[&[2, 3]];
    const TWO: &[&[usize]] = &[&[2, 3], &[2, 3]];
    const THREE: &[&[usize]] = &[&[2, 3], &[2, 3], &[2, 3]];
    for part in [
        loss("mse", TWO, |_, x| mse(&x[0], &x[1], Mean)),
        loss("l1", TWO, |_, x| l1(&x[0], &x[1], Mean)),
        loss("smooth_l1", TWO, |_, x| smooth_l1(&x[0], &x[1], 0.1, Mean)),
        loss("huber", TWO, |_, x| huber(&x[0], &x[1], 0.1, Mean)),
        loss("bce", TWO, |_, x| bce(&x[0], &x[1], None, Mean)),
        loss("bce_with_logits", TWO, |_, x| {
            bce_with_logits(&x[0], &x[1], &Default::default())
        }),
        loss("bce_with_logits as a module", TWO, |_, x| {
            BceWithLogitsLoss::default().forward(&x[0], &x[1])
        }),
        loss("kl_div", TWO, |_, x| kl_div(&x[0], &x[1], false, Mean)),
        loss("cross_entropy", ONE, |_, x| {
            let options = CrossEntropyOptions {
                weight: Some(Tensor::new([1.0, 2.0, 0.5])),
                ..Default::default()
            };
            cross_entropy_with(&x[0], &labels(), &options)
        }),
        loss("smoothed cross_entropy", ONE, |_, x| {
            let options = CrossEntropyOptions {
                weight: Some(Tensor::new([1.0, 2.0, 0.5])),
                label_smoothing: 0.1,
                ..Default::default()
            };
            CrossEntropyLoss::new(options).forward(&x[0], &labels())
        }),
        loss("cross_entropy of probabilities", TWO, |_, x| {
            cross_entropy_probabilities(&x[0], &x[1], &Default::default())
        }),
        loss("nll", ONE, |_, x| {
            nll(&x[0], &labels(), &NllOptions::default())
        }),
        loss("multi_margin", ONE, |_, x| {
            multi_margin(&x[0], &labels(), &MultiMarginLoss::default())
        }),
        loss("multi_label_soft_margin", TWO, |_, x| {
            multi_label_soft_margin(&x[0], &x[1], None, Mean)
        }),
        loss("hinge_embedding", &[&[2]], |_, x| {
            HingeEmbeddingLoss::default().forward(&x[0], &signs())
        }),
        loss("margin_ranking", &[&[2], &[2]], |_, x| {
            MarginRankingLoss::default().forward(&x[0], &x[1], &signs())
        }),
        loss("cosine_embedding", TWO, |_, x| {
            CosineEmbeddingLoss::default().forward(&x[0], &x[1], &signs())
        }),
        loss("triplet_margin", THREE, |_, x| {
            let options = TripletMarginLoss {
                swap: true,
                ..TripletMarginLoss::default()
            };
            triplet_margin(&x[0], &x[1], &x[2], &options)
        }),
        loss("ctc", &[&[4, 2, 3]], |_, x| {
            let options = CtcLoss {
                zero_infinity: true,
                ..CtcLoss::default()
            };
            let targets = Ids::new([[1, 1], [2, 0]])?;
            ctc(&x[0].log_softmax(-1)?, &targets, &[4, 3], &[2, 1], &options)
        }),
    ] {
        part.check();
    }
}

#[test]
fn heads_are_silent() {
    const HIDDEN: &[&[usize]] = &[&[2, 3]];
    let (rng, counts) = (&mut rng(), [9, 5, 3, 2, 1]);
    let negative = NegativeSamplingConfig::new(3).build(&counts).unwrap();
    let shared = SharedNegativesConfig::new(3).build(&counts).unwrap();
    let sampled = SampledSoftmaxConfig {
        samples: 3,
        ..SampledSoftmaxConfig::new(5, 3)
    };
    let adaptive = AdaptiveSoftmaxConfig::new(3, 6, [2, 4]);
    for part in [
        part("negative sampling", negative, HIDDEN, |m, x| {
            m.forward(&x[0], &labels())
        }),
        part("shared negatives", shared, HIDDEN, |m, x| {
            let pairs = Bags::from_lists(&[vec![0_u32, 1], vec![1]])?;
            m.forward(&x[0], &labels(), &pairs)
        }),
        part(
            "sampled softmax",
            sampled.build(rng).unwrap(),
            HIDDEN,
            |m, x| m.forward(&x[0], &labels()),
        ),
        part(
            "hierarchical softmax",
            HierarchicalSoftmax::new(3, &counts).unwrap(),
            HIDDEN,
            |m, x| m.forward(&x[0], &labels()),
        ),
        part(
            "adaptive softmax",
            adaptive.build(rng).unwrap(),
            HIDDEN,
            |m, x| m.forward(&x[0], &Ids::new([5, 2])?),
        ),
    ] {
        part.check();
    }
}

/// What is read out of the tape within a call is told by the line of that call.
#[test]
fn the_best_tagging_is_the_callers_cut() {
    let crf = LinearChainCrf::new(3, &mut rng());
    let (emissions, other): (Param, Param) = (
        Param::new(Tensor::ones([1, 2, 3])),
        Param::new(Tensor::new([1.0])),
    );
    let tape = Tape::new().record_cuts();
    let (best, line) = (crf.viterbi(&emissions.value(), &[2]).unwrap(), line!());
    let grads = tape.backward(&other.value().mul_scalar(best[0].tags.len() as f32).sum());
    let missing = grads.unwrap().missing(&(crf, emissions));
    assert_eq!(missing.len(), 4);
    for missing in missing {
        let MissingReason::Cut(cuts) = &missing.reason else {
            panic!("{missing}");
        };
        for cut in cuts {
            assert_eq!(
                (cut.location.file(), cut.location.line()),
                (file!(), line),
                "{missing}"
            );
        }
    }
}

/// Saving, and reading a loss to print it, cut nothing.
#[test]
fn a_saved_state_is_no_cut() {
    use lexigrad_nn::ModuleState;
    let (layer, other): (Linear, Param) = (
        Linear::new(2, 2, &mut rng()),
        Param::new(Tensor::new([1.0])),
    );
    let tape = Tape::new().record_cuts();
    let state = layer.state_dict();
    let missing = tape.backward(&other.value().sum()).unwrap().missing(&layer);
    assert_eq!(missing[0].reason, MissingReason::Unused);
    drop(state);
}
