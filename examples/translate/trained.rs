//! A trained model with its tokens: translating, judging, drawing.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;

use lexigrad::nn::LstmState;
use lexigrad::prelude::*;
use lexigrad_text::Vocab;
use lexigrad_text::batch::Padded;
use lexigrad_text::decode::{BeamOptions, beam_search};
use lexigrad_text::metrics::ErrorRate;
use rayon::prelude::*;

use crate::args::Unit;
use crate::draw;
use crate::model::Translator;

/// The places of the special tokens in a vocabulary.
pub const PADDING: u32 = 0;
pub const START: u32 = 2;
pub const END: u32 = 3;

/// A model with the tokens on both sides.
pub struct Trained {
    pub model: Translator,
    pub source: (Unit, Vocab),
    pub target: (Unit, Vocab),
}

impl Trained {
    /// The source, and the target between start and end.
    pub fn encode(
        &self,
        (source, target): &(String, String),
    ) -> lexigrad_text::Result<[Vec<u32>; 2]> {
        let ids = self.target.1.encode(self.target.0.cut(target))?;
        let source = self.source.1.encode(self.source.0.cut(source))?;
        Ok([source, [&[START][..], &ids, &[END]].concat()])
    }

    /// The tokens of the likeliest translation that the beam finds.
    fn translate(&self, text: &str, width: usize) -> lexigrad_text::Result<Vec<&str>> {
        let source = self.source.1.encode(self.source.0.cut(text))?;
        let (memory, state) = self.model.encode(&Padded::new(&[&source], PADDING)?)?;
        let options = BeamOptions {
            width,
            longest: 3 * source.len() + 10,
            start: START,
            end: END,
        };
        let step = |tokens: &[u32], state: &LstmState| {
            let last = Ids::new(tokens)?.reshape([tokens.len(), 1])?;
            let (scores, state) =
                self.model
                    .decode(&last, &memory.repeated(tokens.len())?, state)?;
            Ok((scores.squeeze(1)?.log_softmax(-1)?, state))
        };
        let select = |state: &LstmState, rows: &[usize]| {
            let rows = Ids::new(rows)?;
            let of = |x: &Tensor| x.index_select(1, &rows);
            Ok(LstmState {
                hidden: of(&state.hidden)?,
                cell: of(&state.cell)?,
            })
        };
        let found = beam_search(&options, state, step, select)?;
        self.target
            .1
            .decode(found.first().map_or(&[], |best| &best.tokens))
    }

    /// The likeliest translation as a text.
    pub fn translated(&self, text: &str, width: usize) -> lexigrad_text::Result<String> {
        Ok(self.target.0.join(&self.translate(text, width)?))
    }

    /// How often the translations are right, and edits for each token of the nearest right one.
    pub fn judge(
        &self,
        name: &str,
        pairs: &[(String, String)],
        width: usize,
    ) -> Result<(), Box<dyn Error>> {
        let mut references: HashMap<&str, Vec<Vec<String>>> = HashMap::new();
        for (source, target) in pairs {
            references
                .entry(source)
                .or_default()
                .push(self.target.0.cut(target));
        }
        let mut sources: Vec<&str> = references.keys().copied().collect();
        sources.sort_unstable();
        let found: Vec<Vec<&str>> = sources
            .par_iter()
            .map(|text| self.translate(text, width))
            .collect::<Result<_, _>>()?;
        let mut rate = ErrorRate::default();
        for (source, found) in sources.iter().zip(found) {
            let found: Vec<String> = found.into_iter().map(str::to_owned).collect();
            let right: Vec<&[String]> = references[source].iter().map(Vec::as_slice).collect();
            rate.add(&found, &right);
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
        let tokens = self.source.0.cut(text);
        let source = Padded::new(&[self.source.1.encode(&tokens)?], PADDING)?;
        let found = self.translate(text, width)?;
        let given = [&[START][..], &self.target.1.encode(&found)?].concat();
        let weights = self.model.attention(&source, &Ids::new([given])?)?.to_vec();
        let rows: Vec<Vec<f32>> = weights
            .chunks(tokens.len().max(1))
            .map(<[f32]>::to_vec)
            .collect();
        draw::attention(path, &rows, &tokens, &[&found[..], &["end"]].concat())
    }
}
