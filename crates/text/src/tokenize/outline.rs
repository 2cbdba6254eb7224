//! Checks that a `tokenizer.json` must pass before the `tokenizers` crate reads it: faults that make the crate exhaust the memory.

use std::collections::{HashMap, HashSet};
use std::fmt;

use lexigrad_tensor::message::quoted;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::foreign::foreign;

/// The largest file, in bytes. Those of the largest models have about 40 MiB.
const LARGEST_FILE: usize = 256 << 20;
/// The longest padding or cutting, in tokens.
const LONGEST: u64 = 1 << 20;
/// The factor by which steps before or after the cut into tokens may lengthen a text.
const MOST_GROWTH: f64 = (1 << 20) as f64;

/// What is looked at.
#[derive(serde::Deserialize)]
struct Outline {
    #[serde(default)]
    truncation: Value,
    #[serde(default)]
    padding: Value,
    #[serde(default)]
    added_tokens: Value,
    #[serde(default)]
    normalizer: Value,
    #[serde(default)]
    pre_tokenizer: Value,
    #[serde(default)]
    post_processor: Value,
    #[serde(default)]
    decoder: Value,
    model: Model,
}

#[derive(serde::Deserialize)]
struct Model {
    vocab: Tokens,
}

/// The ids of a vocabulary: given with the tokens, or their places in a list.
enum Tokens {
    Named(Vec<(String, u64)>),
    Listed(usize),
}

impl<'de> Deserialize<'de> for Tokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Tokens;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a vocabulary")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
                let mut tokens = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    tokens.push(entry);
                }
                Ok(Tokens::Named(tokens))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tokens, A::Error> {
                let mut count = 0;
                while list.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Tokens::Listed(count))
            }
        }

        deserializer.deserialize_any(Entries)
    }
}

/// One more than the largest id that a file has; else what is wrong with it.
pub(super) fn check(bytes: &[u8]) -> Result<usize, String> {
    if let Some(kind) = foreign(bytes) {
        return Err(kind.to_owned());
    }
    if bytes.len() > LARGEST_FILE {
        let size = bytes.len();
        return Err(format!(
            "{size} bytes; a tokenizer has {LARGEST_FILE} at most"
        ));
    }
    let outline: Outline =
        serde_json::from_slice(bytes).map_err(|cause| format!("not a tokenizer: {cause}"))?;
    check_lengths(&outline)?;
    check_templates(&outline.post_processor)?;
    check_charsmaps(&outline.normalizer)?;
    let parts = [
        ("normalizer", &outline.normalizer),
        ("pre_tokenizer", &outline.pre_tokenizer),
        ("post_processor", &outline.post_processor),
        ("decoder", &outline.decoder),
    ];
    for (name, part) in parts {
        if growth(part) > MOST_GROWTH {
            let rule = "at most 2^20 times is allowed";
            return Err(format!(
                "the {name} can make a text {:.1e} times as long; {rule}",
                growth(part)
            ));
        }
    }
    check_ids(&outline)
}

/// Checks the numbers of tokens to which texts are padded and cut.
fn check_lengths(outline: &Outline) -> Result<(), String> {
    let Outline {
        padding,
        truncation,
        ..
    } = outline;
    let lengths = [
        ("padding.strategy.Fixed", &padding["strategy"]["Fixed"]),
        ("padding.pad_to_multiple_of", &padding["pad_to_multiple_of"]),
        ("truncation.stride", &truncation["stride"]),
    ];
    for (name, value) in lengths {
        if value.as_u64().is_some_and(|length| length > LONGEST) {
            return Err(format!("{name} is {value}; {LONGEST} tokens are the most"));
        }
    }
    let (most, stride) = (
        truncation["max_length"].as_u64(),
        truncation["stride"].as_u64(),
    );
    if let (Some(most), Some(stride)) = (most, stride)
        && stride >= most
        && most > 0
    {
        return Err(format!(
            "truncation.stride is {stride}; it must be below the max_length, {most}"
        ));
    }
    Ok(())
}

/// Checks that the marks which templates put around a text are among those that they define.
fn check_templates(step: &Value) -> Result<(), String> {
    let list = |name: &str| step[name].as_array().map_or(&[][..], Vec::as_slice);
    for piece in list("single").iter().chain(list("pair")) {
        let mark = piece["SpecialToken"]["id"].as_str();
        if let Some(mark) = mark.filter(|mark| step["special_tokens"].get(mark).is_none()) {
            let (mark, rule) = (quoted(mark), "its special_tokens must have it");
            return Err(format!(
                "not a tokenizer: a template puts {mark} around texts; {rule}"
            ));
        }
    }
    list("processors").iter().try_for_each(check_templates)
}

/// Checks that no table of normalised characters says that it is longer than the file: memory is taken on its word.
fn check_charsmaps(step: &Value) -> Result<(), String> {
    let table = step["precompiled_charsmap"].as_str().unwrap_or_default();
    if let Some(size) = leading_number(table)
        && size as usize > table.len()
    {
        let characters = table.len();
        return Err(format!(
            "precompiled_charsmap begins with a trie of {size} bytes; its {characters} characters cannot hold it"
        ));
    }
    let steps = step["normalizers"].as_array();
    steps.into_iter().flatten().try_for_each(check_charsmaps)
}

/// The little-endian number of 32 bits with which base64 begins, if it is such.
fn leading_number(base64: &str) -> Option<u32> {
    let digit = |byte: &u8| {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        Some(u64::from(digit))
    };
    let digits = base64.as_bytes().get(..6)?;
    let bits = digits
        .iter()
        .try_fold(0, |bits, byte| Some(bits << 6 | digit(byte)?))?;
    Some(((bits >> 4) as u32).swap_bytes())
}

/// The marks that a step puts around texts, with their ids.
fn marks(step: &Value) -> Vec<(&str, u64)> {
    let mut found = Vec::new();
    for name in ["cls", "sep"] {
        if let (Some(mark), Some(id)) = (step[name][0].as_str(), step[name][1].as_u64()) {
            found.push((mark, id));
        }
    }
    for (mark, known) in step["special_tokens"].as_object().into_iter().flatten() {
        let ids = known["ids"].as_array().into_iter().flatten();
        found.extend(ids.filter_map(|id| Some((mark.as_str(), id.as_u64()?))));
    }
    let steps = step["processors"].as_array().into_iter().flatten();
    found.extend(steps.flat_map(marks));
    found
}

/// Checks that each token has one id, and that each id has one token and is not far beyond the number of tokens; returns one more than the largest.
fn check_ids(outline: &Outline) -> Result<usize, String> {
    let added: &[Value] = outline.added_tokens.as_array().map_or(&[], Vec::as_slice);
    let added = added.iter().filter_map(|token| {
        let id = token["id"].as_u64();
        Some((token["content"].as_str()?, id?))
    });
    let (named, count): (&[(String, u64)], usize) = match &outline.model.vocab {
        Tokens::Named(tokens) => (tokens, tokens.len()),
        Tokens::Listed(count) => (&[], *count),
    };
    let mut ids: HashMap<u64, &str> = HashMap::with_capacity(named.len());
    let mut tokens: HashSet<&str> = HashSet::with_capacity(named.len());
    for (token, id) in named {
        if !tokens.insert(token) {
            let token = quoted(token);
            return Err(format!("the token {token} stands twice; each has one id"));
        }
        if let Some(other) = ids.insert(*id, token) {
            let (token, other) = (quoted(token), quoted(other));
            return Err(format!(
                "id {id} stands for {other} and for {token}; each token has its own"
            ));
        }
    }
    let named = named.iter().map(|(token, id)| (token.as_str(), *id));
    let largest = named.chain(added).chain(marks(&outline.post_processor));
    let largest = largest.max_by_key(|&(_, id)| id);
    let most = (16 * count as u64).max(1 << 20);
    match largest {
        Some((token, id)) if id >= most => {
            let token = quoted(token);
            Err(format!(
                "{token} has the id {id}; with {count} tokens ids must be below {most}"
            ))
        }
        Some((_, id)) => Ok((id as usize + 1).max(count)),
        None => Ok(count),
    }
}

/// The lists of steps that a sequence of each kind has.
const SEQUENCES: [&str; 4] = ["normalizers", "pretokenizers", "processors", "decoders"];

/// A bound of the factor by which a normalizer or another step lengthens a text. For a `Precompiled` table it is the bound of
/// Unicode's own tables.
fn growth(step: &Value) -> f64 {
    let length = |text: &Value| text.as_str().map_or(0, str::len) as f64;
    match step["type"].as_str() {
        Some("Replace") | None if step.get("pattern").is_some() => {
            let content = length(&step["content"]);
            match step["pattern"]["Regex"].as_str() {
                Some(regex) if may_match_nothing(regex) => content + 1.0,
                Some(_) => content.max(1.0),
                None => (content / length(&step["pattern"]["String"]).max(1.0)).max(1.0),
            }
        }
        Some("Sequence") | None => {
            let steps = SEQUENCES.iter().filter_map(|name| step[*name].as_array());
            steps.flatten().map(growth).product()
        }
        Some("Prepend") => 1.0 + length(&step["prepend"]) / 16.0,
        Some("NFKC" | "NFKD") => 11.0,
        Some("NFC" | "NFD") => 3.0,
        Some("BertNormalizer") => 8.0,
        Some("Lowercase") => 1.5,
        Some("ByteLevel") => 2.0,
        Some("Metaspace") => 4.0,
        Some("Precompiled") => 32.0,
        Some("TemplateProcessing") => template_growth(step),
        _ => 1.0,
    }
}

/// Whether a regular expression may match between any two characters; if in doubt, it may.
fn may_match_nothing(regex: &str) -> bool {
    let signs = [
        "*", "?", "|", "^", "$", "()", "{0", "{,", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\K", "\\G",
    ];
    regex.is_empty() || signs.iter().any(|sign| regex.contains(sign))
}

/// How often a template repeats the text; infinite if it has more than [`LONGEST`] marks.
fn template_growth(template: &Value) -> f64 {
    let pieces = template["single"].as_array().map_or(&[][..], Vec::as_slice);
    let (mut texts, mut marks) = (0_u64, 0_u64);
    for piece in pieces {
        let name = piece["SpecialToken"]["id"].as_str().unwrap_or_default();
        let ids = template["special_tokens"][name]["ids"].as_array();
        marks += ids.map_or(0, Vec::len) as u64;
        texts += u64::from(piece.get("Sequence").is_some());
    }
    if marks > LONGEST {
        return f64::INFINITY;
    }
    texts.max(1) as f64
}
