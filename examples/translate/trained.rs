//! A model with its tokens: translating, judging, drawing.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use lexigrad::nn::LstmState;
use lexigrad::prelude::*;
use lexigrad_text::batch::Padded;
use lexigrad_text::decode::{BeamOptions, beam_search};
use lexigrad_text::metrics::ErrorRate;
use lexigrad_text::{Vocab, VocabOptions};
use rand::{SeedableRng, rngs::StdRng};
use rayon::prelude::*;

use crate::args::{Args, Unit};
use crate::draw;
use crate::model::{Sizes, Translator};

/// The places of the special tokens in a vocabulary.
pub const PADDING: u32 = 0;
const START: u32 = 2;
const END: u32 = 3;

/// A source and its target.
pub type Pair = (String, String);

/// One side of the pairs: what a text is cut into, and the ids of that.
struct Side {
    unit: Unit,
    vocab: Vocab,
}

impl Side {
    fn new<'a>(unit: Unit, texts: impl Iterator<Item = &'a String>) -> lexigrad_text::Result<Self> {
        let options = VocabOptions {
            specials: vec!["<s>".to_owned(), "</s>".to_owned()],
            ..VocabOptions::default()
        };
        let vocab = options.build(texts.flat_map(|text| unit.cut(text)))?;
        Ok(Self { unit, vocab })
    }

    fn encode(&self, text: &str) -> lexigrad_text::Result<Vec<u32>> {
        self.vocab.encode(self.unit.cut(text))
    }
}

/// A model with the tokens on both sides.
pub struct Trained {
    pub model: Translator,
    source: Side,
    target: Side,
}

impl Trained {
    /// A new model for the tokens of these pairs.
    pub fn new(args: &Args, pairs: &[Pair]) -> lexigrad_text::Result<Self> {
        let source = Side::new(args.source, pairs.iter().map(|pair| &pair.0))?;
        let target = Side::new(args.target, pairs.iter().map(|pair| &pair.1))?;
        let sizes = Sizes {
            source: source.vocab.len(),
            target: target.vocab.len(),
            dim: 64,
            hidden: args.hidden,
            dropout: 0.2,
        };
        let model = Translator::new(sizes, &mut StdRng::seed_from_u64(args.seed))?;
        println!(
            "{} pairs, {} source and {} target tokens, {} parameters",
            pairs.len(),
            sizes.source,
            sizes.target,
            model.parameter_count()
        );
        Ok(Self {
            model,
            source,
            target,
        })
    }

    /// The source, and the target between start and end.
    pub fn encode(&self, (source, target): &Pair) -> lexigrad_text::Result<[Vec<u32>; 2]> {
        let target = [&[START][..], &self.target.encode(target)?, &[END]].concat();
        Ok([self.source.encode(source)?, target])
    }

    /// The tokens of the likeliest translation that the beam finds.
    fn translate(&self, text: &str, width: usize) -> lexigrad_text::Result<Vec<&str>> {
        let source = self.source.encode(text)?;
        let (memory, state) = self.model.encode(&Padded::new(&[&source], PADDING)?)?;
        let options = BeamOptions {
            width,
            longest: 3 * source.len() + 10,
            start: START,
            end: END,
        };
        let step = |tokens: &[u32], state: &LstmState| {
            let last = Ids::new(tokens)?.reshape([tokens.len(), 1])?;
            let memory = memory.repeated(tokens.len())?;
            let (scores, state) = self.model.decode(&last, &memory, state)?;
            Ok((scores.squeeze(1)?.log_softmax(-1)?, state))
        };
        let select = |state: &LstmState, rows: &[usize]| {
            let rows = Ids::new(rows)?;
            Ok(LstmState {
                hidden: state.hidden.index_select(1, &rows)?,
                cell: state.cell.index_select(1, &rows)?,
            })
        };
        let found = beam_search(&options, state, step, select)?;
        let best = found.first().map_or(&[][..], |best| &best.tokens);
        self.target.vocab.decode(best)
    }

    /// The likeliest translation as a text.
    pub fn translated(&self, text: &str, width: usize) -> lexigrad_text::Result<String> {
        Ok(self.target.unit.join(&self.translate(text, width)?))
    }

    /// How often the translations are right, and edits for each token of the nearest right one. A source with several targets
    /// among the pairs counts once, and each of them is right.
    pub fn judge(&self, name: &str, pairs: &[Pair], width: usize) -> lexigrad_text::Result<()> {
        let mut references: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
        for (source, target) in pairs {
            let target = self.target.unit.cut(target);
            references.entry(source).or_default().push(target);
        }
        let sources: Vec<&str> = references.keys().copied().collect();
        let found: Vec<Vec<&str>> = sources
            .par_iter()
            .map(|text| self.translate(text, width))
            .collect::<Result<_, _>>()?;
        let mut rate = ErrorRate::default();
        for (found, right) in found.into_iter().zip(references.values()) {
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            rate.add(&found, &right.iter().map(Vec::as_slice).collect::<Vec<_>>());
        }
        println!(
            "{name}: {:.4} of {} right, error rate {:.4} (beam {width})",
            rate.accuracy(),
            rate.sequences(),
            rate.rate()
        );
        Ok(())
    }

    /// Draws where the model looks while it translates `text`.
    pub fn draw(&self, path: &Path, text: &str, width: usize) -> Result<(), Box<dyn Error>> {
        let source = Padded::new(&[self.source.encode(text)?], PADDING)?;
        let found = self.translate(text, width)?;
        let given = [&[START][..], &self.target.vocab.encode(&found)?].concat();
        let weights = self.model.attention(&source, &Ids::new([given])?)?;
        let across = self.source.unit.cut(text);
        let across: Vec<&str> = across.iter().map(String::as_str).collect();
        let down = [&found[..], &["end"]].concat();
        draw::attention(path, &weights.to_vec(), &across, &down)
    }
}
