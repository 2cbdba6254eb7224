//! A model as a table.

use std::fmt::Write;

use lexigrad_tensor::{Element, Entry, Module, Shape, Visitor};

/// What stands at a path.
struct Line {
    path: String,
    shape: Shape,
    kind: &'static str,
}

/// A table of what a model is made of: path, shape, how many numbers, memory, and whether it is trained, frozen, a buffer, or tied to
/// a parameter above.
///
/// ```
/// use lexigrad_nn::{Linear, describe};
/// use rand::{SeedableRng, rngs::StdRng};
/// let linear = Linear::new(100, 20, &mut StdRng::seed_from_u64(1));
/// linear.bias.as_ref().unwrap().set_requires_grad(false);
/// let table = "\
/// path    shape      numbers   memory
/// weight  [20, 100]     2000  7.8 KiB  trained
/// bias    [20]            20     80 B  frozen
/// total                 2020  7.9 KiB
/// ";
/// assert_eq!(describe(&linear), table);
/// ```
///
/// PyTorch: none; Keras: `model.summary()`.
pub fn describe<T: Element>(model: &(impl Module<T> + ?Sized)) -> String {
    let lines = lines(model);
    let numbers = |line: &Line| match line.kind {
        "tied" => 0,
        _ => line.shape.elements(),
    };
    let total: usize = lines.iter().map(numbers).sum();
    let header = ["path", "shape", "numbers", "memory", ""].map(str::to_owned);
    let of_total = ["total", "", &total.to_string(), &memory::<T>(total), ""].map(str::to_owned);
    let cells = lines.iter().map(|line| {
        let count = line.shape.elements();
        [
            line.path.clone(),
            line.shape.to_string(),
            count.to_string(),
            memory::<T>(count),
            line.kind.to_owned(),
        ]
    });
    let rows: Vec<[String; 5]> = std::iter::once(header)
        .chain(cells)
        .chain([of_total])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [0, 1, 2, 3].map(width);
    let mut table = String::new();
    for [path, shape, count, memory, kind] in &rows {
        let [a, b, c, d] = widths;
        let line = format!("{path:a$}  {shape:b$}  {count:>c$}  {memory:>d$}  {kind}");
        // Writing to a string cannot fail.
        let _ = writeln!(table, "{}", line.trim_end());
    }
    table
}

fn lines<T: Element>(model: &(impl Module<T> + ?Sized)) -> Vec<Line> {
    let (mut lines, mut seen) = (Vec::new(), Vec::new());
    let mut see = |path: &str, entry: Entry<'_, T>| {
        let (shape, kind) = match entry {
            Entry::Buffer(buffer) => (buffer.shape(), "buffer"),
            Entry::Param(param) if seen.contains(&param.id()) => (param.shape(), "tied"),
            Entry::Param(param) => {
                seen.push(param.id());
                let trained = param.requires_grad();
                (param.shape(), if trained { "trained" } else { "frozen" })
            }
        };
        let path = path.to_owned();
        lines.push(Line { path, shape, kind });
    };
    model.visit(&mut Visitor::new(&mut see));
    lines
}

/// The bytes of so many numbers, in the largest unit that leaves one.
fn memory<T>(count: usize) -> String {
    let bytes = (count * size_of::<T>()) as f64;
    let units = ["B", "KiB", "MiB", "GiB"];
    let unit = (1..units.len())
        .take_while(|&unit| bytes >= 1024.0_f64.powi(unit as i32))
        .count();
    let value = bytes / 1024.0_f64.powi(unit as i32);
    match unit {
        0 => format!("{value} B"),
        _ => format!("{value:.1} {}", units[unit]),
    }
}
