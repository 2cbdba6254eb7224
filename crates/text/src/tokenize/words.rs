//! Words by the rules of Unicode.

use unicode_segmentation::UnicodeSegmentation;

/// How [`words`](WordOptions::words) cuts.
///
/// ```
/// use lexigrad_text::WordOptions;
/// let options = WordOptions { lowercase: false, punctuation: false };
/// assert_eq!(options.words("Don't stop, Zoë!"), ["Don't", "stop", "Zoë"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WordOptions {
    /// Whether letters are made small.
    pub lowercase: bool,
    /// Whether marks between words are tokens too; otherwise they are left out.
    pub punctuation: bool,
}

impl Default for WordOptions {
    /// Small letters, marks as tokens.
    fn default() -> Self {
        Self {
            lowercase: true,
            punctuation: true,
        }
    }
}

impl WordOptions {
    /// The words of `text`, in order.
    ///
    /// Words end where Unicode's annex 29 says: an apostrophe or point inside a word stays ("don't", "3.14"), a hyphen parts,
    /// and a run of one mark is one token ("..."). White space and control characters are no tokens.
    pub fn words(self, text: &str) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut end_of_last_mark = None;
        for (start, piece) in text.split_word_bound_indices() {
            if piece.chars().all(|c| c.is_whitespace() || c.is_control()) {
                continue;
            }
            let is_mark = !piece.chars().any(char::is_alphanumeric);
            if is_mark && !self.punctuation {
                continue;
            }
            match words.last_mut() {
                Some(last)
                    if is_mark && end_of_last_mark == Some(start) && last.ends_with(piece) =>
                {
                    last.push_str(piece);
                }
                _ if self.lowercase => words.push(piece.to_lowercase()),
                _ => words.push(piece.to_owned()),
            }
            end_of_last_mark = is_mark.then_some(start + piece.len());
        }
        words
    }
}

/// The words of `text` in small letters, its punctuation marks apart.
///
/// ```
/// use lexigrad_text::words;
/// assert_eq!(words("It isn't great... it's GREAT!"), ["it", "isn't", "great", "...", "it's", "great", "!"]);
/// ```
pub fn words(text: &str) -> Vec<String> {
    WordOptions::default().words(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_marks_and_nothing() {
        assert_eq!(words("ÉTÉ naïve 北京"), ["été", "naïve", "北", "京"]);
        assert_eq!(words("a,b ,, c!?"), ["a", ",", "b", ",,", "c", "!", "?"]);
        assert_eq!(words("3.14 and 1,000"), ["3.14", "and", "1,000"]);
        assert_eq!(words("- -"), ["-", "-"]);
        assert!(words(" \t\r\n\u{0}").is_empty());
    }
}
