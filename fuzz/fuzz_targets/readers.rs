//! Every reader of texts; an error is the last item of each.
#![no_main]

use lexigrad_text::read::{
    Columns, ColumnsOptions, Csv, JsonLines, LabelledTexts, LineOptions, Lines, Tsv,
};
use libfuzzer_sys::fuzz_target;

fn drain<T>(items: impl Iterator<Item = lexigrad_text::Result<T>>) {
    let mut is_over = false;
    for item in items {
        assert!(!is_over, "an item after an error");
        is_over = item.is_err();
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&options, bytes)) = bytes.split_first() else {
        return;
    };
    let options = LineOptions {
        longest: if options & 1 == 0 {
            1 << 20
        } else {
            usize::from(options)
        },
        skip_blank: options & 2 == 0,
    };
    let lines = || Lines::new(bytes, "fuzz", options);
    drain(lines());
    drain(Tsv::new(lines()));
    drain(Csv::new(lines()));
    drain(JsonLines::<_, serde_json::Value>::new(lines()));
    let columns = ColumnsOptions {
        comments: bytes.len() % 2 == 0,
        skip_document_starts: bytes.len() % 3 == 0,
    };
    drain(Columns::new(lines(), columns));
    if let Ok(texts) = LabelledTexts::read(bytes, "fuzz") {
        assert!(texts.labels.len() > 1 && texts.labels.is_sorted());
        assert!(
            texts
                .examples
                .iter()
                .all(|example| (example.label as usize) < texts.labels.len())
        );
    }
});
