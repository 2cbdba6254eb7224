//! Sums of products by index notation, over one matrix product.

use lexigrad_macros::compiled;

use crate::element::Element;
use crate::error::{Error, Result};
use crate::ids::Ids;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// `y = Σ Π x` by Einstein's notation: each letter names an axis, and what is not in the output is summed over.
///
/// ```
/// use lexigrad_tensor::{Tensor, einsum};
/// let a: Tensor = Tensor::new([[1.0, 2.0], [3.0, 4.0]]);
/// let b: Tensor = Tensor::new([[1.0, 0.0], [1.0, 1.0]]);
/// assert_eq!(einsum("ij,jk->ik", &[&a, &b])?.to_vec(), [3.0, 2.0, 7.0, 4.0]); // a product
/// assert_eq!(einsum("ii->", &[&a])?.item()?, 5.0); // a trace
/// assert_eq!(einsum("ij,ij->i", &[&a, &b])?.to_vec(), [1.0, 7.0]); // products of rows
/// # Ok::<(), lexigrad_tensor::Error>(())
/// ```
///
/// It takes one operand or two. A letter that stands twice in an operand takes its diagonal. Without `->` the output has the letters
/// that stand once, in alphabetical order.
///
/// # Errors
/// If the notation does not fit the operands, or a letter stands for two sizes.
///
/// PyTorch: `einsum`, which takes any number of operands and `...`.
#[compiled]
pub fn einsum<T: Element>(notation: &str, operands: &[&Tensor<T>]) -> Result<Tensor<T>> {
    let notation = Notation::parse(notation)?;
    notation.check(operands)?;
    let labelled = |index: usize| Labelled {
        tensor: operands[index].clone(),
        labels: notation.inputs[index].clone(),
    };
    let output = &notation.output;
    let result = match operands.len() {
        1 => labelled(0).distinct()?.sum_except(output)?,
        _ => {
            let (left, right) = (labelled(0).distinct()?, labelled(1).distinct()?);
            let wanted =
                |other: &Labelled<T>| [output.as_slice(), other.labels.as_slice()].concat();
            let (left, right) = (
                left.sum_except(&wanted(&right))?,
                right.sum_except(&wanted(&left))?,
            );
            left.contract(&right, output)?
        }
    };
    Ok(result.arranged(output)?.tensor)
}

struct Notation {
    text: String,
    inputs: Vec<Vec<char>>,
    output: Vec<char>,
}

impl Notation {
    fn parse(text: &str) -> Result<Self> {
        let clean: String = text
            .chars()
            .filter(|letter| !letter.is_whitespace())
            .collect();
        let (inputs, output) = match clean.split_once("->") {
            Some((inputs, output)) => (inputs, Some(output)),
            None => (clean.as_str(), None),
        };
        let inputs: Vec<Vec<char>> = inputs
            .split(',')
            .map(|part| part.chars().collect())
            .collect();
        let all: Vec<char> = inputs.concat();
        let output: Vec<char> = match output {
            Some(output) => output.chars().collect(),
            None => {
                let count = |letter: &char| all.iter().filter(|other| *other == letter).count();
                let mut once: Vec<char> = all.iter().copied().filter(|c| count(c) == 1).collect();
                once.sort_unstable();
                once
            }
        };
        let fault = |reason: String| Err(Error::other("einsum", format!("`{text}`: {reason}")));
        if let Some(letter) = all.iter().chain(&output).find(|c| !c.is_ascii_alphabetic()) {
            return fault(format!("`{letter}` is no letter"));
        }
        if let Some(letter) = output.iter().find(|letter| !all.contains(letter)) {
            return fault(format!(
                "`{letter}` stands in the output, but in no operand"
            ));
        }
        if let Some(letter) = repeated(&output) {
            return fault(format!("`{letter}` stands twice in the output"));
        }
        let text = text.to_owned();
        Ok(Self {
            text,
            inputs,
            output,
        })
    }

    fn check<T: Element>(&self, operands: &[&Tensor<T>]) -> Result<()> {
        let fault =
            |reason: String| Err(Error::other("einsum", format!("`{}`: {reason}", self.text)));
        if !(1..=2).contains(&operands.len()) || operands.len() != self.inputs.len() {
            let (named, given) = (self.inputs.len(), operands.len());
            return fault(format!(
                "it names {named} operands, {given} are given (1 or 2 are taken)"
            ));
        }
        let mut sizes: Vec<(char, usize)> = Vec::new();
        for (labels, operand) in self.inputs.iter().zip(operands) {
            if labels.len() != operand.rank() {
                let letters: String = labels.iter().collect();
                return fault(format!(
                    "`{letters}` does not name the axes of {}",
                    operand.shape()
                ));
            }
            for (&letter, &size) in labels.iter().zip(operand.shape().iter()) {
                match sizes.iter().find(|(known, _)| *known == letter) {
                    Some(&(_, other)) if other != size => {
                        return fault(format!("`{letter}` stands for sizes {other} and {size}"));
                    }
                    Some(_) => {}
                    None => sizes.push((letter, size)),
                }
            }
        }
        Ok(())
    }
}

fn repeated(labels: &[char]) -> Option<char> {
    let later = labels.iter().enumerate();
    let mut twice = later.filter(|(place, letter)| labels[..*place].contains(letter));
    twice.next().map(|(_, &letter)| letter)
}

/// A tensor whose axes have letters.
struct Labelled<T: Element> {
    tensor: Tensor<T>,
    labels: Vec<char>,
}

impl<T: Element> Labelled<T> {
    /// Diagonals of the letters that stand twice, so that each stands once.
    fn distinct(mut self) -> Result<Self> {
        while let Some(letter) = repeated(&self.labels) {
            let mut order: Vec<char> = self.labels.clone();
            order.retain(|&other| other != letter);
            let count = self.labels.len() - order.len();
            let rest = order.len();
            // The axes of the letter last, as one axis of size^count, of which the diagonal is picked.
            let places = (0..self.labels.len()).map(|place| place as isize);
            let (own, others): (Vec<isize>, Vec<isize>) =
                places.partition(|&place| self.labels[place as usize] == letter);
            let moved = self.tensor.permute(&[others, own].concat())?;
            let size = moved.shape().last().copied().unwrap_or(1);
            let mut shape: Vec<usize> = moved.shape()[..rest].to_vec();
            shape.push(size.pow(count as u32));
            let step = (0..count as u32).map(|axis| size.pow(axis)).sum::<usize>();
            let diagonal = (0..size).map(|place| (place * step) as u32).collect();
            let diagonal = Ids::from_parts(diagonal, Shape::from(size));
            order.push(letter);
            self = Self {
                tensor: moved.reshape(shape)?.index_select(-1, &diagonal)?,
                labels: order,
            };
        }
        Ok(self)
    }

    /// Sums over the letters that are not among `wanted`.
    fn sum_except(&self, wanted: &[char]) -> Result<Self> {
        let places = self.labels.iter().enumerate();
        let dropped = places.filter(|(_, letter)| !wanted.contains(letter));
        let axes: Vec<isize> = dropped.map(|(place, _)| place as isize).collect();
        let mut labels = self.labels.clone();
        labels.retain(|letter| wanted.contains(letter));
        let tensor = if axes.is_empty() {
            self.tensor.clone()
        } else {
            self.tensor.sum_axes(&axes)?
        };
        Ok(Self { tensor, labels })
    }

    /// The axes in the order of `labels`.
    fn arranged(&self, labels: &[char]) -> Result<Self> {
        let place = |letter: &char| self.labels.iter().position(|own| own == letter);
        let order: Vec<isize> = labels
            .iter()
            .filter_map(place)
            .map(|place| place as isize)
            .collect();
        Ok(Self {
            tensor: self.tensor.permute(&order)?,
            labels: labels.to_vec(),
        })
    }

    fn sizes(&self, labels: &[char]) -> Vec<usize> {
        let size = |letter: &char| self.labels.iter().position(|own| own == letter);
        labels
            .iter()
            .filter_map(size)
            .map(|place| self.tensor.shape()[place])
            .collect()
    }

    /// The product with `other`, summed over the letters of both that are not in `output`: `[b, m, k] x [b, k, n]`.
    fn contract(&self, other: &Self, output: &[char]) -> Result<Self> {
        let select = |of: &Self, with: &Self, shared: bool, kept: bool| -> Vec<char> {
            let labels = of.labels.iter().copied();
            let fits = |letter: &char| {
                with.labels.contains(letter) == shared && output.contains(letter) == kept
            };
            labels.filter(fits).collect()
        };
        let (batch, inner) = (
            select(self, other, true, true),
            select(self, other, true, false),
        );
        let (rows, columns) = (
            select(self, other, false, true),
            select(other, self, false, true),
        );
        let matrices = |of: &Self, first: &[char], second: &[char]| {
            let sizes =
                [&batch, first, second].map(|labels| of.sizes(labels).iter().product::<usize>());
            of.arranged(&[&batch, first, second].concat())?
                .tensor
                .reshape(sizes)
        };
        let product = matrices(self, &rows, &inner)?.matmul(&matrices(other, &inner, &columns)?)?;
        let labels = [batch.as_slice(), &rows, &columns].concat();
        let sizes = [self.sizes(&batch), self.sizes(&rows), other.sizes(&columns)].concat();
        Ok(Self {
            tensor: product.reshape(sizes)?,
            labels,
        })
    }
}
