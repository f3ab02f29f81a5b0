//! Tokenizers and chat templates against what tokenizers and transformers make of the same texts and chats.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use engine_runtime::chat::{ChatTemplate, Message, Rendering};
use engine_runtime::text::{Detokenize, SpecialTokens};
use engine_runtime::tokenizer::{Around, Tokenizer};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Golden {
    texts: Vec<Text>,
    chats: Vec<Chat>,
}

#[derive(Deserialize)]
struct Text {
    text: String,
    ids: Vec<u32>,
    ids_with_special: Vec<u32>,
    decoded: String,
    decoded_without_special: String,
    /// The text of the first n tokens, for every n.
    prefixes: Vec<String>,
}

#[derive(Deserialize)]
struct Chat {
    messages: Vec<Message>,
    add_generation_prompt: bool,
    rendered: Option<String>,
    ids: Option<Vec<u32>>,
    error: Option<String>,
}

/// Folders with a tokenizer and a template.
fn folders() -> Vec<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders: Vec<_> = goldens()
        .into_iter()
        .map(|golden| match golden.ends_with("demo") {
            true => here.join("../models/demo"),
            false => golden,
        })
        .collect();
    assert!(folders.len() >= 4);
    folders
}

/// Folders with a golden.json; the demo model's tokenizer lies elsewhere.
fn goldens() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers");
    let mut goldens: Vec<_> = std::fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    goldens.sort();
    goldens
}

/// The same tokenizers with decoders that make text in ways of which nothing is known.
fn strange() -> Vec<Tokenizer> {
    let fuse = json!({"type": "Fuse"});
    let level = json!({"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true});
    let metaspace =
        json!({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true});
    let mut strange = Vec::new();
    for folder in folders() {
        let bytes = std::fs::read(folder.join("tokenizer.json")).unwrap();
        let tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
        let mut fallback = tokenizer["decoder"]["decoders"].as_array().cloned();
        let decoders = match &mut fallback {
            // Fused once more it is the same text.
            Some(decoders) => {
                decoders.push(fuse.clone());
                vec![
                    json!({"type": "Sequence", "decoders": decoders}),
                    metaspace.clone(),
                    Value::Null,
                ]
            }
            None => vec![json!({"type": "Sequence", "decoders": [level, fuse]})],
        };
        for decoder in decoders {
            let dir = tempfile::tempdir().unwrap();
            let mut changed = tokenizer.clone();
            changed["decoder"] = decoder;
            std::fs::write(dir.path().join("tokenizer.json"), changed.to_string()).unwrap();
            strange.push(Tokenizer::open(dir.path()).unwrap());
        }
    }
    assert_eq!(strange.len(), 6);
    strange
}

/// Each folder with its golden.
fn cases() -> impl Iterator<Item = (PathBuf, Golden)> {
    let read = |golden: PathBuf| std::fs::read(golden.join("golden.json")).unwrap();
    let goldens = goldens().into_iter().map(read);
    let goldens = goldens.map(|bytes| serde_json::from_slice(&bytes).unwrap());
    folders().into_iter().zip(goldens)
}

/// The pieces that a stream gives for tokens, what it holds back last.
fn pieces(tokenizer: &Tokenizer, ids: &[u32], special: SpecialTokens) -> Vec<String> {
    let mut stream = tokenizer.stream(special);
    let mut pieces: Vec<_> = ids
        .iter()
        .map(|&id| {
            let mut piece = String::new();
            stream.push(id, &mut piece);
            piece
        })
        .collect();
    let mut last = String::new();
    stream.finish(&mut last);
    pieces.push(last);
    pieces
}

#[test]
fn texts_become_the_golden_tokens_and_texts_again() {
    for (folder, golden) in cases() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        for Text {
            text,
            ids,
            ids_with_special,
            decoded,
            decoded_without_special,
            ..
        } in golden.texts
        {
            assert_eq!(
                tokenizer.encode(&text, Around::Leave).unwrap(),
                ids,
                "{text:?}"
            );
            assert_eq!(
                tokenizer.encode(&text, Around::Add).unwrap(),
                ids_with_special,
                "{text:?}"
            );
            assert_eq!(
                tokenizer.decode(&ids, SpecialTokens::Keep).unwrap(),
                decoded
            );
            assert_eq!(
                tokenizer.decode(&ids, SpecialTokens::Skip).unwrap(),
                decoded_without_special
            );
        }
    }
}

#[test]
fn a_stream_passes_through_prefixes_of_the_golden_text() {
    for (folder, golden) in cases() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        for text in golden.texts {
            let mut sum = String::new();
            let pieces = pieces(&tokenizer, &text.ids, SpecialTokens::Keep);
            for (piece, prefix) in pieces.iter().zip(&text.prefixes[1..]) {
                sum.push_str(piece);
                // What the stream holds back of a prefix is what may still change.
                assert!(prefix.starts_with(&sum), "{sum:?} of {prefix:?}");
            }
            sum.push_str(pieces.last().unwrap());
            assert_eq!(sum, text.decoded);
            let skipping = text_of(&tokenizer, &text.ids, SpecialTokens::Skip);
            assert_eq!(skipping, text.decoded_without_special);
        }
    }
}

/// Wherever an output is forked, both go on exactly as one that never was.
#[test]
fn a_forked_stream_goes_on_as_the_first() {
    for (folder, golden) in cases() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        for Text { ids, decoded, .. } in golden.texts.into_iter().take(12) {
            for at in 0..=ids.len() {
                let mut stream = tokenizer.stream(SpecialTokens::Keep);
                let mut text = String::new();
                ids[..at].iter().for_each(|&id| stream.push(id, &mut text));
                let mut forked = stream.fork();
                let mut other = text.clone();
                // Something else first: a fork shares nothing.
                ids[..at]
                    .iter()
                    .rev()
                    .for_each(|&id| forked.push(id, &mut String::new()));
                let mut forked = stream.fork();
                for (stream, text) in [(&mut stream, &mut text), (&mut forked, &mut other)] {
                    ids[at..].iter().for_each(|&id| stream.push(id, text));
                    stream.finish(text);
                    assert_eq!(*text, decoded, "forked at {at}");
                }
            }
        }
    }
}

fn text_of(tokenizer: &Tokenizer, ids: &[u32], special: SpecialTokens) -> String {
    pieces(tokenizer, ids, special).concat()
}

#[test]
fn letters_are_given_out_with_the_token_that_completes_them() {
    for folder in folders() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        let ids = tokenizer
            .encode("engine and checkpoint", Around::Leave)
            .unwrap();
        let pieces = pieces(&tokenizer, &ids, SpecialTokens::Keep);
        assert!(
            pieces[..ids.len()]
                .iter()
                .filter(|piece| piece.is_empty())
                .count()
                <= 1,
            "{pieces:?}"
        );
        assert_eq!(pieces.last().unwrap(), "");
    }
}

#[test]
fn chats_become_the_golden_prompts() {
    for (folder, golden) in cases() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        let template = ChatTemplate::open(&folder).unwrap().unwrap();
        for chat in golden.chats {
            let rendering = Rendering {
                add_generation_prompt: chat.add_generation_prompt,
                tools: Vec::new(),
                variables: serde_json::Map::new(),
                now: SystemTime::UNIX_EPOCH,
            };
            match (template.render(&chat.messages, &rendering), chat.rendered) {
                (Ok(prompt), Some(expected)) => {
                    assert_eq!(prompt, expected, "{}", folder.display());
                    let ids = tokenizer.encode(&prompt, Around::Leave).unwrap();
                    assert_eq!(Some(ids), chat.ids);
                }
                (Err(error), None) => {
                    let message = chat.error.unwrap();
                    assert!(
                        error.to_string().ends_with(&message),
                        "{error} for {message}"
                    );
                }
                (ours, expected) => panic!("{}: {ours:?} for {expected:?}", folder.display()),
            }
        }
    }
}

/// Bytes that never make a character must not make each token dearer than the one before.
#[test]
fn long_streams_of_invalid_bytes_are_exact_and_cheap() {
    for folder in folders() {
        let tokenizer = Tokenizer::open(&folder).unwrap();
        for ids in [
            vec![130; 20_000],
            (0..20_000).map(|i| 3 + i * 97 % 256).collect(),
        ] {
            let text = text_of(&tokenizer, &ids, SpecialTokens::Skip);
            assert_eq!(text, tokenizer.decode(&ids, SpecialTokens::Skip).unwrap());
        }
    }
}

proptest! {
    #![proptest_config(testbed::properties(2000))]

    /// Any tokens, of which most are no text that anybody wrote: broken characters, special tokens anywhere.
    #[test]
    fn streams_give_exactly_the_whole_text(
        shares in prop::collection::vec((0.0..1.0f64, any::<bool>()), 0..24),
        skip in any::<bool>(),
    ) {
        let special = if skip { SpecialTokens::Skip } else { SpecialTokens::Keep };
        thread_local! {
            static TOKENIZERS: Vec<Tokenizer> =
                folders().iter().map(|folder| Tokenizer::open(folder).unwrap()).chain(strange()).collect();
        }
        TOKENIZERS.with(|tokenizers| {
            for tokenizer in tokenizers {
                // Half from the first 260 ids, where the bytes are.
                let size = tokenizer.vocab_size();
                let id = |&(share, low): &(f64, bool)| (share * if low { size.min(260) } else { size + 2 } as f64) as u32;
                let ids: Vec<u32> = shares.iter().map(id).collect();
                let pieces = pieces(tokenizer, &ids, special);
                prop_assert_eq!(pieces.concat(), tokenizer.decode(&ids, special).unwrap(), "{:?}", ids);
            }
            Ok(())
        })?;
    }
}

#[derive(Deserialize)]
struct Settings {
    config: Value,
    special_tokens_map: Option<Value>,
    /// Whether the tokenizer itself says what is put around a text.
    post_processor: bool,
    eos_token_id: Option<u32>,
    ids_with_special: Vec<u32>,
}

/// In transformers 5 `add_bos_token` and `add_eos_token` change nothing where there is a tokenizer.json.
#[test]
fn settings_beside_a_tokenizer_mean_what_transformers_takes_them_for() {
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers/byte-fallback");
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let cases: Vec<Settings> = serde_json::from_slice(&read("settings.json")).unwrap();
    assert!(cases.len() > 40);
    for case in cases {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, value: &Value| {
            std::fs::write(dir.path().join(name), value.to_string()).unwrap();
        };
        let mut tokenizer: Value = serde_json::from_slice(&read("tokenizer.json")).unwrap();
        if !case.post_processor {
            tokenizer["post_processor"] = Value::Null;
        }
        put("tokenizer.json", &tokenizer);
        put("tokenizer_config.json", &case.config);
        if let Some(map) = &case.special_tokens_map {
            put("special_tokens_map.json", map);
        }
        let tokenizer = Tokenizer::open(dir.path()).unwrap();
        assert_eq!(
            tokenizer.eos_token_id(),
            case.eos_token_id,
            "{}",
            case.config
        );
        assert_eq!(
            tokenizer.encode("the engine", Around::Add).unwrap(),
            case.ids_with_special,
            "{}",
            case.config
        );
    }
}

#[derive(Deserialize)]
struct ClientChat {
    template: String,
    messages: Vec<Message>,
    tools: Vec<Value>,
    rendered: String,
}

#[test]
fn chats_as_clients_send_them_become_the_golden_prompts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/tokenizers/chatml");
    let read = std::fs::read(folder.join("clients.json")).unwrap();
    let chats: Vec<ClientChat> = serde_json::from_slice(&read).unwrap();
    assert!(chats.len() > 30);
    let dir = tempfile::tempdir().unwrap();
    for chat in chats {
        std::fs::write(dir.path().join("chat_template.jinja"), &chat.template).unwrap();
        let template = ChatTemplate::open(dir.path()).unwrap().unwrap();
        let rendering = Rendering {
            add_generation_prompt: false,
            tools: chat.tools,
            variables: serde_json::Map::new(),
            now: SystemTime::UNIX_EPOCH,
        };
        let prompt = template.render(&chat.messages, &rendering).unwrap();
        assert_eq!(prompt, chat.rendered, "{:?}", chat.messages);
    }
}

#[test]
fn a_chat_with_tools_takes_the_template_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
    let render = |tools: &[Value]| {
        let rendering = Rendering {
            add_generation_prompt: false,
            tools: tools.to_vec(),
            variables: serde_json::Map::new(),
            now: SystemTime::UNIX_EPOCH,
        };
        let template = ChatTemplate::open(dir.path()).unwrap().unwrap();
        template
            .render(&[Message::new("user", "hi")], &rendering)
            .unwrap()
    };
    let tool = json!({"type": "function", "function": {"name": "f"}});
    let named = json!({"chat_template": [
        {"name": "tool_use", "template": "T{{ tools[0].function.name }}"},
        {"name": "default", "template": "D{{ tools is none }}"},
    ]});
    put("tokenizer_config.json", &named.to_string());
    assert_eq!(render(&[]), "DTrue");
    assert_eq!(render(std::slice::from_ref(&tool)), "Tf");
    put("chat_template.jinja", "J{{ tools is none }}");
    assert_eq!(render(std::slice::from_ref(&tool)), "JFalse");
    std::fs::create_dir(dir.path().join("additional_chat_templates")).unwrap();
    put("additional_chat_templates/tool_use.jinja", "A");
    assert_eq!(render(&[]), "JTrue");
    assert_eq!(render(&[tool]), "A");
}

#[test]
fn messages_that_are_none_are_refused_by_name() {
    let refused = |message: Value| {
        serde_json::from_value::<Message>(message)
            .unwrap_err()
            .to_string()
    };
    for (message, expected) in [
        (json!({"content": "x"}), "a message has no `role`"),
        (json!({"role": 1}), "`role` is 1; allowed is a string"),
        (
            json!({"role": "user", "content": 7}),
            "`content` is 7; allowed is a string, null, or a list of content parts",
        ),
        (
            json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}),
            "a content part of type `image_url` is not supported; this engine reads parts of type `text`",
        ),
        (
            json!({"role": "user", "content": [{"type": "text", "text": 1}]}),
            "a content part of type `text` needs `text` as a string",
        ),
        (
            json!({"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}),
            "`arguments` of the tool call `f` are not valid JSON: EOF while parsing an object at line 1 column 1",
        ),
        (
            json!({"role": "assistant", "tool_calls": {}}),
            "`tool_calls` is not a list of objects with `function`",
        ),
    ] {
        assert_eq!(refused(message), expected);
    }
}
