//! The report in a real browser: everything is looked at, nothing goes wrong, nothing is asked of the network.
//!
//! `cargo test -p lexigrad-text --test report -- --ignored`, where Chromium is installed (`CHROMIUM` names another program than
//! `chromium`). `REPORT_HTML` names a report to look through in place of the test's own.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod browser;

use std::path::{Path, PathBuf};

use browser::Browser;
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

/// A report in a file, which goes with the folder.
fn written(report: &Report) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    report.save(&path).unwrap();
    (folder, path)
}

/// How many elements a selector finds.
fn count(browser: &mut Browser, selector: &str) -> u64 {
    let expression = format!("document.querySelectorAll({selector:?}).length");
    browser.value(&expression).as_u64().unwrap()
}

/// The text of an element, as it is seen.
fn text(browser: &mut Browser, selector: &str) -> String {
    let expression = format!("document.querySelector({selector:?}).innerText");
    browser.value(&expression).as_str().unwrap().to_owned()
}

/// Puts the mouse on every element that a selector finds, and sees that something is said of each.
fn hover_over_all(browser: &mut Browser, selector: &str) -> Vec<String> {
    let hints = (0..count(browser, selector)).map(|index| {
        browser.hover("document.querySelector('h1')");
        browser.wait("document.getElementById('tip').hidden");
        browser.hover(&format!("document.querySelectorAll({selector:?})[{index}]"));
        browser.wait("!document.getElementById('tip').hidden");
        text(browser, "#tip")
    });
    hints.collect()
}

const PLOT: &str = "document.getElementById('plot')";
const FIRST_WORD: &str = "document.querySelector('#plot circle')";

/// Where the first word stands in the plot.
fn place(browser: &mut Browser) -> (f64, f64) {
    browser.draw();
    let of = |name| format!("Number({FIRST_WORD}.getAttribute('{name}'))");
    let x = browser.value(&of("cx")).as_f64().unwrap();
    (x, browser.value(&of("cy")).as_f64().unwrap())
}

fn switch_theme(browser: &mut Browser, path: &Path, first: &str, other: &str) {
    let theme = "document.documentElement.dataset.theme";
    assert_eq!(browser.value(theme), first, "the system's theme");
    browser.click("document.getElementById('theme')");
    assert_eq!(browser.value(theme), other);
    // The browser's processes pass on what is stored in the background: a page that is loaded at once may still read what was there before.
    let is_remembered = (0..50).any(|_| {
        browser.go(path);
        browser.value(theme) == other
    });
    assert!(is_remembered, "a choice is remembered");
    browser.click("document.getElementById('theme')");
    assert_eq!(browser.value(theme), first);
}

fn look_around_in_the_plane(browser: &mut Browser) {
    let mut last = place(browser);
    let mut moved = |browser: &mut Browser, what: &str| {
        let now = place(browser);
        assert_ne!(now, last, "{what}");
        last = now;
    };
    for tab in (0..count(browser, "[role=tab]")).rev() {
        let tab = format!("document.querySelectorAll('[role=tab]')[{tab}]");
        browser.click(&tab);
        let chosen = browser.value(&format!("{tab}.getAttribute('aria-selected')"));
        assert_eq!(chosen, "true");
    }
    browser.press("ArrowRight");
    moved(browser, "the arrow goes to the next tab");
    for name in ["Come nearer", "Go farther", "Come nearer"] {
        browser.click(&format!(
            "document.querySelector('[aria-label=\"{name}\"]')"
        ));
        moved(browser, name);
    }
    let (x, y) = browser.hover(PLOT);
    browser.mouse("mouseWheel", x, y, -100);
    moved(browser, "the wheel");
    browser.mouse("mousePressed", x, y, 0);
    browser.drag(x + 30.0, y + 20.0);
    browser.mouse("mouseReleased", x + 30.0, y + 20.0, 0);
    moved(browser, "dragging");
    browser.value(&format!("{PLOT}.focus()"));
    browser.press("ArrowRight");
    moved(browser, "an arrow key");
    browser.click("document.querySelector('[aria-label=\"Show all words\"]')");
    moved(browser, "all");
}

fn find_a_word(browser: &mut Browser) {
    browser.click("document.querySelector('input[type=search]')");
    browser.write("goo");
    assert_eq!(count(browser, "circle.found"), 1);
    assert_eq!(
        text(browser, "[role=status].note"),
        "good: seen 3 times, pull +0.5"
    );
    let before = place(browser);
    browser.press("Enter");
    assert_ne!(place(browser), before, "Enter goes to the word");
    browser.write("xyz");
    assert_eq!(text(browser, "[role=status].note"), "No such word");
}

/// The whole page, as a reader with a mouse and a keyboard uses it.
fn read_through(browser: &mut Browser) {
    assert_eq!(count(browser, "section"), 6);
    let seen = text(browser, "body");
    assert!(WORDS.iter().all(|word| seen.contains(word)), "{seen}");
    assert_eq!(count(browser, "img"), 0);

    look_around_in_the_plane(browser);
    let words = hover_over_all(browser, "#plot circle");
    assert_eq!(words[3], "عربي 🙂: seen 3 times, pull not finite");
    find_a_word(browser);
    let dots = hover_over_all(browser, ".charts circle");
    assert_eq!(dots.len(), 5, "a value that is NaN has no dot: {dots:?}");
    assert_eq!(dots[1], "train, epoch 3: 0.4");
    let cells = hover_over_all(browser, ".counts tbody td:not(:last-child)");
    assert_eq!(cells[0], "1 of 2 bad taken for bad: 50.0\u{a0}%");
    let near = hover_over_all(browser, ".words td span");
    assert_eq!(near[0], "عربي 🙂: similarity 0.9");
    let tokens = hover_over_all(browser, ".token");
    assert!(tokens[0].starts_with("good: +0.5 to the score of </script>"));
    browser.value("document.querySelector('.token').focus()");
    browser.press("ArrowRight");
    browser.wait("document.activeElement === document.querySelectorAll('.token')[1]");
    assert!(text(browser, "#tip").starts_with("</script><script>fail()</script>: -0.2"));
    browser.press("Escape");
    browser.wait("document.getElementById('tip').hidden");
}

#[test]
#[ignore = "needs Chromium: cargo test -p lexigrad-text --test report -- --ignored"]
fn a_reader_looks_at_everything_and_nothing_fails() {
    let (_folder, path) = written(&report());
    for (width, theme, other) in [(400, "light", "dark"), (1600, "dark", "light")] {
        let mut browser = Browser::open(width, theme);
        browser.go(&path);
        switch_theme(&mut browser, &path, theme, other);
        read_through(&mut browser);
        let wide = browser.value("document.scrollingElement.scrollWidth - innerWidth");
        assert!(wide.as_f64().unwrap() <= 0.0, "wider than {width}: {wide}");
        assert_eq!(browser.faults(), Vec::<serde_json::Value>::new());
    }
}

#[test]
#[ignore = "needs Chromium: cargo test -p lexigrad-text --test report -- --ignored"]
fn an_empty_report_is_a_page_too() {
    let own = std::env::var("REPORT_HTML").ok().map(PathBuf::from);
    let (_folder, empty) = written(&Report::new("nothing yet"));
    let mut browser = Browser::open(800, "light");
    browser.go(&empty);
    assert_eq!(count(&mut browser, "section"), 0);
    assert_eq!(text(&mut browser, "h1"), "nothing yet");
    if let Some(own) = own {
        browser.go(&own);
        assert!(count(&mut browser, "section") > 0);
    }
    assert_eq!(browser.faults(), Vec::<serde_json::Value>::new());
}

#[test]
#[ignore = "needs Chromium: cargo test -p lexigrad-text --test report -- --ignored"]
fn a_fault_in_a_page_would_be_seen() {
    let (_folder, path) = written(&Report::new("broken"));
    let html = std::fs::read_to_string(&path).unwrap();
    for fault in [
        "<script>console.log('said')</script>",
        "<script>throw new Error('thrown')</script>",
        "<script>setTimeout(() => missing())</script>",
        "<img src='missing.png'>",
    ] {
        std::fs::write(&path, html.replace("</body>", &format!("{fault}</body>"))).unwrap();
        let mut browser = Browser::open(800, "light");
        browser.go(&path);
        browser.value("window.late = false; setTimeout(() => { window.late = true; })");
        browser.wait("window.late");
        assert!(!browser.faults().is_empty(), "{fault}");
    }
}
