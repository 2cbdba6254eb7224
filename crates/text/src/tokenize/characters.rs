//! Characters as readers see them.

use unicode_segmentation::UnicodeSegmentation;

/// The characters of `text` as a reader sees them (Unicode's grapheme clusters): a letter stays with its accents.
///
/// ```
/// use lexigrad_text::characters;
/// assert_eq!(characters("ze\u{301}!"), ["z", "e\u{301}", "!"]);
/// ```
pub fn characters(text: &str) -> Vec<String> {
    text.graphemes(true).map(str::to_owned).collect()
}
