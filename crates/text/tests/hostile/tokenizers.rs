//! Hostile `tokenizer.json` files: an error, or tokens; never a panic.

use lexigrad_text::PretrainedTokenizer;
use serde_json::{Value, json};

/// A tokenizer of words in which some parts are others.
fn with(parts: Value) -> Value {
    let mut file = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 1, "film": 2}},
    });
    for (name, part) in parts.as_object().unwrap() {
        file[name] = part.clone();
    }
    file
}

/// What is said of a file when it is loaded, or when it cuts a text.
fn fault(file: &Value) -> Option<String> {
    let bytes = file.to_string();
    let tokenizer = match PretrainedTokenizer::read(bytes.as_bytes(), "tokenizer.json") {
        Ok(tokenizer) => tokenizer,
        Err(error) => return Some(error.to_string()),
    };
    let texts = ["", "a film", "a dull film, é \u{1f600} 東京 aaaa"];
    let outcomes = texts.map(|text| {
        let ids = tokenizer.encode(text, true)?;
        tokenizer.tokens(text)?;
        tokenizer.decode(&ids)
    });
    let fault = outcomes.into_iter().find_map(Result::err);
    fault.map(|error| error.to_string())
}

fn nested(levels: usize) -> String {
    let (open, close) = (r#"{"type":"Sequence","normalizers":["#, "]}");
    let file = with(json!({"normalizer": "HERE"})).to_string();
    file.replace("\"HERE\"", &(open.repeat(levels) + &close.repeat(levels)))
}

fn replace(pattern: &Value, content: &str) -> Value {
    json!({"type": "Replace", "pattern": pattern, "content": content})
}

fn padding(strategy: Value, multiple: Value) -> Value {
    json!({"padding": {
        "strategy": strategy, "direction": "Right", "pad_to_multiple_of": multiple,
        "pad_id": 0, "pad_type_id": 0, "pad_token": "<unk>",
    }})
}

fn truncation(most: u64, stride: u64) -> Value {
    json!({"truncation": {"direction": "Right", "max_length": most, "strategy": "LongestFirst", "stride": stride}})
}

fn template(single: Value, specials: Value) -> Value {
    json!({"post_processor": {
        "type": "TemplateProcessing", "single": single, "pair": [], "special_tokens": specials,
    }})
}

#[test]
fn what_is_told_by_the_file_is_refused() {
    let a = json!({"Sequence": {"id": "A", "type_id": 0}});
    let doubling = vec![replace(&json!({"String": "a"}), "aa"); 60];
    let cases: Vec<(Value, &str)> = vec![
        (
            padding(json!({"Fixed": 1_u64 << 40}), Value::Null),
            "padding.strategy.Fixed is 1099511627776; 1048576 tokens are the most",
        ),
        (
            padding(json!("BatchLongest"), json!(1_u64 << 40)),
            "padding.pad_to_multiple_of is 1099511627776",
        ),
        (
            truncation(4, 4),
            "truncation.stride is 4; it must be below the max_length, 4",
        ),
        (
            json!({"normalizer": {"type": "Sequence", "normalizers": doubling}}),
            "the normalizer can make a text 1.2e18 times as long",
        ),
        (
            json!({"pre_tokenizer": {"type": "Sequence", "pretokenizers": vec![json!({"type": "ByteLevel"}); 60]}}),
            "the pre_tokenizer can make a text 1.2e18 times as long",
        ),
        (
            json!({"post_processor": {"type": "Sequence", "processors": vec![
                template(json!([a, a]), json!({}))["post_processor"].clone(); 60
            ]}}),
            "the post_processor can make a text 1.2e18 times as long",
        ),
        (
            // A trie of 2 GiB.
            json!({"normalizer": {"type": "Sequence", "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": "////fwAAAAA="},
            ]}}),
            "precompiled_charsmap begins with a trie of 2147483647 bytes; its 12 characters cannot hold it",
        ),
        (
            template(
                json!([{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, a]),
                json!({"[CLS]": {"id": "[CLS]", "ids": [4_000_000_000_u32], "tokens": ["[CLS]"]}}),
            ),
            "\"[CLS]\" has the id 4000000000",
        ),
        (
            json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}),
            "the tokenizers crate panics: Precompiled",
        ),
        (
            json!({"normalizer": {"type": "Magic"}}),
            "not a tokenizer: ",
        ),
        (
            json!({"normalizer": replace(&json!({"Regex": "("}), "x")}),
            "not a tokenizer: ",
        ),
        (
            template(
                json!([{"SpecialToken": {"id": "[CLS]", "type_id": 0}}]),
                json!({}),
            ),
            "a template puts \"[CLS]\" around texts",
        ),
        (json!({"version": "2.0"}), "Unknown tokenizer version '2.0'"),
        (
            json!({"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"a": 4_000_000_000_u32}}}),
            "\"a\" has the id 4000000000",
        ),
        (
            json!({"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"a": -1}}}),
            "not a tokenizer: invalid value: integer `-1`",
        ),
        (
            json!({"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"a": 1.5}}}),
            "not a tokenizer: invalid type: floating point",
        ),
        (
            json!({"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"a": 1, "b": 1}}}),
            "id 1 stands for ",
        ),
        (
            json!({"model": {"type": "Unigram", "unk_id": 9, "vocab": [["<unk>", 0.0]]}}),
            "not a tokenizer: ",
        ),
        (
            json!({"model": {"type": "BPE", "vocab": {"a": 0}, "merges": ["a b"]}}),
            "not a tokenizer: ",
        ),
        (
            json!({"model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": ["a b"]}}),
            "not a tokenizer: ",
        ),
        (
            json!({"model": {"type": "Nothing", "vocab": {}}}),
            "not a tokenizer: ",
        ),
        (
            json!({"model": null}),
            "not a tokenizer: invalid type: null",
        ),
        (
            json!({"added_tokens": [{"id": 4_000_000_000_u32, "content": "x", "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true}]}),
            "\"x\" has the id 4000000000",
        ),
    ];
    for (parts, expected) in cases {
        let message = fault(&with(parts.clone()));
        assert!(
            message
                .as_ref()
                .is_some_and(|message| message.contains(expected)),
            "{expected}: {message:?}"
        );
    }
    for levels in [200, 100_000] {
        let message = PretrainedTokenizer::read(nested(levels).as_bytes(), "deep")
            .unwrap_err()
            .to_string();
        assert!(
            message.contains("deep: not a tokenizer: recursion limit exceeded"),
            "{message}"
        );
    }
    for (bytes, expected) in [
        (
            &b""[..],
            "x: not a tokenizer: EOF while parsing a value at line 1 column 0",
        ),
        (b"\x1f\x8b\x08", "x: it is compressed by gzip"),
        (
            b"{\"model\": {\"vocab\": {\"\xff\": 0}}}",
            "x: not a tokenizer: ",
        ),
        (b"[]", "x: not a tokenizer: "),
        (
            br#"{"model": {"type": "WordLevel", "unk_token": "a", "vocab": {"a": 0, "\u0061": 1}}}"#,
            "x: the token \"a\" stands twice; each has one id",
        ),
    ] {
        let message = PretrainedTokenizer::read(bytes, "x")
            .unwrap_err()
            .to_string();
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn what_shows_at_a_text_is_an_error_there_or_nothing() {
    let unigram = |vocab: Value| json!({"model": {"type": "Unigram", "unk_id": 0, "vocab": vocab}});
    let cases = [
        json!({"model": {"type": "WordLevel", "unk_token": "gone", "vocab": {"a": 1}}}),
        json!({"model": {"type": "WordPiece", "unk_token": "gone", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 1_u64 << 60, "vocab": {"a": 1}}}),
        json!({"model": {"type": "WordPiece", "unk_token": "gone", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 0, "vocab": {}}}),
        json!({"model": {"type": "BPE", "unk_token": "gone", "vocab": {"a": 1}, "merges": []}}),
        json!({"model": {"type": "BPE", "continuing_subword_prefix": "éé", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}}),
        unigram(json!([["<unk>", 0.0], ["", 0.0], ["a", -1.0]])),
        unigram(json!([["<unk>", -1e308], ["a", 1e308], ["a", -1e308]])),
        json!({"model": {"type": "Unigram", "unk_id": null, "vocab": []}}),
        template(
            json!([{"SpecialToken": {"id": "[CLS]", "type_id": 0}}]),
            json!({}),
        ),
        template(
            json!([{"SpecialToken": {"id": "[CLS]", "type_id": 0}}]),
            json!({"[CLS]": {"id": "[CLS]", "ids": [], "tokens": []}}),
        ),
        json!({"normalizer": replace(&json!({"Regex": "(a|aa)+$|(?<=x(a*)*)b"}), "x")}),
        json!({"normalizer": replace(&json!({"Regex": "(?:a*)*b"}), "x")}),
        json!({"normalizer": replace(&json!({"String": ""}), "x")}),
        json!({"normalizer": replace(&json!({"Regex": ""}), "xyz")}),
        json!({"normalizer": {"type": "Prepend", "prepend": "\u{0}"}}),
        json!({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAAB4eHh4"}}),
        json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}}),
        json!({"pre_tokenizer": {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false}}),
        json!({"pre_tokenizer": {"type": "Metaspace", "replacement": "a", "prepend_scheme": "always", "split": true}}),
        json!({"decoder": {"type": "Strip", "content": "a", "start": 1_u64 << 40, "stop": 1_u64 << 40}}),
        json!({"decoder": {"type": "Replace", "pattern": {"Regex": ""}, "content": "x"}}),
        json!({"decoder": {"type": "CTC", "pad_token": "", "word_delimiter_token": "", "cleanup": true}}),
        json!({"added_tokens": [{"id": 7, "content": "", "single_word": true, "lstrip": true, "rstrip": true,
            "normalized": true, "special": true}]}),
        truncation(0, 9),
    ];
    for case in cases {
        let message = fault(&with(case.clone()));
        if let Some(message) = message {
            assert!(message.starts_with("tokenizer"), "{case}: {message}");
        }
    }
}

#[test]
fn a_panic_at_a_text_is_an_error_and_the_tokenizer_goes_on() {
    let file = with(json!({"pre_tokenizer": {"type": "FixedLength", "length": 0}})).to_string();
    let tokenizer = PretrainedTokenizer::read(file.as_bytes(), "x").unwrap();
    for _ in 0..2 {
        let message = tokenizer.encode("a film", true).unwrap_err().to_string();
        assert!(
            message.starts_with("tokenizer: the tokenizers crate panics: "),
            "{message}"
        );
        assert_eq!(tokenizer.decode(&[1, 2]).unwrap(), "a film");
    }
}

#[test]
fn padding_and_cutting_are_left_out() {
    for parts in [
        padding(json!({"Fixed": 16}), Value::Null),
        truncation(2, 1),
        truncation(1, 0),
    ] {
        let file = with(parts).to_string();
        let tokenizer = PretrainedTokenizer::read(file.as_bytes(), "x").unwrap();
        assert_eq!(tokenizer.encode("a film a", true).unwrap(), [1, 2, 1]);
        assert_eq!(tokenizer.len(), 3);
    }
}

#[test]
fn ids_of_marks_count_as_rows() {
    let file = with(
        json!({"post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 7], "cls": ["[CLS]", 9]}}),
    );
    let tokenizer = PretrainedTokenizer::read(file.to_string().as_bytes(), "x").unwrap();
    assert_eq!(tokenizer.encode("a film", true).unwrap(), [9, 1, 2, 7]);
    assert_eq!(tokenizer.len(), 10);
}

#[test]
fn ids_with_gaps_count_as_rows() {
    let file = with(
        json!({"model": {"type": "WordLevel", "unk_token": "<unk>", "vocab": {"<unk>": 0, "a": 9}}}),
    );
    let tokenizer = PretrainedTokenizer::read(file.to_string().as_bytes(), "x").unwrap();
    assert_eq!(
        (tokenizer.encode("a", false).unwrap(), tokenizer.len()),
        (vec![9], 10)
    );
}
