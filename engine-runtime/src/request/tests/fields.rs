//! Requests as clients write them in JSON.

use serde_json::json;

use super::*;

/// What the fields of a request in JSON say, or why they are refused.
fn taken(json: serde_json::Value) -> Result<SamplingFields, String> {
    let mut fields =
        Fields::parse(json.to_string().as_bytes()).map_err(|error| error.to_string())?;
    let taken = SamplingFields::take(&mut fields).map_err(|error| error.to_string())?;
    take_without_effect(&mut fields).map_err(|error| error.to_string())?;
    fields.finish().map_err(|error| error.to_string())?;
    Ok(taken)
}

#[test]
fn of_two_fields_of_one_name_the_last_counts() {
    let mut fields = Fields::parse(br#"{"n": 2, "seed": 1, "n": 3}"#).unwrap();
    assert_eq!(fields.take::<u32>("n"), Ok(Some(3)));
}

#[test]
fn settings_are_read_in_every_way_that_clients_write_them() {
    let open = SamplingFields::default;
    let list = |stops: &[&str]| Some(stops.iter().map(|&stop| stop.to_owned()).collect());
    let cases = [
        (json!({}), open()),
        (
            json!({"top_k": -1}),
            SamplingFields {
                top_k: Some(0),
                ..open()
            },
        ),
        (
            json!({"top_k": 0}),
            SamplingFields {
                top_k: Some(0),
                ..open()
            },
        ),
        (
            json!({"top_k": 40}),
            SamplingFields {
                top_k: Some(40),
                ..open()
            },
        ),
        (
            json!({"stop": "\n\n"}),
            SamplingFields {
                stop: list(&["\n\n"]),
                ..open()
            },
        ),
        (
            json!({"stop": ["a", "b"]}),
            SamplingFields {
                stop: list(&["a", "b"]),
                ..open()
            },
        ),
        (
            json!({"stop": null, "n": null, "seed": null, "logprobs": null, "tool_calls": null}),
            open(),
        ),
        (
            json!({"max_completion_tokens": 9}),
            SamplingFields {
                max_tokens: Some(9),
                ..open()
            },
        ),
        (
            json!({"max_tokens": 9, "max_completion_tokens": 9}),
            SamplingFields {
                max_tokens: Some(9),
                ..open()
            },
        ),
        (json!({"seed": -1}), open()),
        (
            json!({"seed": u64::MAX}),
            SamplingFields {
                seed: Some(u64::MAX),
                ..open()
            },
        ),
        (
            json!({"logprobs": 5}),
            SamplingFields {
                logprobs: Some(5),
                ..open()
            },
        ),
        (
            json!({"logprobs": true}),
            SamplingFields {
                logprobs: Some(0),
                ..open()
            },
        ),
        (
            json!({"logprobs": true, "top_logprobs": 3}),
            SamplingFields {
                logprobs: Some(3),
                ..open()
            },
        ),
        (json!({"logprobs": false, "top_logprobs": 0}), open()),
        (
            json!({"logit_bias": {"7": -100}}),
            SamplingFields {
                logit_bias: Some([(7, -100.0)].into()),
                ..open()
            },
        ),
        (
            json!({"n": 2, "best_of": 2}),
            SamplingFields {
                n: Some(2),
                ..open()
            },
        ),
        (
            json!({
                "model": "any", "user": "u", "metadata": {"k": "v"}, "stream": false, "echo": false, "store": false,
                "response_format": {"type": "text"}, "length_penalty": 1, "parallel_tool_calls": true,
            }),
            open(),
        ),
    ];
    for (json, expected) in cases {
        assert_eq!(taken(json.clone()), Ok(expected), "{json}");
    }
}

#[test]
fn what_would_be_ignored_is_refused_by_name() {
    for (json, expected) in [
        (
            json!({"temprature": 1}),
            "unknown field `temprature`, did you mean `temperature`?",
        ),
        (json!({"zzz": 1}), "unknown field `zzz`"),
        (json!({"guided_json": {}}), "unknown field `guided_json`"),
        (
            json!({"stream": true}),
            "`stream` is true; allowed is false, which is what this engine does",
        ),
        (
            json!({"response_format": {"type": "json_object"}}),
            "`response_format` is {\"type\":\"json_object\"}; allowed is {\"type\":\"text\"}, which is what this engine does",
        ),
        (
            json!({"best_of": 4}),
            "`best_of` is 4; allowed is the same as `n`",
        ),
        (
            json!({"top_k": -2}),
            "`top_k` is -2; allowed is 1 to 4294967295, or 0 or -1 for all",
        ),
        (
            json!({"top_logprobs": 2}),
            "`top_logprobs` is set to 2, but it has no meaning without `logprobs: true`",
        ),
        (
            json!({"seed": -7}),
            "`seed` is -7; allowed is a whole number from 0 to 18446744073709551615, or -1 for a random one",
        ),
        (
            json!({"max_tokens": 1, "max_completion_tokens": 2}),
            "`max_tokens` and `max_completion_tokens` exclude each other",
        ),
        (
            json!({"stop": 7}),
            "`stop`: expected a string or a list of strings",
        ),
        (
            json!({"temperature": "hot"}),
            "`temperature`: invalid type: string \"hot\", expected f32",
        ),
        (
            json!({"n": 1.5}),
            "`n`: invalid type: floating point `1.5`, expected u32",
        ),
        (
            json!([1]),
            "not a JSON object: invalid type: sequence, expected a map at line 1 column 0",
        ),
    ] {
        assert_eq!(taken(json.clone()), Err(expected.to_owned()), "{json}");
    }
}

#[test]
fn open_settings_come_from_the_flags_then_the_model_then_the_engine() {
    let only = |temperature, top_k, max_tokens| SamplingFields {
        temperature,
        top_k,
        max_tokens,
        ..SamplingFields::default()
    };
    let defaults = SamplingDefaults {
        flags: only(Some(0.5), None, None),
        model: only(Some(0.7), Some(20), Some(2048)),
    };
    let complete = |request| defaults.complete(request);
    let all = complete(only(Some(0.0), Some(1), Some(3)));
    assert_eq!(
        (all.temperature, all.top_k, all.max_tokens),
        (0.0, 1, Some(3))
    );
    let none = complete(SamplingFields::default());
    assert_eq!((none.temperature, none.top_k, none.top_p), (0.5, 20, 1.0));
    assert_eq!(
        (none.max_tokens, none.default_max_tokens),
        (None, Some(2048))
    );
    let bare = SamplingDefaults::default().complete(SamplingFields::default());
    assert_eq!(bare, SamplingParams::default());
}
