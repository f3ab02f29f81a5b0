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

#[test]
fn batch_leaves_no_file_behind_a_failure() {
    let out = scratch("never.out");
    let args = ["batch", "no-such-file", "--out", &out.to_string_lossy()];
    assert!(failure(&engine(&args)).contains("no-such-file"));
    assert!(!out.exists());
}

#[test]
fn info_is_the_manifest() {
    let manifest: Value =
        serde_json::from_str(&stdout(&engine(&["info"]))).expect("the manifest is JSON");
    assert_eq!(manifest["name"], "default");
    let profile = fs::read_to_string(root().join("profiles/default.toml")).expect("the profile");
    assert_eq!(manifest["profile"], profile);
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
fn unusable_arguments_name_themselves() {
    for (args, expected) in [
        (&["run", "x", "--temperature", "-1"][..], "temperature"),
        (&["run", "x", "--model", "no-such-folder"], "no-such-folder"),
        (&["run", "x", "--max-tokens", "100000"], "max_tokens"),
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
