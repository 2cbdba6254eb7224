//! Foreign text in messages: names, words and lines of files, escaped and cut to a length that a person reads.

use std::borrow::Cow;
use std::fmt::Write;

/// The longest value that a message quotes, in characters.
const LONGEST_VALUE: usize = 80;

/// `text` as a message holds it: control characters, and those that turn the direction of text, are escaped as Rust writes them
/// (`\u{1b}`); of more than `most` characters the middle is left out.
///
/// ```
/// use lexigrad_tensor::message::printable;
/// assert_eq!(printable("emb\u{1b}[2Jed", 80), "emb\\u{1b}[2Jed");
/// assert_eq!(printable("abcdefghij", 4), "ab .. ij");
/// ```
pub fn printable(text: &str, most: usize) -> Cow<'_, str> {
    let text = cut(text, most);
    if !text.contains(is_hidden) {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_hidden(character) {
            escaped.extend(character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// A name from a file, such as that of a tensor or a word: [`printable`], and cut to 80 characters.
///
/// ```
/// use lexigrad_tensor::message::printable_name;
/// assert_eq!(printable_name("embed.weight"), "embed.weight");
/// assert_eq!(printable_name(&"x".repeat(1000)).len(), 84);
/// ```
pub fn printable_name(name: &str) -> Cow<'_, str> {
    printable(name, LONGEST_VALUE)
}

/// A value of a file in quotes: escaped, also where it is not UTF-8 (`"caf\xe9"`), and cut to 80 characters.
///
/// ```
/// use lexigrad_tensor::message::quoted;
/// assert_eq!(quoted(b"caf\xe9"), "\"caf\\xe9\"");
/// assert_eq!(quoted("a\tb"), "\"a\\tb\"");
/// ```
pub fn quoted(value: impl AsRef<[u8]>) -> String {
    let mut text = String::new();
    // A character has at most four bytes; what lies beyond so many cannot be shown.
    for chunk in ends(value.as_ref(), 4 * LONGEST_VALUE).utf8_chunks() {
        let shown = format!("{:?}", chunk.valid());
        text.push_str(&shown[1..shown.len() - 1]);
        for byte in chunk.invalid() {
            // Writing to a string cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    format!("\"{}\"", cut(&text, LONGEST_VALUE))
}

/// The first and the last bytes of a long value.
fn ends(bytes: &[u8], most: usize) -> Cow<'_, [u8]> {
    if bytes.len() <= 2 * most {
        return Cow::Borrowed(bytes);
    }
    Cow::Owned([&bytes[..most], &bytes[bytes.len() - most..]].concat())
}

/// The first and the last characters of a text of more than `most`.
fn cut(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most || text.chars().nth(most).is_none() {
        return Cow::Borrowed(text);
    }
    let first = text.char_indices().nth(most - most / 2);
    let last = text.char_indices().rev().take(most / 2).last();
    let first = first.map_or(text, |(end, _)| &text[..end]);
    let last = last.map_or("", |(start, _)| &text[start..]);
    Cow::Owned(format!("{first} .. {last}"))
}

/// Whether a terminal would act on the character instead of showing it.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}]0;x\u{7}\r\n\u{202e}b\u{9b}31m\u{feff}";
        for text in [printable(hostile, 99).into_owned(), quoted(hostile)] {
            assert!(!text.contains(is_hidden), "{text}");
        }
        assert_eq!(printable("naïve 東京 \\n", 99), "naïve 東京 \\n");
    }

    #[test]
    fn what_is_long_keeps_its_ends() {
        let long = format!("begin{}end", "é".repeat(100_000));
        let text = quoted(&long);
        assert!(text.starts_with("\"begin") && text.ends_with("end\""));
        assert!(text.chars().count() < LONGEST_VALUE + 8);
        assert_eq!(printable("abc", 3), "abc");
        assert_eq!(printable("abcd", 3), "ab .. d");
        assert_eq!(printable("abcd", 0), " .. ");
    }
}
