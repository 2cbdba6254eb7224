//! The report in a real browser: everything is clicked, nothing goes wrong, nothing is asked of the network.
//!
//! `cargo test -p lexigrad-text --test report -- --ignored`, where Chromium is installed (`CHROMIUM` names another program than
//! `chromium`). `REPORT_HTML` names a report to click through in place of the test's own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

use lexigrad_tensor::Ids;
use lexigrad_text::metrics::Confusion;
use lexigrad_text::report::{Curve, Explained, Neighbours, Report, Series, Space};

/// Words that would run, if they were taken for more than text.
const WORDS: [&str; 5] = [
    "good",
    "</script><script>fail()</script>",
    "<img src=http://x.test/ onerror=fail()>",
    "عربي 🙂",
    "\"quoted\" & 'co'",
];

/// Runs in the page after its own script: clicks, types, hovers, and writes down what it saw.
const VISITOR: &str = r#"
<script>
const faults = [];
addEventListener("error", (event) => faults.push(event.message));
addEventListener("securitypolicyviolation", (event) => faults.push(event.violatedDirective));
console.error = (...all) => faults.push(all.join(" "));
const seen = { clicked: 0, hovered: 0, tips: 0 };
const root = document.documentElement;
const themes = new Set();
for (const button of document.querySelectorAll("button")) {
  button.click();
  seen.clicked++;
  themes.add(root.dataset.theme);
}
document.getElementById("theme").click();
themes.add(root.dataset.theme);
const search = document.querySelector("input[type=search]");
if (search) {
  search.value = "goo";
  search.dispatchEvent(new Event("input"));
}
seen.found = document.querySelectorAll("circle.found").length;
const plot = document.getElementById("plot");
if (plot) {
  const before = plot.getAttribute("viewBox");
  plot.dispatchEvent(new WheelEvent("wheel", { deltaY: -1, bubbles: true, cancelable: true }));
  seen.zoomed = before !== plot.getAttribute("viewBox");
}
for (const element of document.querySelectorAll("[tabindex]")) {
  element.dispatchEvent(new PointerEvent("pointermove", { clientX: 9, clientY: 9 }));
  seen.hovered++;
  seen.tips += !tip.hidden && tip.textContent !== "";
  element.dispatchEvent(new PointerEvent("pointerleave"));
}
seen.themes = themes.size;
seen.sections = document.querySelectorAll("section").length;
seen.images = document.images.length;
seen.text = document.body.innerText;
const wide = document.scrollingElement;
seen.overflow = wide.scrollWidth - wide.clientWidth;
seen.requests = performance.getEntriesByType("resource").length;
setTimeout(() => {
  const output = document.createElement("pre");
  output.id = "seen";
  output.textContent = JSON.stringify({ ...seen, faults });
  document.body.append(output);
}, 50);
</script>
"#;

fn report() -> Report {
    let words: Vec<String> = WORDS.iter().map(|&word| word.to_owned()).collect();
    let mut confusion = Confusion::new(2);
    confusion
        .add(
            &Ids::new([0, 0, 1, 1]).unwrap(),
            &Ids::new([0, 1, 1, 1]).unwrap(),
        )
        .unwrap();
    let mut report = Report::new(format!("Report {}", WORDS[1]));
    report
        .setting("model", WORDS[2])
        .setting("epochs", 3)
        .metric("accuracy", 0.75)
        .metric("nothing", f64::NAN);
    let series = |name: &str, values: &[f64]| Series {
        name: name.into(),
        values: values.to_vec(),
    };
    report.curve(Curve {
        title: "loss".into(),
        series: vec![
            series("train", &[0.7, f64::NAN, 0.4]),
            series("dev", &[0.8, 0.6, 0.5]),
        ],
    });
    report.curve(Curve {
        title: "empty".into(),
        series: Vec::new(),
    });
    report.confusion(&["bad".to_owned(), WORDS[1].to_owned()], &confusion);
    let points: Vec<[f64; 2]> = (0..words.len())
        .map(|i| [i as f64, (i * i) as f64 - 3.0])
        .collect();
    report.space(Space {
        counts: vec![3; words.len()],
        values: vec![0.5, -1.0, 0.0, f64::NAN, 0.2],
        value_name: "pull".into(),
        pictures: vec![
            ("PCA".into(), points.clone()),
            ("t-SNE".into(), points.into_iter().rev().collect()),
        ],
        words: words.clone(),
    });
    let near = vec![(WORDS[3].to_owned(), 0.9), (WORDS[4].to_owned(), 0.1)];
    report.neighbours(Neighbours {
        word: "good".into(),
        before: near.clone(),
        after: near,
    });
    report.explained(Explained {
        contributions: vec![0.5, -0.2, f64::INFINITY, 0.0, 0.1],
        tokens: words,
        label: "bad".into(),
        predicted: WORDS[1].into(),
        probability: 0.93,
    });
    report
}

/// What the visitor saw in a window so many pixels wide.
fn visit(html: &str, width: u32) -> serde_json::Value {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("report.html");
    std::fs::write(&page, html.replace("</body>", &format!("{VISITOR}</body>"))).unwrap();
    let program = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    let output = Command::new(&program)
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-sync",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .arg(format!("--window-size={width},900"))
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("profile").display()
        ))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let dom = String::from_utf8_lossy(&output.stdout);
    let seen = dom
        .split_once("<pre id=\"seen\">")
        .unwrap_or_else(|| panic!("the page did not run: {dom}"))
        .1;
    let seen = seen.split_once("</pre>").unwrap().0;
    let seen = seen
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    serde_json::from_str(&seen).unwrap()
}

#[test]
#[ignore = "needs Chromium: cargo test -p lexigrad-text --test report -- --ignored"]
fn a_reader_clicks_through_everything_and_nothing_fails() {
    let own = std::env::var("REPORT_HTML").ok();
    let html = own.as_ref().map_or_else(
        || report().to_html(),
        |path| std::fs::read_to_string(path).unwrap(),
    );
    for width in [500, 1600] {
        let seen = visit(&html, width);
        assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
        assert_eq!(
            (seen["requests"].as_u64(), seen["images"].as_u64()),
            (Some(0), Some(0)),
            "{seen}"
        );
        assert_eq!(seen["overflow"], 0, "wider than a window of {width}");
        assert_eq!(seen["themes"], 2, "both themes were shown");
        assert_eq!(
            seen["tips"], seen["hovered"],
            "everything that can be hovered says something"
        );
        if own.is_none() {
            assert_eq!(seen["sections"], 6);
            assert_eq!(seen["found"], 1);
            assert_eq!(seen["zoomed"], true);
            let text = seen["text"].as_str().unwrap();
            assert!(WORDS.iter().all(|word| text.contains(word)), "{text}");
        }
    }
}

#[test]
#[ignore = "needs Chromium: cargo test -p lexigrad-text --test report -- --ignored"]
fn an_empty_report_is_a_page_too() {
    let seen = visit(&Report::new("nothing yet").to_html(), 800);
    assert_eq!(seen["faults"], serde_json::json!([]));
    assert!(seen["text"].as_str().unwrap().contains("nothing yet"));
}
