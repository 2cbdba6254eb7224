//! Four whole models, each in less than a page: a struct of layers, its loss, and a training loop.
//!
//! # A convolutional classifier
//!
//! Windows of two and three words, the strongest answer of each over the text (Kim 2014):
//!
//! ```
//! use lexigrad_nn::{Conv1d, Dropout, Embedding, Linear, Module, cross_entropy};
//! use lexigrad_optim::{Adam, Build};
//! use lexigrad_tensor::{Ids, Result, Tape, Tensor, cat};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct TextCnn { embed: Embedding, windows: Vec<Conv1d>, dropout: Dropout, out: Linear }
//!
//! impl TextCnn {
//!     fn forward(&self, words: &Ids) -> Result<Tensor> {
//!         let x = self.embed.forward(words)?.transpose(1, 2)?; // [B, D, L]
//!         let strongest = |conv: &Conv1d| conv.forward(&x)?.relu().max_axes(&[2]);
//!         let features: Vec<Tensor> = self.windows.iter().map(strongest).collect::<Result<_>>()?;
//!         self.out.forward(&self.dropout.forward(&cat(&features.iter().collect::<Vec<_>>(), 1)?)?)
//!     }
//! }
//!
//! let rng = &mut StdRng::seed_from_u64(1);
//! let model = TextCnn {
//!     embed: Embedding::new(50, 8, rng),
//!     windows: vec![Conv1d::new(8, 6, 2, rng), Conv1d::new(8, 6, 3, rng)],
//!     dropout: Dropout::new(0.1)?,
//!     out: Linear::new(12, 2, rng),
//! };
//! let (texts, labels) = (Ids::new([[4, 9, 1, 30], [7, 7, 2, 41]])?, Ids::new([0, 1])?);
//! let mut optimizer = Adam::new(0.01).build(&model);
//! for _ in 0..30 {
//!     let tape = Tape::new();
//!     let loss = cross_entropy(&model.forward(&texts)?, &labels)?;
//!     optimizer.step(&tape.backward(&loss)?)?;
//! }
//! assert_eq!(model.forward(&texts)?.argmax(-1)?, labels);
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```
//!
//! # A transformer encoder
//!
//! Two layers over words and positions, averaged over each text; padding is seen by nobody (Vaswani et al. 2017):
//!
//! ```
//! use lexigrad_nn::{AttentionMask, Embedding, LearnedPositions, LearnedPositionsConfig, Linear, Module, PoolOverTime,
//!     TransformerConfig, TransformerEncoder, cross_entropy};
//! use lexigrad_optim::{AdamW, Build};
//! use lexigrad_tensor::{Ids, Result, Tape, Tensor};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct Encoder { embed: Embedding, positions: LearnedPositions, encoder: TransformerEncoder, out: Linear }
//!
//! impl Encoder {
//!     fn forward(&self, words: &Ids, lengths: &[usize]) -> Result<Tensor> {
//!         let x = self.positions.forward(&self.embed.forward(words)?, 0)?;
//!         let y = self.encoder.forward(&x, &AttentionMask::lengths(lengths))?;
//!         self.out.forward(&PoolOverTime::Mean.forward(&y, Some(lengths))?)
//!     }
//! }
//!
//! let rng = &mut StdRng::seed_from_u64(1);
//! let config = TransformerConfig { dim_feedforward: 16, batch_first: true, norm_first: true, ..TransformerConfig::new(8, 2) };
//! let model = Encoder {
//!     embed: Embedding::new(50, 8, rng),
//!     positions: LearnedPositionsConfig { longest: 32, dim: 8 }.build(rng)?,
//!     encoder: config.encoder(2, true, rng)?,
//!     out: Linear::new(8, 2, rng),
//! };
//! let (texts, lengths, labels) = (Ids::new([[4, 9, 1], [7, 2, 0]])?, [3, 2], Ids::new([0, 1])?);
//! let mut optimizer = AdamW::new(0.01).build(&model);
//! for _ in 0..30 {
//!     let tape = Tape::new();
//!     let loss = cross_entropy(&model.forward(&texts, &lengths)?, &labels)?;
//!     optimizer.step(&tape.backward(&loss)?)?;
//! }
//! assert_eq!(model.forward(&texts, &lengths)?.argmax(-1)?, labels);
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```
//!
//! # A tagger
//!
//! A tag for each word, from its neighbours on both sides and the tags beside it (Huang et al. 2015):
//!
//! ```
//! use lexigrad_nn::{Embedding, LinearChainCrf, Linear, Lstm, Module, RecurrentConfig};
//! use lexigrad_optim::{Adam, Build};
//! use lexigrad_tensor::{Ids, Result, Tape, Tensor};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct Tagger { embed: Embedding, lstm: Lstm, out: Linear, crf: LinearChainCrf }
//!
//! impl Tagger {
//!     fn emissions(&self, words: &Ids, lengths: &[usize]) -> Result<Tensor> {
//!         let (states, _last) = self.lstm.forward_with(&self.embed.forward(words)?, Some(lengths), None)?;
//!         self.out.forward(&states)
//!     }
//! }
//!
//! let rng = &mut StdRng::seed_from_u64(1);
//! let config = RecurrentConfig { bidirectional: true, batch_first: true, ..RecurrentConfig::new(8, 6) };
//! let model = Tagger {
//!     embed: Embedding::new(50, 8, rng),
//!     lstm: config.lstm(rng)?,
//!     out: Linear::new(12, 3, rng),
//!     crf: LinearChainCrf::new(3, rng),
//! };
//! let (words, lengths) = (Ids::new([[4, 9, 1], [7, 2, 0]])?, [3, 2]);
//! let tags = Ids::new([[0, 1, 2], [1, 2, 0]])?;
//! let mut optimizer = Adam::new(0.02).build(&model);
//! for _ in 0..40 {
//!     let tape = Tape::new();
//!     let loss = model.crf.log_likelihood(&model.emissions(&words, &lengths)?, &tags, &lengths)?.mean().neg();
//!     optimizer.step(&tape.backward(&loss)?)?;
//! }
//! let best = model.crf.viterbi(&model.emissions(&words, &lengths)?, &lengths)?;
//! assert_eq!((&best[0].tags, &best[1].tags), (&vec![0, 1, 2], &vec![1, 2]));
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```
//!
//! # From one sequence to another
//!
//! A recurrent encoder and decoder with attention (Luong et al. 2015), trained on what comes next:
//!
//! ```
//! use lexigrad_nn::{AttentionMask, AttentionOptions, CrossEntropyOptions, Embedding, Gru, Linear, Module, RecurrentConfig, cross_entropy_with,
//!     scaled_dot_product_attention};
//! use lexigrad_optim::{Adam, Build};
//! use lexigrad_tensor::{Ids, Result, Tape, Tensor, cat};
//! use rand::{SeedableRng, rngs::StdRng};
//!
//! #[derive(Module)]
//! struct Translator { source: Embedding, target: Embedding, encoder: Gru, decoder: Gru, out: Linear }
//!
//! impl Translator {
//!     fn forward(&self, source: &Ids, lengths: &[usize], target: &Ids) -> Result<Tensor> {
//!         let (memory, last) = self.encoder.forward_with(&self.source.forward(source)?, Some(lengths), None)?;
//!         let (hidden, _) = self.decoder.forward_with(&self.target.forward(target)?, None, Some(&last))?;
//!         let options = AttentionOptions { mask: AttentionMask::lengths(lengths), ..AttentionOptions::default() };
//!         let context = scaled_dot_product_attention(&hidden, &memory, &memory, &options)?;
//!         self.out.forward(&cat(&[&hidden, &context], -1)?)
//!     }
//! }
//!
//! let rng = &mut StdRng::seed_from_u64(1);
//! let config = RecurrentConfig { batch_first: true, ..RecurrentConfig::new(8, 8) };
//! let model = Translator {
//!     source: Embedding::new(20, 8, rng),
//!     target: Embedding::new(20, 8, rng),
//!     encoder: config.gru(rng)?,
//!     decoder: config.gru(rng)?,
//!     out: Linear::new(16, 20, rng),
//! };
//! let (source, lengths) = (Ids::new([[3, 4, 5], [6, 7, 0]])?, [3, 2]);
//! let (target, next) = (Ids::new([[1, 13, 14], [1, 17, 0]])?, Ids::new([[13, 14, 2], [17, 2, 0]])?);
//! let options = CrossEntropyOptions { ignore_index: Some(0), ..CrossEntropyOptions::default() };
//! let mut optimizer = Adam::new(0.02).build(&model);
//! let mut losses = Vec::new();
//! for _ in 0..40 {
//!     let tape = Tape::new();
//!     let loss = cross_entropy_with(&model.forward(&source, &lengths, &target)?, &next, &options)?;
//!     losses.push(loss.item()?);
//!     optimizer.step(&tape.backward(&loss)?)?;
//! }
//! assert!(losses[39] < losses[0] / 4.0);
//! # Ok::<(), lexigrad_tensor::Error>(())
//! ```
