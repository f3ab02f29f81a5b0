//! The engine of the default profile on the model in the repository: the whole product, as a newcomer meets it.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn engine(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_engine"))
        .args(args)
        .current_dir(root())
        .stdin(Stdio::null())
        .output()
        .expect("the engine starts")
}

#[track_caller]
fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "the engine failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// What a failed run says.
#[track_caller]
fn failure(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("error: "), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn scratch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// The requests as lines; the answers in their order.
fn batch(name: &str, requests: &[Value]) -> (Output, Vec<Value>) {
    let (input, out) = (
        scratch(&format!("{name}.in")),
        scratch(&format!("{name}.out")),
    );
    let mut lines = Vec::new();
    for request in requests {
        writeln!(lines, "{request}").expect("a vector takes everything");
    }
    fs::write(&input, lines).expect("the scratch folder can be written");
    let _ = fs::remove_file(&out);
    let output = engine(&[
        "batch",
        &input.to_string_lossy(),
        "--out",
        &out.to_string_lossy(),
    ]);
    let answers = fs::read_to_string(&out)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
        .lines()
        .map(|line| serde_json::from_str(line).expect("an answer is JSON"))
        .collect();
    (output, answers)
}

fn chat(question: &str) -> Value {
    json!({ "custom_id": question, "messages": [{ "role": "user", "content": question }] })
}

#[test]
fn the_first_command_answers() {
    let answer = stdout(&engine(&["run", "Does chunked prefill work on Volta?"]));
    assert!(answer.starts_with("No."), "{answer}");
    assert!(
        answer.contains("https://github.com/vllm-project/vllm/issues/2729"),
        "{answer}"
    );
}

#[test]
fn all_210_questions_in_one_batch_get_the_right_verdict() {
    let table = fs::read_to_string(root().join("models/demo/questions.tsv"))
        .expect("the demo model brings its questions");
    let questions: Vec<Vec<&str>> = table
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect())
        .collect();
    assert_eq!(questions.len(), 210);
    let requests: Vec<Value> = questions.iter().map(|question| chat(question[0])).collect();
    let (output, answers) = batch("questions", &requests);
    stdout(&output);
    assert_eq!(answers.len(), 210);
    let mut wrong = Vec::new();
    for (question, answer) in questions.iter().zip(&answers) {
        let [question, verdict, link] = question[..] else {
            panic!("three columns: {question:?}");
        };
        let text = answer["text"].as_str().unwrap_or_default();
        let said = text.split('.').next().unwrap_or_default().to_lowercase();
        if answer["custom_id"] != question || said != verdict || !text.contains(link) {
            wrong.push(format!("{question} -> {text}"));
        }
        assert_eq!(answer["finish_reason"], "stop", "{question}");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The model was trained on the matrix; when that changes, it must be trained anew.
#[test]
fn the_questions_are_those_of_the_matrix() {
    let read =
        |path: &str| fs::read_to_string(root().join(path)).expect("a file of the repository");
    let facts = |text: String, verdict: usize, link: usize| -> Vec<(String, String)> {
        text.lines()
            .skip(1)
            .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>())
            .map(|columns| (columns[verdict].clone(), columns[link].clone()))
            .collect()
    };
    assert_eq!(
        facts(read("models/demo/questions.tsv"), 1, 2),
        facts(read("engine-spec/matrix/cells.tsv"), 3, 4)
    );
}

#[test]
fn json_holds_what_the_stream_showed() {
    let question = "Does LoRA work on CPU?";
    let text = stdout(&engine(&["run", question]));
    let json = stdout(&engine(&[
        "run",
        question,
        "--format",
        "json",
        "--logprobs",
        "3",
        "--top-k",
        "-1",
    ]));
    let answer: Value = serde_json::from_str(&json).expect("one JSON object");
    assert_eq!(answer["text"], text.trim_end_matches('\n'));
    assert_eq!(answer["finish_reason"], "stop");
    let tokens = answer["token_ids"].as_array().expect("token ids").len();
    let logprobs = answer["logprobs"].as_array().expect("logprobs");
    assert!(tokens > 5);
    assert_eq!(logprobs.len(), tokens);
    for position in logprobs {
        let top = position["top_logprobs"].as_array().expect("candidates");
        assert_eq!(top.len(), 3);
        // The answer is greedy, so the chosen token is the likeliest one.
        assert_eq!(position["rank"], 1);
        assert_eq!(position["token_id"], top[0]["token_id"]);
        assert_eq!(position["logprob"], top[0]["logprob"]);
    }
    assert!(
        answer["prompt_token_ids"]
            .as_array()
            .is_some_and(|ids| ids.len() > 5)
    );
}

#[test]
fn several_sequences_are_choices() {
    let sampled = [
        "--temperature",
        "1.5",
        "--seed",
        "7",
        "-n",
        "3",
        "--format",
        "json",
    ];
    let args = [&["run", "Does LoRA work on CPU?"], &sampled[..]].concat();
    let once = stdout(&engine(&args));
    assert_eq!(
        once,
        stdout(&engine(&args)),
        "a seed makes sampling repeatable"
    );
    let answer: Value = serde_json::from_str(&once).expect("one JSON object");
    assert_eq!(answer["choices"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_raw_prompt_is_continued_as_it_is() {
    let args = [
        "run",
        "--raw",
        "Yes.",
        "--max-tokens",
        "4",
        "--ignore-eos",
        "--format",
        "json",
    ];
    let answer: Value = serde_json::from_str(&stdout(&engine(&args))).expect("one JSON object");
    assert_eq!(answer["token_ids"].as_array().map(Vec::len), Some(4));
    assert_eq!(answer["finish_reason"], "length");
}

#[test]
fn a_bad_request_in_a_batch_fails_alone() {
    let (output, answers) = batch(
        "bad",
        &[
            chat("Does LoRA work on CPU?"),
            json!({ "custom_id": 2, "prompt": "x", "temperature": -1 }),
            json!({ "custom_id": 3, "prompt": "x", "temprature": 1 }),
            json!({ "custom_id": 4 }),
            json!({ "custom_id": 5, "prompt": [0, 5], "messages": [] }),
            json!({ "custom_id": 6, "prompt": [4_000_000] }),
            json!([1, 2]),
            chat("Does beam search work with LoRA?"),
        ],
    );
    assert_eq!(failure(&output), "error: 6 of 8 requests failed\n");
    let errors: Vec<String> = answers
        .iter()
        .map(|answer| answer["error"].as_str().unwrap_or("-").to_owned())
        .collect();
    for (error, expected) in errors.iter().zip([
        "-",
        "line 2: `temperature` is -1; allowed is 0, or 0.01 to 100",
        "line 3: unknown field `temprature`",
        "line 4: `prompt` or `messages` is missing",
        "line 5: `prompt` and `messages` exclude each other",
        "line 6: `prompt` is token id 4000000",
        "line 7: not a JSON object",
        "-",
    ]) {
        assert!(error.starts_with(expected), "{error} / {expected}");
    }
    assert!(
        answers[7]["text"]
            .as_str()
            .is_some_and(|text| text.starts_with("Yes."))
    );
}

/// The bytes of all answers to a file of requests.
fn answers(name: &str, requests: &[Value], flags: &[&str]) -> String {
    let input = scratch(&format!("{name}.in"));
    let lines: String = requests
        .iter()
        .map(|request| format!("{request}\n"))
        .collect();
    fs::write(&input, lines).expect("the scratch folder can be written");
    stdout(&engine(
        &[&["batch", &*input.to_string_lossy()], flags].concat(),
    ))
}

#[test]
fn the_same_file_gives_the_same_bytes_however_it_is_run() {
    let sampled = |i: usize| {
        json!({
            "custom_id": i,
            "messages": [{ "role": "user", "content": format!("Does LoRA work on CPU? {}", "x".repeat(i % 7)) }],
            "temperature": 1.5,
            "max_tokens": 4 + i * 5 % 23,
            "ignore_eos": true,
            "n": 1 + i % 3,
            "logprobs": 2,
        })
    };
    // None brings a seed; the first is the longest by far.
    let mut requests: Vec<Value> = (0..40).map(sampled).collect();
    requests.insert(
        0,
        json!({ "prompt": "Yes.", "max_tokens": 200, "ignore_eos": true, "temperature": 1 }),
    );
    let name = "same-bytes";
    let once = answers(name, &requests, &[]);
    assert_eq!(once.lines().count(), 41);
    for flags in [
        &["--threads", "1", "--max-num-seqs", "1"][..],
        &["--threads", "3", "--max-num-seqs", "5"],
        &["--seed", "0"],
    ] {
        assert_eq!(answers(name, &requests, flags), once, "{flags:?}");
    }
    assert_ne!(answers(name, &requests, &["--seed", "1"]), once);
}

#[test]
fn a_batch_takes_requests_as_clients_write_them() {
    let question = "Does LoRA work on CPU?";
    let plain = chat(question);
    let written = json!({
        "model": "demo", "user": "ann", "stream": false, "stop": "\u{1f980}", "top_k": -1, "max_completion_tokens": 900,
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": question }], "name": null }],
        "logprobs": null, "tools": [], "tool_choice": "auto",
    });
    let (output, answers) = batch("written", &[plain, written]);
    stdout(&output);
    assert_eq!(answers[0]["token_ids"], answers[1]["token_ids"]);
    let (output, answers) = batch(
        "refused",
        &[
            json!({ "messages": [{ "role": "user", "content": [{ "type": "image_url", "image_url": {} }] }] }),
            json!({ "prompt": ["a", "b"] }),
            json!({ "messages": [], "tool_choice": "required" }),
            json!({ "prompt": "x", "chat_template_kwargs": { "a": 1 } }),
            json!({ "messages": [], "chat_template_kwargs": { "chat_template": "x" } }),
            json!({ "prompt": "x", "stream": true }),
            json!({ "prompt": "x", "n": u32::MAX }),
            json!({ "messages": [] }),
        ],
    );
    failure(&output);
    for (answer, expected) in answers.iter().zip([
        "line 1: `messages`: a content part of type `image_url` is not supported",
        "line 2: `prompt` is neither a string nor a list of token ids",
        "line 3: `tool_choice` is \"required\"; allowed is \"auto\" or \"none\"",
        "line 4: `chat_template_kwargs` needs `messages`",
        "line 5: `chat_template_kwargs` may not set `chat_template`",
        "line 6: `stream` is true",
        // Nothing of that number is made before it is checked.
        "line 7: `n` is 4294967295",
        "line 8: `messages` is empty",
    ]) {
        let error = answer["error"].as_str().unwrap_or_default();
        assert!(error.starts_with(expected), "{error} / {expected}");
    }
}

/// A copy of the demo model with other settings in it.
fn demo_with(name: &str, changes: &[(&str, Value)]) -> PathBuf {
    let folder = scratch(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("the scratch folder can be written");
    for entry in fs::read_dir(root().join("models/demo")).expect("the demo model is there") {
        let entry = entry.expect("a folder can be listed");
        fs::copy(entry.path(), folder.join(entry.file_name())).expect("a file can be copied");
    }
    for (file, value) in changes {
        fs::write(folder.join(file), value.to_string()).expect("a file can be written");
    }
    folder
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file of the demo model")).expect("it is JSON")
}

#[test]
fn a_text_ends_at_the_tokenizers_own_end_too() {
    let demo = root().join("models/demo");
    let mut config = read_json(&demo.join("config.json"));
    let mut generation = read_json(&demo.join("generation_config.json"));
    // As a fine-tune leaves it that changed its template and tokenizer alone.
    config["eos_token_id"] = json!(0);
    generation["eos_token_id"] = json!([0]);
    generation["max_new_tokens"] = json!(100_000);
    let changes = [
        ("config.json", config.clone()),
        ("generation_config.json", generation.clone()),
    ];
    let args = |folder: &Path| -> Value {
        let folder = folder.to_string_lossy();
        let args = [
            "run",
            "Does LoRA work on CPU?",
            "--model",
            &folder,
            "--format",
            "json",
        ];
        serde_json::from_str(&stdout(&engine(&args))).expect("one JSON object")
    };
    let answer = args(&demo_with("tokenizers-eos", &changes));
    assert_eq!(answer["finish_reason"], "stop");
    let mut settings = read_json(&demo.join("tokenizer_config.json"));
    settings["eos_token"] = json!("<|begin|>");
    let changes = [
        changes[0].clone(),
        changes[1].clone(),
        ("tokenizer_config.json", settings),
    ];
    let answer = args(&demo_with("no-eos", &changes));
    assert_eq!(
        answer["finish_reason"], "length",
        "the model's limit is cut to what fits"
    );
}

#[test]
fn a_limit_of_nothing_is_refused_by_the_name_of_its_flag() {
    for flag in ["--max-num-seqs", "--max-model-len"] {
        let output = engine(&["run", "Hi", flag, "0"]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(flag), "{text}");
    }
}

#[test]
fn a_damaged_tokenizer_is_one_line() {
    let demo = root().join("models/demo");
    let mut tokenizer = read_json(&demo.join("tokenizer.json"));
    // Longer than any token: the tokenizers crate panics when it merges.
    tokenizer["model"]["continuing_subword_prefix"] = json!("x".repeat(100));
    let folder = demo_with("damaged", &[("tokenizer.json", tokenizer)]);
    let text = failure(&engine(&[
        "run",
        "Hi",
        "--model",
        &folder.to_string_lossy(),
    ]));
    assert_eq!(text.lines().count(), 1, "{text}");
    let said = "tokenizer.json is not a sound tokenizer: the tokenizers crate fails with: ";
    assert!(text.contains(said), "{text}");
}

#[test]
fn batch_leaves_no_file_behind_a_failure() {
    let out = scratch("never.out");
    let args = ["batch", "no-such-file", "--out", &out.to_string_lossy()];
    assert!(failure(&engine(&args)).contains("no-such-file"));
    assert!(!out.exists());
}

#[test]
fn info_is_for_people_and_as_json_the_manifest() {
    let told = stdout(&engine(&["info"]));
    for part in [
        "engine      default",
        "target      native",
        "llama",
        "chunked-prefill",
        "KV cache",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let manifest: Value = serde_json::from_str(&stdout(&engine(&["info", "--format", "json"])))
        .expect("the manifest is JSON");
    assert_eq!(manifest["name"], "default");
    let profile = fs::read_to_string(root().join("profiles/default.toml")).expect("the profile");
    assert_eq!(manifest["profile"], profile);
}

#[test]
fn the_doctor_tells_all_that_would_be_refused() {
    let told = stdout(&engine(&["doctor", "models/demo"]));
    for part in [
        "instructions",
        "threads",
        "model",
        "memory",
        "tokenizer",
        "engine `default` fits",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let report = |args: &[&str]| -> (Output, Value) {
        let output = engine(&[args, &["--format", "json"]].concat());
        let report = serde_json::from_slice(&output.stdout).expect("one JSON object");
        (output, report)
    };
    let (output, fit) = report(&["doctor"]);
    stdout(&output);
    assert_eq!(
        (&fit["fits"], &fit["profile"]),
        (&json!(true), &json!("default"))
    );
    // A model of another family, without a tokenizer: both are told.
    let (output, other) = report(&["doctor", "engine-runtime/tests/goldens/qwen3"]);
    assert_eq!(
        failure(&output),
        "error: this engine would not start: model, tokenizer\n"
    );
    assert_eq!(other["fits"], false);
    let findings = other["findings"].as_array().expect("a list");
    let refused: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["fits"] == false)
        .collect();
    assert!(
        refused[0]["detail"]
            .as_str()
            .is_some_and(|text| text.contains("Qwen3ForCausalLM"))
    );
    let (output, wide) = report(&["doctor", "models/demo", "--max-num-seqs", "100000"]);
    assert!(failure(&output).contains("engine"), "{wide}");
    let mut generation = read_json(&root().join("models/demo/generation_config.json"));
    generation["eos_token_id"] = json!(1_000_000);
    let folder = demo_with("far-eos", &[("generation_config.json", generation)]);
    let (output, far) = report(&["doctor", &folder.to_string_lossy()]);
    assert_eq!(
        failure(&output),
        "error: this engine would not start: engine\n"
    );
    // What it says is what a start says.
    let start = failure(&engine(&["run", "x", "--model", &folder.to_string_lossy()]));
    let findings = far["findings"].as_array().expect("a list");
    let end = findings
        .iter()
        .find(|finding| finding["what"] == "engine")
        .expect("it was looked at");
    assert_eq!(
        start,
        format!("error: {}\n", end["detail"].as_str().unwrap_or_default())
    );
}

#[test]
fn verify_tells_what_fits() {
    let report = stdout(&engine(&["verify", "models/demo"]));
    for part in ["LlamaForCausalLM", "5 layers", "kv cache", "fits"] {
        assert!(report.contains(part), "{report}");
    }
    let other = failure(&engine(&["verify", "engine-runtime/tests/goldens/qwen3"]));
    assert!(other.contains("Qwen3ForCausalLM"), "{other}");
    let none = failure(&engine(&["verify", "no-such-folder"]));
    assert!(none.contains("no-such-folder"), "{none}");
}

#[test]
fn bench_measures() {
    let args = [
        "bench",
        "--prompt-tokens",
        "32",
        "--decode-tokens",
        "8",
        "--seqs",
        "2",
    ];
    let json = stdout(&engine(&[&args[..], &["--format", "json"]].concat()));
    let report: Value = serde_json::from_str(&json).expect("one JSON object");
    for figure in [
        "prefill_tokens_per_s",
        "decode_tokens_per_s",
        "read_bandwidth_gb_s",
        "dot_peak_gflops",
    ] {
        assert!(
            report[figure].as_f64().is_some_and(|value| value > 0.0),
            "{figure}: {json}"
        );
    }
}

#[test]
fn bench_tells_what_of_a_step_is_not_the_model() {
    let args = "bench --prompt-tokens 16 --decode-tokens 8 --format json --temperature 0.7 --top-k 20 --top-p 0.8 \
                --repetition-penalty 1.05 --logprobs 2";
    let json = stdout(&engine(&args.split_whitespace().collect::<Vec<_>>()));
    let report: Value = serde_json::from_str(&json).expect("one JSON object");
    let sampling = &report["sampling"];
    assert_eq!(sampling["top_k"], 20, "{json}");
    assert_eq!(sampling["logprobs"], 2, "{json}");
    let figure = |name: &str| report[name].as_f64().expect("a number");
    let parts = ["forward", "sampling", "host"];
    let sum = |unit: &str| -> f64 {
        let part = |part: &&str| figure(&format!("decode_{part}_{unit}"));
        parts.iter().map(part).sum()
    };
    assert!((sum("share") - 1.0).abs() < 1e-6, "{json}");
    assert!(
        (sum("ms") / figure("decode_step_ms") - 1.0).abs() < 1e-6,
        "{json}"
    );
    assert!(
        figure("decode_forward_ms") > 0.0 && figure("decode_sampling_ms") > 0.0,
        "{json}"
    );
    let greedy = stdout(&engine(&[
        "bench",
        "--prompt-tokens",
        "4",
        "--decode-tokens",
        "2",
        "--format",
        "json",
    ]));
    let greedy: Value = serde_json::from_str(&greedy).expect("one JSON object");
    assert_eq!(greedy["sampling"]["temperature"], 0.0);
}

#[test]
fn unusable_arguments_name_themselves() {
    for (args, expected) in [
        (&["run", "x", "--temperature", "-1"][..], "temperature"),
        (&["run", "x", "--model", "no-such-folder"], "no-such-folder"),
        (&["run", "x", "--max-tokens", "100000"], "max_tokens"),
        (&["run", "x", "--top-k", "-2"], "0 or -1 for all"),
        (&["run", "x", "-n", "4000000000"], "`n` is 4000000000"),
        (&["run", "x", "--threads", "0"], "--threads"),
        (&["run", "x", "--logprobs", "21"], "logprobs"),
        (&["run", "x", "--max-model-len", "1000000"], "1024 or less"),
    ] {
        let output = engine(args);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{args:?}");
        assert!(text.contains(expected), "{args:?}: {text}");
        assert!(!text.contains("panicked"), "{args:?}: {text}");
    }
}
