//! Printing tensors the way PyTorch does: aligned, four decimals, large ones cut, scientific where needed.

use std::fmt;

use crate::element::Element;
use crate::tensor::Tensor;

/// Tensors with more elements than this are cut.
const THRESHOLD: usize = 1000;
/// So many rows or columns are shown at either end of a cut axis.
const EDGE: usize = 3;
const LINE_WIDTH: usize = 80;

impl<T: Element> fmt::Display for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values: Vec<f64> = self.values().iter().map(|value| value.as_f64()).collect();
        let cut = values.len() > THRESHOLD;
        let mut shown = Vec::new();
        visible(&values, self.shape(), cut, &mut shown);
        let printer = Printer {
            style: Style::of(&shown),
            cut,
        };
        let mut text = String::from("tensor(");
        let indent = text.len();
        printer.print(&values, self.shape(), indent, &mut text);
        if self.elements() == 0 && self.rank() != 1 {
            text.push_str(&format!(", shape={}", self.shape()));
        }
        if T::NAME != "f32" {
            text.push_str(&format!(", {}", T::NAME));
        }
        text.push(')');
        f.write_str(&text)
    }
}

/// The same text as `Display`.
impl<T: Element> fmt::Debug for Tensor<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The indices of an axis that are shown, `None` standing for the ones left out.
fn indices(size: usize, cut: bool) -> Vec<Option<usize>> {
    if !cut || size <= 2 * EDGE {
        return (0..size).map(Some).collect();
    }
    let head = (0..EDGE).map(Some);
    head.chain([None])
        .chain((size - EDGE..size).map(Some))
        .collect()
}

/// Collects the numbers that will be printed, which decide the style.
fn visible(values: &[f64], sizes: &[usize], cut: bool, shown: &mut Vec<f64>) {
    let Some((&size, rest)) = sizes.split_first() else {
        shown.extend(values);
        return;
    };
    let step: usize = rest.iter().product();
    for index in indices(size, cut).into_iter().flatten() {
        visible(&values[index * step..(index + 1) * step], rest, cut, shown);
    }
}

/// How every number of a tensor is printed.
struct Style {
    notation: Notation,
    width: usize,
}

#[derive(Clone, Copy)]
enum Notation {
    Whole,
    Decimal,
    Scientific,
}

impl Style {
    fn of(shown: &[f64]) -> Self {
        let finite = || shown.iter().copied().filter(|value| value.is_finite());
        let nonzero = || finite().map(f64::abs).filter(|&size| size > 0.0);
        let largest = nonzero().fold(0.0, f64::max);
        let smallest = nonzero().fold(f64::INFINITY, f64::min);
        let whole = finite().all(|value| value == value.ceil());
        let wide = largest / smallest > 1000.0 || largest > 1e8;
        let notation = match (largest > 0.0, whole) {
            (false, _) => Notation::Whole,
            (true, true) if wide && largest > 1e8 => Notation::Scientific,
            (true, true) => Notation::Whole,
            (true, false) if wide || smallest < 1e-4 => Notation::Scientific,
            (true, false) => Notation::Decimal,
        };
        let mut style = Self { notation, width: 0 };
        style.width = shown
            .iter()
            .map(|&value| style.text(value).len())
            .max()
            .unwrap_or(0);
        style
    }

    fn text(&self, value: f64) -> String {
        if value.is_nan() {
            return "nan".to_owned();
        }
        if value.is_infinite() {
            return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
        }
        match self.notation {
            Notation::Whole => format!("{value:.0}."),
            Notation::Decimal => format!("{value:.4}"),
            Notation::Scientific => scientific(value),
        }
    }
}

/// `1.2500e-03`: four decimals and an exponent of at least two digits.
fn scientific(value: f64) -> String {
    let text = format!("{value:.4e}");
    match text.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, size) = exponent
                .strip_prefix('-')
                .map_or(('+', exponent), |size| ('-', size));
            format!("{digits}e{sign}{size:0>2}")
        }
        None => text,
    }
}

struct Printer {
    style: Style,
    cut: bool,
}

impl Printer {
    fn print(&self, values: &[f64], sizes: &[usize], indent: usize, text: &mut String) {
        match sizes {
            [] => text.push_str(&self.style.text(values[0])),
            [size] => self.print_row(values, *size, indent, text),
            [size, rest @ ..] => {
                text.push('[');
                let step: usize = rest.iter().product();
                for (place, index) in indices(*size, self.cut).into_iter().enumerate() {
                    if place > 0 {
                        text.push(',');
                        text.push_str(&"\n".repeat(rest.len()));
                        text.push_str(&" ".repeat(indent + 1));
                    }
                    match index {
                        Some(index) => {
                            let part = &values[index * step..(index + 1) * step];
                            self.print(part, rest, indent + 1, text);
                        }
                        None => text.push_str("..."),
                    }
                }
                text.push(']');
            }
        }
    }

    fn print_row(&self, values: &[f64], size: usize, indent: usize, text: &mut String) {
        let width = self.style.width;
        let per_line = ((LINE_WIDTH - indent) / (width + 2)).max(1);
        text.push('[');
        for (place, index) in indices(size, self.cut).into_iter().enumerate() {
            if place > 0 {
                text.push(',');
                if place % per_line == 0 {
                    text.push('\n');
                    text.push_str(&" ".repeat(indent + 1));
                } else {
                    text.push(' ');
                }
            }
            match index {
                Some(index) => {
                    text.push_str(&format!("{:>width$}", self.style.text(values[index])))
                }
                None => text.push_str("..."),
            }
        }
        text.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(tensor: &Tensor<f32>) -> String {
        tensor.to_string()
    }

    #[test]
    fn numbers_are_aligned_with_four_decimals() {
        let x = Tensor::new([[1.0, -2.5], [10.25, 0.0]]);
        assert_eq!(
            text(&x),
            "tensor([[ 1.0000, -2.5000],\n        [10.2500,  0.0000]])"
        );
        assert_eq!(text(&Tensor::new(1.5)), "tensor(1.5000)");
        assert_eq!(text(&Tensor::new([1.0, 2.0])), "tensor([1., 2.])");
        assert_eq!(text(&Tensor::zeros([0])), "tensor([])");
        assert_eq!(
            text(&Tensor::zeros([2, 0])),
            "tensor([[],\n        []], shape=[2, 0])"
        );
    }

    #[test]
    fn tiny_and_huge_numbers_are_scientific() {
        assert_eq!(
            text(&Tensor::new([1e-5, 1.5])),
            "tensor([1.0000e-05, 1.5000e+00])"
        );
        assert_eq!(
            text(&Tensor::new([1e10, 1.0])),
            "tensor([1.0000e+10, 1.0000e+00])"
        );
        assert_eq!(
            text(&Tensor::new([f32::NAN, f32::NEG_INFINITY, 1.5])),
            "tensor([   nan,   -inf, 1.5000])"
        );
    }

    #[test]
    fn large_tensors_are_cut() {
        let x: Tensor = Tensor::arange(0.0, 2000.0, 1.0).unwrap();
        assert_eq!(
            text(&x),
            "tensor([   0.,    1.,    2., ..., 1997., 1998., 1999.])"
        );
        let y: Tensor = Tensor::zeros([100, 100]);
        assert_eq!(text(&y).lines().count(), 7);
    }

    #[test]
    fn blocks_are_apart_and_long_rows_are_wrapped() {
        let x: Tensor = Tensor::zeros([2, 1, 2]);
        assert_eq!(text(&x), "tensor([[[0., 0.]],\n\n        [[0., 0.]]])");
        let y: Tensor = Tensor::full([30], 0.5);
        assert!(text(&y).lines().all(|line| line.len() <= LINE_WIDTH + 1));
        assert_eq!(text(&y).lines().count(), 4);
        assert!(Tensor::<f64>::zeros([1]).to_string().ends_with(", f64)"));
    }
}
