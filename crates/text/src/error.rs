//! One error type: which file, which place in it, what is wrong there.

use std::fmt;
use std::io;
use std::path::Path;

use lexigrad_tensor::message::printable;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong between a file and a trained model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Something in a source of text does not keep the rules of its format.
    #[error("{source_name}{place}: {reason}")]
    Format {
        /// The file, or how the caller named the source.
        source_name: String,
        /// Where in it.
        place: Place,
        /// What is wrong there, and the rule.
        reason: String,
    },
    /// The operating system could not read or write.
    #[error("{source_name}: {cause}")]
    Io {
        /// The file.
        source_name: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// An argument breaks a rule.
    #[error("{operation}: {reason}")]
    Argument {
        /// The function.
        operation: &'static str,
        /// What is wrong, and the rule.
        reason: String,
    },
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] lexigrad_tensor::Error),
}

/// A place in a source of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The source as a whole.
    Whole,
    /// A line, counted from 1.
    Line(usize),
    /// A byte, counted from 0.
    Byte(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Whole => Ok(()),
            Place::Line(line) => write!(formatter, ", line {line}"),
            Place::Byte(byte) => write!(formatter, ", byte {byte}"),
        }
    }
}

/// The longest reason that a message has whole, in characters: foreign parsers quote what they find without a limit.
const LONGEST_REASON: usize = 1000;

/// Whatever comes from a file is escaped and cut here, before it is part of an error.
impl Error {
    /// A fault at a place of a source.
    pub fn format(source_name: impl AsRef<str>, place: Place, reason: impl AsRef<str>) -> Self {
        Self::Format {
            source_name: printable(source_name.as_ref(), usize::MAX).into_owned(),
            place,
            reason: printable(reason.as_ref(), LONGEST_REASON).into_owned(),
        }
    }

    /// What the system said about a file.
    pub fn io(path: impl AsRef<Path>, cause: io::Error) -> Self {
        let source_name = path.as_ref().display().to_string();
        Self::Io {
            source_name: printable(&source_name, usize::MAX).into_owned(),
            cause,
        }
    }

    /// An argument that breaks a rule.
    pub fn argument(operation: &'static str, reason: impl AsRef<str>) -> Self {
        Self::Argument {
            operation,
            reason: printable(reason.as_ref(), LONGEST_REASON).into_owned(),
        }
    }

    /// The place of a [`Format`](Self::Format) error.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Format { place, .. } => Some(*place),
            _ => None,
        }
    }
}
