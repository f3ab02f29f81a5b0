mod fields;

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
