//! What every target asks of an error.

use std::fmt::Display;

/// A message is of a length that a person reads, and has nothing that a terminal obeys.
pub fn check(error: &impl Display) {
    let message = error.to_string();
    assert!(message.chars().count() < 1200, "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}
