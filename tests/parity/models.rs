//! Five steps of training of whole models.

use lexigrad::nn::{
    AttentionOptions, Conv1dConfig, EmbeddingConfig, Gru, LearnedPositions, LearnedPositionsConfig,
    LinearChainCrf, LinearConfig, scaled_dot_product_attention,
};
use lexigrad::prelude::*;

use crate::case::{Case, cases};
use crate::module::rng;

const WORDS: usize = 9;
const DIM: usize = 6;
const CLASSES: usize = 3;

#[test]
pub fn five_steps_of_whole_models() {
    for case in cases(include_str!("models.json")) {
        let batch = Batch {
            source: case.ids("source"),
            lengths: case.integers("lengths"),
            labels: case.ids("labels"),
            target: case.ids("target"),
            next: case.ids("next"),
            tags: case.ids("tags"),
        };
        match case.name() {
            "Encoder" => train(&case, &Encoder::new().unwrap(), |model| model.loss(&batch)),
            "TextCnn" => train(&case, &TextCnn::new().unwrap(), |model| model.loss(&batch)),
            "Translator" => train(&case, &Translator::new().unwrap(), |model| {
                model.loss(&batch)
            }),
            "Tagger" => train(&case, &Tagger::new().unwrap(), |model| model.loss(&batch)),
            other => panic!("no model {other}"),
        }
    }
}

struct Batch {
    source: Ids,
    lengths: Vec<usize>,
    labels: Ids,
    target: Ids,
    next: Ids,
    tags: Ids,
}

fn train<M: Module<f64>>(case: &Case, model: &M, loss: impl Fn(&M) -> Result<Tensor<f64>>) {
    for (name, parameter) in model.named_parameters() {
        let value = case.input(&format!("param.{name}"));
        parameter.set(&value).unwrap();
    }
    let mut optimizer = Sgd::new(0.1).build(model);
    let losses = (0..5).map(|_| {
        let tape = Tape::new();
        let loss = loss(model).unwrap();
        let grads = tape.backward(&loss).unwrap();
        optimizer.step(&grads).unwrap();
        loss.item().unwrap()
    });
    let losses: Vec<f64> = losses.collect();
    case.assert_output("losses", &Tensor::from(losses), 1e-8);
}

fn embedding() -> Result<Embedding<f64>> {
    EmbeddingConfig::new(WORDS, DIM).build(&mut rng())
}

fn out(inputs: usize, outputs: usize) -> Linear<f64> {
    LinearConfig::new(inputs, outputs)
        .build(&mut rng())
        .unwrap()
}

/// A transformer whose outputs are averaged over each text.
#[derive(Module)]
#[module(element = f64)]
struct Encoder {
    embed: Embedding<f64>,
    positions: LearnedPositions<f64>,
    encoder: TransformerEncoder<f64>,
    out: Linear<f64>,
}

impl Encoder {
    fn new() -> Result<Self> {
        let config = TransformerConfig {
            dim_feedforward: 5,
            dropout: 0.0,
            batch_first: true,
            ..TransformerConfig::new(DIM, 2)
        };
        let positions = LearnedPositionsConfig {
            longest: 5,
            dim: DIM,
        };
        Ok(Self {
            embed: embedding()?,
            positions: positions.build(&mut rng())?,
            encoder: config.encoder(2, false, &mut rng())?,
            out: out(DIM, CLASSES),
        })
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor<f64>> {
        let x = self
            .positions
            .forward(&self.embed.forward(&batch.source)?, 0)?;
        let mask = AttentionMask::lengths(&batch.lengths[..]);
        let y = self.encoder.forward(&x, &mask)?;
        let text = PoolOverTime::Mean.forward(&y, Some(&batch.lengths))?;
        cross_entropy(&self.out.forward(&text)?, &batch.labels)
    }
}

/// Windows of one and two words (Kim 2014).
#[derive(Module)]
#[module(element = f64)]
struct TextCnn {
    embed: Embedding<f64>,
    convolutions: Vec<Conv1d<f64>>,
    out: Linear<f64>,
}

impl TextCnn {
    fn new() -> Result<Self> {
        let convolution = |size| Conv1dConfig::new(DIM, 4, size).build(&mut rng());
        Ok(Self {
            embed: embedding()?,
            convolutions: vec![convolution(1)?, convolution(2)?],
            out: out(8, CLASSES),
        })
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor<f64>> {
        let x = self.embed.forward(&batch.source)?.transpose(1, 2)?;
        let features = self
            .convolutions
            .iter()
            .map(|convolution| convolution.forward(&x)?.relu().max_axes(&[2]));
        let features: Vec<Tensor<f64>> = features.collect::<Result<_>>()?;
        let text = cat(&features.iter().collect::<Vec<_>>(), 1)?;
        cross_entropy(&self.out.forward(&text)?, &batch.labels)
    }
}

/// From one sequence to another, with attention to the states of the encoder (Luong et al. 2015).
#[derive(Module)]
#[module(element = f64)]
struct Translator {
    source: Embedding<f64>,
    target: Embedding<f64>,
    encoder: Gru<f64>,
    decoder: Gru<f64>,
    out: Linear<f64>,
}

impl Translator {
    fn new() -> Result<Self> {
        let config = RecurrentConfig {
            batch_first: true,
            ..RecurrentConfig::new(DIM, DIM)
        };
        Ok(Self {
            source: embedding()?,
            target: embedding()?,
            encoder: config.gru(&mut rng())?,
            decoder: config.gru(&mut rng())?,
            out: out(2 * DIM, WORDS),
        })
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor<f64>> {
        let source = self.source.forward(&batch.source)?;
        let (memory, last) = self
            .encoder
            .forward_with(&source, Some(&batch.lengths), None)?;
        let target = self.target.forward(&batch.target)?;
        let (hidden, _) = self.decoder.forward_with(&target, None, Some(&last))?;

        let options = AttentionOptions {
            mask: AttentionMask::lengths(&batch.lengths[..]),
            ..AttentionOptions::default()
        };
        let context = scaled_dot_product_attention(&hidden, &memory, &memory, &options)?;
        let scores = self.out.forward(&cat(&[&hidden, &context], -1)?)?;
        let options = CrossEntropyOptions {
            ignore_index: Some(0),
            ..CrossEntropyOptions::default()
        };
        cross_entropy_with(&scores, &batch.next, &options)
    }
}

/// A tag for each word, from its neighbours on both sides and the tags beside it (Huang et al. 2015).
#[derive(Module)]
#[module(element = f64)]
struct Tagger {
    embed: Embedding<f64>,
    lstm: Lstm<f64>,
    out: Linear<f64>,
    crf: LinearChainCrf<f64>,
}

impl Tagger {
    fn new() -> Result<Self> {
        let config = RecurrentConfig {
            batch_first: true,
            bidirectional: true,
            ..RecurrentConfig::new(DIM, 4)
        };
        Ok(Self {
            embed: embedding()?,
            lstm: config.lstm(&mut rng())?,
            out: out(8, CLASSES),
            crf: LinearChainCrf::build(CLASSES, &mut rng())?,
        })
    }

    fn loss(&self, batch: &Batch) -> Result<Tensor<f64>> {
        let x = self.embed.forward(&batch.source)?;
        let (states, _) = self.lstm.forward_with(&x, Some(&batch.lengths), None)?;
        let emissions = self.out.forward(&states)?;
        let log_p = self
            .crf
            .log_likelihood(&emissions, &batch.tags, &batch.lengths)?;
        Ok(log_p.mean().neg())
    }
}
