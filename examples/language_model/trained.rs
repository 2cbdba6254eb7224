//! A trained model with its tokens: judging, writing on.

use lexigrad::prelude::*;
use lexigrad_text::batch::Stream;
use lexigrad_text::decode::{SampleOptions, sample};
use lexigrad_text::metrics::Mean;
use lexigrad_text::{Result, Vocab, characters};
use rand::Rng;

use crate::model::LanguageModel;

/// What a line ends with.
pub const END: &str = "</s>";
/// Tokens read before a judgement goes on, with its state.
const JUDGED: usize = 400;
/// The most tokens that are written on from a beginning.
const LONGEST: usize = 60;

/// A model with its tokens, which are words or characters.
pub struct Trained {
    pub model: LanguageModel,
    pub vocab: Vocab,
    pub characters: bool,
}

impl Trained {
    /// Prints the perplexity of all tokens of `text`, each told from those before it, or of characters their bits.
    pub fn judge(&self, name: &str, text: &[String]) -> Result<()> {
        // The first token is told from the end of a line, as the first of any line is.
        let end = [END.to_owned()];
        let text = self.vocab.encode(end.iter().chain(text))?;
        let (mut losses, mut states) = (Mean::default(), Vec::new());
        for window in Stream::new(&text, 1, JUDGED)? {
            let window = window?;
            let (loss, after) = self.model.loss(&window.inputs, &window.targets, &states)?;
            losses.add(loss.item()?, window.targets.len());
            states = after;
        }
        let (bits, perplexity) = (losses.value() / std::f64::consts::LN_2, losses.perplexity());
        let tokens = losses.items();
        match self.characters {
            true => println!("{name}: {bits:.3} bits a character, of {tokens}"),
            false => println!("{name}: perplexity {perplexity:.1} of {tokens} tokens"),
        }
        Ok(())
    }

    /// A beginning and what the model writes on, up to the end of a line.
    pub fn write_on(
        &self,
        beginning: &str,
        temperature: f64,
        rng: &mut impl Rng,
    ) -> Result<String> {
        let options = SampleOptions {
            temperature,
            ..SampleOptions::default()
        };
        let mut text = cut(beginning, self.characters);
        let mut ids = self.vocab.encode([END.to_owned()].iter().chain(&text))?;
        let mut states = Vec::new();
        for _ in 0..LONGEST {
            let (scores, after) = self.model.next(&ids, &states)?;
            let mut scores = scores.to_vec();
            if let Some(unknown) = self.vocab.unknown() {
                scores[unknown as usize] = f32::NEG_INFINITY;
            }
            let drawn = sample(&Tensor::from(scores), &options, rng)?;
            let word = self.vocab.word(drawn).unwrap_or(END);
            if word == END {
                break;
            }
            text.push(word.to_owned());
            (ids, states) = (vec![drawn], after);
        }
        Ok(text.join(if self.characters { "" } else { " " }))
    }
}

/// The characters of a line, or its words.
pub fn cut(line: &str, into_characters: bool) -> Vec<String> {
    match into_characters {
        true => characters(line),
        false => line.split_whitespace().map(str::to_owned).collect(),
    }
}
