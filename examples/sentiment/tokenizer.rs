//! From a text to its words and punctuation marks.

/// The tokens of `text`: lowercase words, and punctuation marks on their own.
///
/// A word is a run of letters and digits, with the apostrophes inside it: `don't` is one token. A run of one mark, such
/// as `...`, is one token. White space only separates. No token is empty or holds white space.
pub fn tokenize(text: &str) -> Vec<String> {
    let text = text.to_lowercase().replace('’', "'");
    let mut tokens = Vec::new();
    let mut rest = text.as_str();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_whitespace() {
            first.len_utf8()
        } else if first.is_alphanumeric() {
            word_length(rest)
        } else {
            run_length(rest, |c| c == first)
        };
        let (token, after) = rest.split_at(length);
        if !first.is_whitespace() {
            tokens.push(token.to_owned());
        }
        rest = after;
    }
    tokens
}

/// Bytes of the word that `text` starts with.
fn word_length(text: &str) -> usize {
    let mut end = run_length(text, char::is_alphanumeric);
    while let Some(after) = text[end..].strip_prefix('\'') {
        let more = run_length(after, char::is_alphanumeric);
        if more == 0 {
            break;
        }
        end += 1 + more;
    }
    end
}

/// Bytes of the longest start of `text` whose characters all belong.
fn run_length(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::tokenize;

    #[test]
    fn words_are_lowercase_and_punctuation_stands_apart() {
        assert_eq!(
            tokenize("Cold, nervy -- and MEMORABLE..."),
            ["cold", ",", "nervy", "--", "and", "memorable", "..."]
        );
    }

    #[test]
    fn an_apostrophe_stays_only_inside_a_word() {
        assert_eq!(
            tokenize("Don't call it 'film's best'"),
            ["don't", "call", "it", "'", "film's", "best", "'"]
        );
        assert_eq!(tokenize("it’s"), ["it's"]);
    }

    #[test]
    fn any_script_and_any_space_will_do() {
        assert_eq!(
            tokenize("ÉTÉ\u{a0}2002\tκακό!?"),
            ["été", "2002", "κακό", "!", "?"]
        );
        assert!(tokenize(" \t\n").is_empty());
    }
}
