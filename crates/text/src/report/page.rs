//! The data put into the page.

use std::io::Write;
use std::path::Path;

use serde::Serialize;

use super::data::{Curve, Explained, Neighbours, Space};
use crate::error::Result;
use crate::save::write_whole;
use crate::statistics::Confusion;

/// One script: what draws, the parts of the page, and what puts them there.
const SCRIPT: &str = concat!(
    include_str!("elements.js"),
    include_str!("sections.js"),
    include_str!("space.js"),
    include_str!("page.js"),
);

/// A training as one HTML file that needs no network; parts without data are left out.
///
/// Whatever stands in the data is shown as text, never run.
///
/// ```
/// use lexigrad_text::report::{Curve, Report, Series};
/// let mut report = Report::new("Movie reviews");
/// report.setting("epochs", 3).metric("test accuracy", 0.81);
/// let values = vec![0.7, 0.5, 0.4];
/// report.curve(Curve { title: "loss".into(), series: vec![Series { name: "train".into(), values }] });
/// assert!(report.to_html().starts_with("<!doctype html>"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    title: String,
    settings: Vec<(String, String)>,
    metrics: Vec<(String, f64)>,
    curves: Vec<Curve>,
    confusion: Option<Counts>,
    space: Option<Space>,
    neighbours: Vec<Neighbours>,
    explained: Vec<Explained>,
}

/// A confusion matrix with the names of its classes.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Counts {
    labels: Vec<String>,
    rows: Vec<Vec<u64>>,
}

impl Report {
    /// A report with nothing in it.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            ..Self::default()
        }
    }

    /// Adds a setting of the run.
    pub fn setting(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.settings.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds a number that came of it.
    pub fn metric(&mut self, name: &str, value: f64) -> &mut Self {
        self.metrics.push((name.to_owned(), value));
        self
    }

    /// Adds numbers by epoch.
    pub fn curve(&mut self, curve: Curve) -> &mut Self {
        self.curves.push(curve);
        self
    }

    /// Shows which classes were taken for which, under these names; a class without a name has its number.
    pub fn confusion(&mut self, labels: &[String], confusion: &Confusion) -> &mut Self {
        let name = |class: usize| {
            labels
                .get(class)
                .cloned()
                .unwrap_or_else(|| class.to_string())
        };
        self.confusion = Some(Counts {
            labels: (0..confusion.classes()).map(name).collect(),
            rows: confusion.rows(),
        });
        self
    }

    /// Shows where the words stand.
    pub fn space(&mut self, space: Space) -> &mut Self {
        self.space = Some(space);
        self
    }

    /// Adds a word's neighbours before and after training.
    pub fn neighbours(&mut self, neighbours: Neighbours) -> &mut Self {
        self.neighbours.push(neighbours);
        self
    }

    /// Adds a sentence with what each of its tokens adds.
    pub fn explained(&mut self, explained: Explained) -> &mut Self {
        self.explained.push(explained);
        self
    }

    /// The page.
    pub fn to_html(&self) -> String {
        let json = serde_json::to_string(self).unwrap_or_default();
        // So that no text can end the element that holds the data, or begin a comment in it.
        let json = json
            .replace('<', "\\u003c")
            .replace('\u{2028}', "\\u2028")
            .replace('\u{2029}', "\\u2029");
        let page = include_str!("page.html");
        let parts = [
            ("/* style */", include_str!("style.css")),
            ("/* data */", &json),
            ("/* script */", SCRIPT),
        ];
        let (mut html, mut rest) = (String::new(), page);
        for (place, part) in parts {
            let (before, after) = rest.split_once(place).unwrap_or((rest, ""));
            html.push_str(before);
            html.push_str(part);
            rest = after;
        }
        html + rest
    }

    /// Writes the page, [whole or not at all](lexigrad_nn::write_whole).
    ///
    /// # Errors
    /// If writing fails; then a file that was there is as it was.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write_whole(path.as_ref(), |file| {
            file.write_all(self.to_html().as_bytes())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_data() {
        let mut report = Report::new("</script><script>alert(1)</script>");
        report
            .setting("<!-- \u{2028}", "<img src=x onerror=alert(2)>")
            .metric("loss", f64::NAN);
        let html = report.to_html();
        assert_eq!(
            html.matches("</script>").count(),
            2,
            "the data's and the script's own"
        );
        assert!(
            !html.contains("<img") && !html.contains("<!-- \u{2028}") && !html.contains('\u{2028}')
        );
        let data = html.split_once("type=\"application/json\">").unwrap().1;
        let data = data.split_once("</script>").unwrap().0;
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["title"], "</script><script>alert(1)</script>");
        assert!(data["metrics"][0][1].is_null());
    }

    #[test]
    fn a_report_takes_the_place_of_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        Report::new("one").save(&path).unwrap();
        Report::new("two").save(&path).unwrap();
        assert!(
            std::fs::read_to_string(&path)
                .unwrap()
                .contains("\"title\":\"two\"")
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(
            Report::new("x")
                .save(folder.path().join("no/such/folder.html"))
                .is_err()
        );
    }
}
