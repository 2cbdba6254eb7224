//! Where the model looks, as a picture.

use std::error::Error;
use std::path::Path;

use plotters::prelude::*;

const CELL: i32 = 36;
const MARGIN: i32 = 70;

/// A square for each target token (down) and source token (across), the darker the more the model looks there.
pub fn attention(
    path: &Path,
    weights: &[Vec<f32>],
    source: &[String],
    target: &[&str],
) -> Result<(), Box<dyn Error>> {
    let size = |count: usize| (MARGIN + CELL * count as i32 + CELL) as u32;
    let area = SVGBackend::new(path, (size(source.len()), size(target.len()))).into_drawing_area();
    area.fill(&WHITE)?;
    let font = ("sans-serif", 16).into_font();
    let centre = |place: usize| MARGIN + CELL * place as i32;
    for (place, token) in source.iter().enumerate() {
        area.draw(&Text::new(
            token.as_str(),
            (centre(place) + CELL / 3, MARGIN - 24),
            font.clone(),
        ))?;
    }
    for (row, (token, weights)) in target.iter().zip(weights).enumerate() {
        area.draw(&Text::new(
            *token,
            (12, centre(row) + CELL / 3),
            font.clone(),
        ))?;
        for (column, &weight) in weights.iter().enumerate() {
            let shade = (255.0 * (1.0 - weight.clamp(0.0, 1.0))) as u8;
            let corner = (centre(column), centre(row));
            let square = [corner, (corner.0 + CELL - 2, corner.1 + CELL - 2)];
            area.draw(&Rectangle::new(
                square,
                RGBColor(shade, shade, 255).filled(),
            ))?;
        }
    }
    Ok(area.present()?)
}
