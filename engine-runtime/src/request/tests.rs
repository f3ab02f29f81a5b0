use serde_json::json;

use super::*;

fn rules() -> RequestRules {
    RequestRules {
        profile: "test",
        vocab: 100,
        max_model_len: 32,
        cache_positions: 64,
        max_logprobs: Some(5),
        eos: [2].into(),
    }
}

fn request(change: impl FnOnce(&mut Request)) -> Request {
    let mut request = Request {
        prompt: vec![1, 5, 7],
        ..Request::default()
    };
    change(&mut request);
    request
}

/// The message for a request that differs from a good one by `change`.
fn refused(change: impl FnOnce(&mut Request)) -> String {
    match ValidatedRequest::new(request(change), &rules(), 0) {
        Ok(request) => panic!("{request:?} should have been refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn defaults_fill_the_context() {
    let valid = ValidatedRequest::new(request(|_| ()), &rules(), 42).unwrap();
    assert_eq!(valid.max_tokens(), 29);
    assert_eq!(valid.seed(), 42);
    let seeded = request(|request| request.sampling.seed = Some(7));
    let valid = ValidatedRequest::new(seeded, &rules(), 42).unwrap();
    assert_eq!(valid.seed(), 7);
}

#[test]
fn every_refusal_names_field_value_and_allowed_range() {
    type Change = fn(&mut Request);
    let cases: &[(Change, &str)] = &[
        (
            |r| r.prompt.clear(),
            "`prompt` is 0 tokens long; allowed is 1 to 32 tokens",
        ),
        (
            |r| r.prompt = vec![1; 33],
            "`prompt` is 33 tokens long; allowed is 1 to 32 tokens",
        ),
        (
            |r| r.prompt = vec![100],
            "`prompt` is token id 100; allowed is below the vocabulary's 100",
        ),
        (
            |r| r.sampling.temperature = f32::NAN,
            "`temperature` is NaN; allowed is 0, or 0.01 to 100",
        ),
        (
            |r| r.sampling.temperature = 1e-6,
            "`temperature` is 0.000001; allowed is 0, or 0.01 to 100",
        ),
        (
            |r| r.sampling.top_p = 0.0,
            "`top_p` is 0; allowed is above 0, and at most 1",
        ),
        (
            |r| r.sampling.top_p = f32::NAN,
            "`top_p` is NaN; allowed is above 0, and at most 1",
        ),
        (
            |r| r.sampling.min_p = 1.5,
            "`min_p` is 1.5; allowed is 0 to 1",
        ),
        (
            |r| r.sampling.repetition_penalty = 0.0,
            "`repetition_penalty` is 0; allowed is 0.01 to 100",
        ),
        (
            |r| r.sampling.presence_penalty = 3.0,
            "`presence_penalty` is 3; allowed is -2 to 2",
        ),
        (
            |r| r.sampling.frequency_penalty = f32::INFINITY,
            "`frequency_penalty` is inf; allowed is -2 to 2",
        ),
        (
            |r| r.sampling.logit_bias = [(100, 1.0)].into(),
            "`logit_bias` is token id 100; allowed is below the vocabulary's 100",
        ),
        (
            |r| r.sampling.logit_bias = [(1, 101.0)].into(),
            "`logit_bias` is 101; allowed is -100 to 100",
        ),
        (
            |r| r.sampling.stop = vec![String::new()],
            "`stop` is 0 bytes long; allowed is 1 to 1024 bytes",
        ),
        (
            |r| r.sampling.stop = vec!["x".to_owned(); 65],
            "`stop` is 65 strings long; allowed is 0 to 64 strings",
        ),
        (
            |r| r.sampling.stop_token_ids = vec![3; 129],
            "`stop_token_ids` is 129 tokens long; allowed is 0 to 128 tokens",
        ),
        (
            |r| r.sampling.stop_token_ids = vec![100],
            "`stop_token_ids` is token id 100; allowed is below the vocabulary's 100",
        ),
        (|r| r.sampling.n = 0, "`n` is 0; allowed is 1 to 128"),
        (
            |r| r.sampling.max_tokens = Some(0),
            "`max_tokens` is 0; allowed is 1 or more",
        ),
        (
            |r| {
                r.sampling.max_tokens = Some(4);
                r.sampling.min_tokens = 5;
            },
            "`min_tokens` is 5; allowed is 0 to 4, the number of tokens that may be generated",
        ),
        (
            |r| r.sampling.logprobs = Some(6),
            "`logprobs` is 6; allowed is 0 to 5",
        ),
        (
            |r| r.sampling.processed_logprobs = true,
            "`processed_logprobs` is set to true, but it has no meaning without `logprobs`",
        ),
        (
            |r| r.cache_salt = Some(String::new()),
            "`cache_salt` is 0 bytes long; allowed is 1 to 256 bytes",
        ),
        (
            |r| r.sampling.max_tokens = Some(30),
            "`prompt` has 3 tokens and `max_tokens` is 30; allowed are 32 tokens together (max_model_len)",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(refused(change), *message);
    }
}

#[test]
fn a_prompt_that_fills_the_context_leaves_no_room_for_output() {
    assert_eq!(
        refused(|request| request.prompt = vec![1; 32]),
        "`prompt` has 32 tokens and `max_tokens` is 1; allowed are 32 tokens together (max_model_len)"
    );
}

#[test]
fn a_small_cache_limits_a_sequence_too() {
    let rules = RequestRules {
        cache_positions: 16,
        ..rules()
    };
    let sized = |tokens| {
        let request = request(|request| request.sampling.max_tokens = Some(tokens));
        ValidatedRequest::new(request, &rules, 0)
    };
    // 17 tokens together: the keys and values of the last one are never stored.
    assert!(sized(14).is_ok());
    assert_eq!(
        sized(15).unwrap_err().to_string(),
        "`prompt` has 3 tokens and `max_tokens` is 15; allowed are 17 tokens together (the size of the KV cache)"
    );
}

#[test]
fn a_feature_that_is_not_built_is_refused_with_the_way_to_get_it() {
    let rules = RequestRules {
        max_logprobs: None,
        ..rules()
    };
    let request = request(|request| request.sampling.logprobs = Some(0));
    assert_eq!(
        ValidatedRequest::new(request, &rules, 0)
            .unwrap_err()
            .to_string(),
        "`logprobs` is set to 0, but the engine `test` was built without `logprobs`; add `logprobs = { max = 20 }` to \
         [features] of that profile and build it again"
    );
}

#[test]
fn a_default_limit_is_cut_to_what_fits_and_a_request_s_own_is_not() {
    let sized = |own, default| {
        let request = request(|request| {
            request.sampling.max_tokens = own;
            request.sampling.default_max_tokens = default;
        });
        ValidatedRequest::new(request, &rules(), 0).map(|valid| valid.max_tokens())
    };
    assert_eq!(sized(None, Some(2048)), Ok(29));
    assert_eq!(sized(None, Some(7)), Ok(7));
    assert_eq!(sized(Some(5), Some(2048)), Ok(5));
    assert!(matches!(
        sized(Some(2048), Some(7)),
        Err(RequestError::NeverFits { .. })
    ));
    let full = request(|request| {
        request.prompt = vec![1; 32];
        request.sampling.default_max_tokens = Some(7);
    });
    assert!(ValidatedRequest::new(full, &rules(), 0).is_err());
}

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
