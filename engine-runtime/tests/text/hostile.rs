//! Tokenizers and chat templates that are damaged or made to do harm: errors that name the file, no panic, no run
//! without end.

use std::fs;
use std::path::PathBuf;

use engine_runtime::chat::{ChatTemplate, Message, Rendering};
use engine_runtime::text::{Detokenize, SpecialTokens};
use engine_runtime::tokenizer::{Around, Tokenizer};
use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }
}

/// A tokenizer of single bytes and two merges, with a template in its config.
fn write_tokenizer(folder: &Folder) {
    let vocab = json!({"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "<0xE2>": 5});
    let tokenizer = json!({
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 3, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "normalizer": {"type": "NFC"}, "post_processor": null,
        "added_tokens": [{"id": 6, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "\\s+"}, "behavior": "Isolated", "invert": false},
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
                  "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": true, "ignore_merges": false,
                  "vocab": vocab, "merges": [["a", "b"], ["ab", "c"]]},
    });
    folder.put("tokenizer.json", tokenizer.to_string());
    let template =
        "{% for m in messages %}{{ bos_token ~ m.role }}: {{ m.content|trim }}{% endfor %}";
    let config = json!({
        "bos_token": {"content": "<s>", "special": true},
        "chat_template": [{"name": "tools", "template": "no"}, {"name": "default", "template": template}],
    });
    folder.put("tokenizer_config.json", config.to_string());
}

fn rendering() -> Rendering {
    Rendering {
        add_generation_prompt: true,
        tools: Vec::new(),
        variables: serde_json::Map::new(),
        now: std::time::UNIX_EPOCH,
    }
}

#[test]
fn tokenizers_and_templates_are_sound_before_they_are_damaged() {
    let folder = Folder::new();
    write_tokenizer(&folder);
    let tokenizer = Tokenizer::open(folder.dir.path()).unwrap();
    let tokens = tokenizer.encode("abcabcabcabc", Around::Leave).unwrap();
    assert_eq!(
        tokens,
        [4, 4, 4, 4],
        "the tokenizer's own truncation is off"
    );
    let template = ChatTemplate::open(folder.dir.path()).unwrap().unwrap();
    let prompt = template
        .render(&[Message::new("user", " hi ")], &rendering())
        .unwrap();
    assert_eq!(prompt, "<s>user: hi");
}

#[test]
fn every_truncation_is_an_error_and_no_panic() {
    let folder = Folder::new();
    write_tokenizer(&folder);
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        let whole = fs::read(folder.path(file)).unwrap();
        for len in 0..whole.len() {
            folder.put(file, &whole[..len]);
            let message = match file {
                "tokenizer.json" => Tokenizer::open(folder.dir.path())
                    .err()
                    .unwrap()
                    .to_string(),
                _ => ChatTemplate::open(folder.dir.path())
                    .unwrap_err()
                    .to_string(),
            };
            assert!(
                message.contains(file),
                "{file} cut to {len} bytes: {message}"
            );
        }
        folder.put(file, &whole);
    }
}

#[test]
fn templates_have_bounds() {
    let folder = Folder::new();
    let render = |template: &str, content: &str| {
        folder.put("chat_template.jinja", template);
        let template = ChatTemplate::open(folder.dir.path()).unwrap().unwrap();
        template
            .render(&[Message::new("user", content)], &rendering())
            .map_err(|error| error.to_string())
    };
    for (what, template) in [
        (
            "steps",
            "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
        ),
        (
            "output",
            "{% for a in range(90000) %}{{ messages[0].content }}{% endfor %}",
        ),
        (
            "text",
            "{% set ns = namespace(x='aaaaaaaaaa') %}{% for a in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        ),
        ("product", "{{ 'a' * 100000000000 }}"),
        (
            "recursion",
            "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        ),
        ("json", "{{ messages|tojson(indent=1000000000) }}"),
        ("date", "{{ strftime_now('%Q') }}"),
        ("undefined", "{{ messages[5].content }}"),
    ] {
        let result = render(template, &"x".repeat(100));
        assert!(
            result
                .as_ref()
                .is_err_and(|error| error.contains("chat_template.jinja")),
            "{what}: {result:.100?}"
        );
    }
    let long = "long ".repeat(1 << 20);
    assert_eq!(
        render("{{ messages[0].content|trim }}", &long).unwrap(),
        long.trim(),
        "a long chat is no attack"
    );
    let refused = render(
        "{{ raise_exception('only ' ~ messages[0].content) }}",
        "cats",
    )
    .unwrap_err();
    assert_eq!(
        refused,
        "the model's chat template refuses this chat: only cats"
    );
    folder.put("chat_template.jinja", "{% for %}");
    let message = ChatTemplate::open(folder.dir.path())
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("does not compile: syntax error in line 1"),
        "{message}"
    );
}

#[test]
fn templates_write_values_as_python_does() {
    let folder = Folder::new();
    for (template, expected) in [
        (
            "{{ true }} {{ none }} {{ [1, 'a', \"it's\", {'k': false}] }}",
            "True None [1, 'a', \"it's\", {'k': False}]",
        ),
        (
            "{{ messages|tojson }}",
            r#"[{"role": "user", "content": "<é> & 'q'"}]"#,
        ),
        (
            "{{ {'a': [1, {}]}|tojson(indent=2) }}",
            "{\n  \"a\": [\n    1,\n    {}\n  ]\n}",
        ),
        (
            "{%- for m in messages -%}\n  {%- generation -%} {{ m.role }} {%- endgeneration -%}\n{%- endfor -%}",
            "user",
        ),
        (
            "{{ strftime_now('%d %b %Y') }}{{ tools is none }}{{ nothing is defined }}",
            "01 Jan 1970TrueFalse",
        ),
        (
            "{% for x in [1, 2, 3] %}{% if x == 2 %}{% break %}{% endif %}{{ x }}{% endfor %}",
            "1",
        ),
        (
            "{{ messages[0].content.split(' ')[::-1]|join('-') }}",
            "'q'-&-<é>",
        ),
    ] {
        folder.put("chat_template.jinja", template);
        let compiled = ChatTemplate::open(folder.dir.path()).unwrap().unwrap();
        let text = compiled
            .render(&[Message::new("user", "<é> & 'q'")], &rendering())
            .unwrap();
        assert_eq!(text, expected, "{template}");
    }
}

/// Changes bytes of a file: where, as a share of its length, and to what.
fn flip(bytes: &mut [u8], flips: &[(f64, u8)]) {
    let len = bytes.len() as f64;
    for &(share, byte) in flips {
        bytes[(share * len) as usize] = byte;
    }
}

/// Bytes to change; those that mean something to JSON come up as often as any others.
fn flips() -> impl Strategy<Value = Vec<(f64, u8)>> {
    let byte = prop_oneof![
        any::<u8>(),
        prop::sample::select(&b"\"{}[],:0129-.eE\\"[..])
    ];
    prop::collection::vec((0.0..1.0f64, byte), 1..4)
}

/// A folder in which these bytes of one file are changed.
fn damaged(file: &str, flips: &[(f64, u8)]) -> Folder {
    let folder = Folder::new();
    write_tokenizer(&folder);
    let mut bytes = fs::read(folder.path(file)).unwrap();
    flip(&mut bytes, flips);
    folder.put(file, &bytes);
    folder
}

/// What holds of every tokenizer that opens, sound or damaged: it encodes to tokens that have names, or says whose
/// fault it is; streams and whole texts are the same; and no call panics.
fn check_tokenizer(tokenizer: &Tokenizer) -> Result<(), TestCaseError> {
    let blamed = |error: &dyn std::error::Error| error.to_string().contains("tokenizer.json");
    let mut ids = vec![0, 6, 3, 5, 99];
    match tokenizer.encode("abcab <s>c", Around::Add) {
        Ok(encoded) => {
            for &id in &encoded {
                prop_assert!(tokenizer.token_name(id).is_some(), "{id} has no name");
            }
            ids.extend(encoded);
        }
        Err(error) => prop_assert!(blamed(&error), "{error}"),
    }
    for special in [SpecialTokens::Keep, SpecialTokens::Skip] {
        let mut stream = tokenizer.stream(special);
        let mut streamed = String::new();
        ids.iter().for_each(|&id| stream.push(id, &mut streamed));
        stream.finish(&mut streamed);
        match tokenizer.decode(&ids, special) {
            Ok(whole) => prop_assert_eq!(streamed, whole),
            Err(error) => prop_assert!(blamed(&error), "{error}"),
        }
    }
    Ok(())
}

#[test]
fn the_sound_tokenizer_holds_what_damaged_ones_are_held_to() {
    let folder = Folder::new();
    write_tokenizer(&folder);
    check_tokenizer(&Tokenizer::open(folder.dir.path()).unwrap()).unwrap();
}

proptest! {
    #![proptest_config(testbed::properties(400))]

    #[test]
    fn a_damaged_tokenizer_is_refused_by_name_or_works(flips in flips()) {
        let folder = damaged("tokenizer.json", &flips);
        match Tokenizer::open(folder.dir.path()) {
            Ok(tokenizer) => check_tokenizer(&tokenizer)?,
            Err(error) => prop_assert!(error.to_string().contains("tokenizer.json"), "{error}"),
        }
    }

    #[test]
    fn a_damaged_template_is_refused_by_name_or_works(flips in flips()) {
        let folder = damaged("tokenizer_config.json", &flips);
        let rendered = match ChatTemplate::open(folder.dir.path()) {
            Ok(Some(template)) => template.render(&[Message::new("user", "hi")], &rendering()),
            Ok(None) => return Ok(()),
            Err(error) => {
                prop_assert!(error.to_string().contains("tokenizer_config.json"), "{error}");
                return Ok(());
            }
        };
        if let Err(error) = rendered {
            prop_assert!(error.to_string().contains("template"), "{error}");
        }
    }
}
