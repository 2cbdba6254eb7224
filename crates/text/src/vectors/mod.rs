//! Pretrained word vectors: read from the files that word2vec, GloVe and fastText write, looked at, put into an embedding.
//!
//! [`WordVectors::load`] recognises the format by the content, whatever the file is called:
//!
//! | format | layout |
//! |---|---|
//! | word2vec text, fastText `.vec` | a line `V D`, then lines `word x1 .. xD` |
//! | GloVe text | the same without the first line |
//! | word2vec binary | a line `V D`, then `word`, a space, D little-endian `f32`, perhaps a newline |
//! | fastText `.bin` | a whole model; unseen words get the mean of their subwords, by fastText's own hash |
//!
//! A first line of two integers and nothing else is a header, always: how many rows, and how many numbers in each. It must have no
//! sign, no 0 as the second, and say exactly what follows; so a GloVe file of one number a row must not start with the row of an
//! integer. A first line of one integer is neither header nor row; one of three, such as `3 2 1`, is the row of the word `3`. Rows
//! follow the header at once. Between rows there are no blank lines; after the last there may be. (An empty line after the header
//! says that rows are binary whose first bytes look like text: [`save_binary`](WordVectors::save_binary) writes it there.)
//!
//! From there: [`WordVectors::embedding`] for a vocabulary; [`nearest`](WordVectors::nearest), [`analogy`](WordVectors::analogy) and
//! [`similarity_correlation`](WordVectors::similarity_correlation); [`save_text`](WordVectors::save_text) and
//! [`save_binary`](WordVectors::save_binary); a [`MappedTable`] that need not fit into memory, and an [`Overlay`] that trains it.
//!
//! What is accepted and counted in the [`LoadReport`]: a word twice, of which the first stays; spaces in words, as in GloVe's
//! `. . .`: a line is split from the right, and a word's last part must be no number; line ends CRLF; no newline at the end; a byte
//! order mark. Fields are parted by spaces and tabs alone, since real files have words that are other kinds of space.
//!
//! What is refused, with the line of text or the byte of a binary file: NaN and infinity; rows of another length; a header that
//! says other sizes than there are, or that the file could not hold; a file cut short; an empty word, one beyond 1 KiB, one that is
//! not UTF-8; a zero byte in text; lines that end with CR alone; a quantized fastText model, or one whose fields do not agree, or whose
//! words have more n-grams than a file of its size can ask for. Compressed files, UTF-16, pickles and numpy arrays are recognised by
//! their first bytes. Nothing is allocated on a header's word alone. Text that ends inside its last number cannot be told from text
//! that ends there.

mod binary;
mod collector;
mod detect;
mod embed;
mod fasttext;
mod geometry;
mod header;
mod mapped;
mod options;
mod overlay;
mod report;
mod source;
mod table;
mod text;
mod words;
mod write;

pub use embed::{Matching, MissingRows};
pub use fasttext::Subwords;
pub use geometry::SimilarityCorrelation;
pub use mapped::MappedTable;
pub use options::VectorOptions;
pub use overlay::{Lookup, Overlay};
pub use report::{LoadReport, VectorFormat};
pub use table::WordVectors;
