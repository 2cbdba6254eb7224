//! What a report shows, as plain data.

use serde::Serialize;

/// Numbers by epoch under one title, such as the losses of training and dev.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve {
    /// What the numbers are.
    pub title: String,
    /// A line for each.
    pub series: Vec<Series>,
}

/// The numbers of one line, an epoch each; NaN leaves a hole.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Series {
    /// What the line is called.
    pub name: String,
    /// Its values.
    pub values: Vec<f64>,
}

/// Words in the plane. Each is an element of the page: thousands are well, hundreds of thousands are too many.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Space {
    /// The words.
    pub words: Vec<String>,
    /// How often each was seen.
    pub counts: Vec<u64>,
    /// A number for each, shown by its colour from one end of the scale (below 0) to the other.
    pub values: Vec<f64>,
    /// What the number is, such as "pull towards positive".
    pub value_name: String,
    /// One picture or more: its name, and where each word stands in it.
    pub pictures: Vec<(String, Vec<[f64; 2]>)>,
}

/// The nearest words of a word, with their similarities.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Neighbours {
    /// The word.
    pub word: String,
    /// Before training.
    pub before: Vec<(String, f64)>,
    /// After training.
    pub after: Vec<(String, f64)>,
}

/// A sentence with what each token adds to the score of a label.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explained {
    /// Its tokens.
    pub tokens: Vec<String>,
    /// What each adds to the score of the predicted label.
    pub contributions: Vec<f64>,
    /// The label it has.
    pub label: String,
    /// The label it was given.
    pub predicted: String,
    /// How sure the model was of that.
    pub probability: f64,
}
