//! One error type for the whole library: which operation, what is wrong, where, and the rule.

use std::fmt;

use lexigrad_kernels::storage::OutOfMemory;

use crate::message::{printable, printable_name};
use crate::shape::Shape;

/// A `Result` whose error is lexigrad's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in which operation.
///
/// It prints as `operation: what is wrong (where; the rule)` and is one pointer wide, so that a `Result` stays cheap to return.
///
/// ```
/// use lexigrad_tensor::Tensor;
/// let error = Tensor::<f32>::zeros([4, 7]).matmul(&Tensor::zeros([8, 3])).unwrap_err();
/// assert_eq!(error.operation(), "matmul");
/// assert_eq!(error.to_string(), "matmul: inner sizes differ: [4, 7] x [8, 3] (7 columns, 8 rows)");
/// ```
#[derive(Clone, PartialEq)]
pub struct Error(Box<Fields>);

#[derive(Clone, PartialEq)]
struct Fields {
    operation: String,
    kind: ErrorKind,
}

/// The fault, as fields that a program can look at.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Two shapes do not broadcast.
    #[error(
        "{left} and {right} do not broadcast (axis {axis}: {left_size} and {right_size}; sizes must be equal, or one of them 1)"
    )]
    Broadcast {
        /// Shape of the left operand.
        left: Shape,
        /// Shape of the right operand.
        right: Shape,
        /// The axis of the result at which they differ.
        axis: usize,
        /// Size of the left operand there.
        left_size: usize,
        /// Size of the right operand there.
        right_size: usize,
    },
    /// A matrix product whose inner sizes differ.
    #[error("inner sizes differ: {left} x {right} ({columns} columns, {rows} rows)")]
    InnerSizes {
        /// Shape of the left matrix.
        left: Shape,
        /// Shape of the right matrix.
        right: Shape,
        /// Columns of the left matrix.
        columns: usize,
        /// Rows of the right matrix.
        rows: usize,
    },
    /// A tensor's shape is not what the operation takes.
    #[error("{operand} {} shape {found}; {rule}", has_or_have(operand))]
    Shape {
        /// Which operand; of several things its name is a plural in s, as in `the ids`.
        operand: String,
        /// Its shape.
        found: Shape,
        /// What the shape must be.
        rule: String,
    },
    /// A shape with more elements than a tensor can have, or than there is memory for.
    #[error("a result of shape {shape} is too large; {rule}")]
    TooLarge {
        /// The shape.
        shape: Shape,
        /// What it must keep to.
        rule: String,
    },
    /// An axis that the tensor does not have.
    #[error("axis {axis} is out of range for shape {shape} ({})", describe_axes(shape.rank()))]
    Axis {
        /// The axis asked for.
        axis: isize,
        /// The tensor's shape.
        shape: Shape,
    },
    /// An id beyond what it counts: the rows of a table, the elements of an axis, segments.
    #[error("id {id} at {position} is out of range for {counted}")]
    IdOutOfRange {
        /// The id.
        id: u32,
        /// Its index in the id tensor.
        position: Shape,
        /// How many there are.
        rows: usize,
        /// What there are so many of, such as `a table of 3 rows`.
        counted: String,
    },
    /// A class label beyond the classes.
    #[error("target {target} at {position} is out of range for {classes} classes")]
    TargetOutOfRange {
        /// The label.
        target: u32,
        /// Its index in the target tensor.
        position: Shape,
        /// Number of classes.
        classes: usize,
    },
    /// An integer that cannot be an id.
    #[error(
        "id {id} at {position} is not a valid id (ids run from 0 to {})",
        u32::MAX
    )]
    NotAnId {
        /// The integer.
        id: i128,
        /// Its index in the given data.
        position: Shape,
    },
    /// A number outside the range of an option.
    #[error("{name} is {value}; it must be {rule}")]
    Value {
        /// The option's name.
        name: &'static str,
        /// The value given.
        value: f64,
        /// The range it must lie in.
        rule: String,
    },
    /// A quantity to differentiate was computed without a tape.
    #[error("the {quantity} was not recorded; create a Tape before the forward pass")]
    NotRecorded {
        /// What was to be differentiated, such as `loss`.
        quantity: &'static str,
    },
    /// A tensor belongs to a tape that is recording on another thread.
    #[error(
        "a tensor belongs to a tape that is alive on another thread; give each thread a tape of its own, or pass the tensor on with detach()"
    )]
    OtherThread,
    /// A number that is not finite, found by a tape that checks them, or by an optimizer that refuses such a gradient.
    #[error(
        "{quantity} holds {value} at {position}{}{}{}",
        if operands.is_empty() { "; it must be finite".to_owned() } else { format!(" (inputs: {operands})") },
        module.as_ref().map_or_else(String::new, |module| format!(", {module}")),
        if ids.is_empty() { String::new() } else { format!(", ids {ids:?}") }
    )]
    NotFinite {
        /// `the output`, `the gradient of input 1` or `the gradient of embed.weight`.
        quantity: String,
        /// The number.
        value: f64,
        /// Its index.
        position: Shape,
        /// Shapes and ranges of what the operation took; empty for a parameter's gradient.
        operands: String,
        /// Where in the model: at or after which parameter.
        module: Option<String>,
        /// The ids of the rows at fault, for a lookup.
        ids: Vec<u32>,
    },
    /// A state dict that does not fit the model.
    #[error("{}", describe_misfit(missing, unexpected, misshapen, refused, file.as_deref()))]
    StateDict {
        /// Names the model has and the state dict lacks.
        missing: Vec<String>,
        /// Names the state dict has and the model lacks.
        unexpected: Vec<String>,
        /// Names whose shapes differ: name, shape in the model, shape in the state dict.
        misshapen: Vec<(String, Shape, Shape)>,
        /// Names whose numbers cannot stand there, and why.
        refused: Vec<(String, String)>,
        /// The file that the state dict was read from.
        file: Option<String>,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {}", printable(reason, LONGEST_REASON))]
    File {
        /// The file.
        path: String,
        /// What the system or the format says.
        reason: String,
    },
    /// Any other fault, in words.
    #[error("{0}")]
    Other(String),
}

impl Error {
    /// An error of `operation` with the fault `kind`.
    #[cold]
    pub fn new(operation: impl Into<String>, kind: ErrorKind) -> Self {
        Self(Box::new(Fields {
            operation: operation.into(),
            kind,
        }))
    }

    /// An error of `operation` in words that name the value, where it stands and the rule.
    #[cold]
    pub fn other(operation: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(operation, ErrorKind::Other(message.into()))
    }

    /// An error of `operation`: `operand` has a shape that breaks `rule`.
    #[cold]
    pub fn shape(
        operation: impl Into<String>,
        operand: impl Into<String>,
        found: &Shape,
        rule: impl Into<String>,
    ) -> Self {
        let kind = ErrorKind::Shape {
            operand: operand.into(),
            found: found.clone(),
            rule: rule.into(),
        };
        Self::new(operation, kind)
    }

    /// An error of `operation`: the option `name` has a value that breaks `rule`.
    #[cold]
    pub fn value(
        operation: impl Into<String>,
        name: &'static str,
        value: f64,
        rule: impl Into<String>,
    ) -> Self {
        let rule = rule.into();
        Self::new(operation, ErrorKind::Value { name, value, rule })
    }

    /// A shape that breaks a rule on sizes, not yet said in which operation.
    #[cold]
    pub(crate) fn too_large(shape: &Shape, rule: String) -> Self {
        let shape = shape.clone();
        Self::new("tensor", ErrorKind::TooLarge { shape, rule })
    }

    /// There is no memory for a value for each element of a shape.
    #[cold]
    pub(crate) fn out_of_memory(shape: &Shape, error: OutOfMemory) -> Self {
        Self::too_large(shape, error.to_string())
    }

    /// The same error as one of `operation`, if it is [`ErrorKind::TooLarge`]: who allocates does not know for whom.
    #[cold]
    pub fn within(mut self, operation: &'static str) -> Self {
        if matches!(self.0.kind, ErrorKind::TooLarge { .. }) {
            self.0.operation = operation.to_owned();
        }
        self
    }

    /// The operation that failed, such as `matmul`.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The fault.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }
}

/// Names that come from files are escaped: no message moves a terminal's cursor.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}: {}", self.0.operation, self.0.kind);
        f.write_str(&printable(&text, usize::MAX))
    }
}

/// The same text as `Display`, so that `unwrap` and `fn main() -> Result<()>` print something readable.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Error {}

/// The verb for an operand, by the noun that it begins with.
fn has_or_have(operand: &str) -> &'static str {
    let noun = operand.split(" of ").next().unwrap_or(operand);
    let is_plural =
        noun.ends_with('s') && !["ss", "bias", "axis"].iter().any(|end| noun.ends_with(end));
    if is_plural { "have" } else { "has" }
}

fn describe_axes(rank: usize) -> String {
    match rank {
        0 => "it has no axes".to_owned(),
        _ => format!("rank {rank}; axes run from -{rank} to {}", rank - 1),
    }
}

/// The longest reason that a message about a file has whole: foreign parsers quote what they find without a limit.
const LONGEST_REASON: usize = 1000;

/// How many names of each kind a message lists; the [`ErrorKind`] has all.
const MOST_NAMES: usize = 20;

fn describe_misfit(
    missing: &[String],
    unexpected: &[String],
    misshapen: &[(String, Shape, Shape)],
    refused: &[(String, String)],
    file: Option<&str>,
) -> String {
    let name = |name: &String| printable_name(name).into_owned();
    let shapes = |(name, model, given): &(String, Shape, Shape)| {
        let (name, given) = (printable_name(name), given.to_string());
        format!("{name} (model {model}, given {})", printable_name(&given))
    };
    let reason = |(name, reason): &(String, String)| format!("{} {reason}", printable_name(name));
    let lists = [
        ("missing", list(missing, name)),
        ("unexpected", list(unexpected, name)),
        ("shapes differ", list(misshapen, shapes)),
        ("refused", list(refused, reason)),
    ];
    let lists = lists.iter().filter(|(_, list)| !list.is_empty());
    let parts = lists.map(|(what, list)| format!("{what}: {list}"));
    let file = file.map(|file| format!("file: {file}"));
    parts.chain(file).collect::<Vec<_>>().join("; ")
}

/// The first of many things, and how many more there are.
fn list<V>(things: &[V], describe: impl Fn(&V) -> String) -> String {
    let shown: Vec<String> = things.iter().take(MOST_NAMES).map(describe).collect();
    let shown = shown.join(", ");
    match things.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// What was built, or a panic in the words of the error, for what returns no `Result`.
#[track_caller]
pub(crate) fn or_panic<R>(operation: &'static str, built: Result<R>) -> R {
    match built {
        Ok(built) => built,
        Err(error) => panic!("{}", error.within(operation)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verb_fits_the_operand() {
        for operand in [
            "the ids",
            "values",
            "per-sample weights",
            "the new rows of the table",
        ] {
            assert_eq!(has_or_have(operand), "have", "{operand}");
        }
        for operand in [
            "the bias",
            "the loss",
            "the mask of the keys",
            "x",
            "in_proj_bias",
        ] {
            assert_eq!(has_or_have(operand), "has", "{operand}");
        }
    }
}
