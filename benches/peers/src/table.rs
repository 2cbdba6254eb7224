//! The results, for people and for programs.

use crate::driver::{Measured, Row};
use crate::limits::Limits;

/// A relative difference of losses above this means that two peers do not do the same work.
const SAME: f64 = 1e-3;

/// The heading of the table, in Markdown.
pub fn heading(peers: &[String]) -> String {
    let peers = &peers[1..];
    format!(
        "| step | threads | lexigrad | {} | best peer / lexigrad | of the limit | memory |\n|---|---|---|{}---|---|---|",
        peers.join(" | "),
        "---|".repeat(peers.len()),
    )
}

/// One line of the table.
pub fn line(row: &Row, peers: &[String], limits: Option<&Limits>) -> String {
    let cell = |peer: &String| row.measured.iter().find(|measured| measured.peer == *peer);
    let ours = cell(&peers[0]);
    let mut cells = vec![row.name.clone(), row.threads.to_string()];
    let compared = ours.filter(|_| !row.case.is_whole());
    cells.extend(peers.iter().map(|peer| time(cell(peer), compared)));
    let others = peers[1..].iter().filter_map(cell);
    let best = others.min_by(|a, b| a.seconds.total_cmp(&b.seconds));
    cells.push(match (ours, best) {
        (Some(ours), Some(best)) => {
            let lower = best.quartiles[0] / ours.quartiles[0];
            format!("{:.2} ({lower:.2})", best.seconds / ours.seconds)
        }
        _ => "-".into(),
    });
    let floor = limits.and_then(|limits| limits.floor(&row.case, row.operations));
    cells.push(match (ours, floor) {
        (Some(ours), Some((seconds, bound))) => {
            format!("{:.0} % of {bound}", 100.0 * seconds / ours.seconds)
        }
        _ => "overhead".into(),
    });
    cells.push(match (ours, best) {
        (Some(ours), Some(best)) => {
            format!("{} / {} MiB", ours.peak_bytes >> 20, best.peak_bytes >> 20)
        }
        _ => "-".into(),
    });
    format!("| {} |", cells.join(" | "))
}

/// `1.23 (1.20) ms`, the median and the lower quartile, with a mark where the losses differ from ours.
fn time(measured: Option<&Measured>, ours: Option<&Measured>) -> String {
    let Some(measured) = measured else {
        return "-".into();
    };
    let same = ours.is_none_or(|ours| {
        measured
            .values
            .iter()
            .zip(&ours.values)
            .all(|(theirs, ours)| (theirs - ours).abs() <= SAME * ours.abs().max(1.0))
    });
    let (middle, lower) = (measured.seconds, measured.quartiles[0]);
    let text = match middle {
        s if s >= 1.0 => format!("{s:.2} ({lower:.2}) s"),
        s if s >= 1e-3 => format!("{:.3} ({:.3}) ms", 1e3 * s, 1e3 * lower),
        s => format!("{:.2} ({:.2}) µs", 1e6 * s, 1e6 * lower),
    };
    if same {
        text
    } else {
        format!("{text} (other losses)")
    }
}
