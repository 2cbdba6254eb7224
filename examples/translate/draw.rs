//! Where the model looks, as a picture.

use std::error::Error;
use std::io::Write;
use std::path::Path;

use lexigrad::nn::write_whole;
use plotters::prelude::*;

/// The side of a square, and how wide a letter is at most.
const CELL: i32 = 36;
const LETTER: i32 = 10;

/// A square for each target token (down) and source token (across), the darker the more the model looks there.
///
/// `weights` has a row for each target token.
pub fn attention(
    path: &Path,
    weights: &[f32],
    source: &[&str],
    target: &[&str],
) -> Result<(), Box<dyn Error>> {
    let widest = |tokens: &[&str]| tokens.iter().map(|token| token.chars().count()).max();
    let room = |tokens: &[&str]| LETTER * (widest(tokens).unwrap_or(0) as i32 + 1);
    let (margin, width) = (room(target), room(source).max(CELL));
    let corner = |row: usize, column: usize| {
        let (across, down) = (column as i32, row as i32 + 1);
        (margin + width * across, CELL * down)
    };
    let (right, bottom) = corner(target.len(), source.len());
    let mut picture = String::new();
    let area = SVGBackend::with_string(&mut picture, (right as u32, bottom as u32));
    let area = area.into_drawing_area();
    area.fill(&WHITE)?;
    let write = |token: &str, (x, y): (i32, i32)| {
        let font = ("sans-serif", 16).into_font();
        area.draw(&Text::new(token.to_owned(), (x, y + CELL / 3), font))
    };
    for (column, token) in source.iter().enumerate() {
        let (x, y) = corner(0, column);
        write(token, (x + LETTER, y - CELL))?;
    }
    for (row, token) in target.iter().enumerate() {
        let (_, y) = corner(row, 0);
        write(token, (LETTER / 2, y))?;
        for column in 0..source.len() {
            let weight = weights[row * source.len() + column].clamp(0.0, 1.0);
            let shade = (255.0 * (1.0 - weight)) as u8;
            let (x, y) = corner(row, column);
            let square = [(x, y), (x + width - 2, y + CELL - 2)];
            let colour = RGBColor(shade, shade, 255);
            area.draw(&Rectangle::new(square, colour.filled()))?;
        }
    }
    area.present()?;
    drop(area);
    Ok(write_whole(path, |file| {
        file.write_all(picture.as_bytes())
    })?)
}
