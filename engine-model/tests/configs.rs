//! What a config.json comes to: every golden one, the families' own defaults, and hostile files.

use std::path::{Path, PathBuf};

use engine_model::{
    Activation, Attention, Biases, Config, FeedForward, ModelFamily, Quantization, RopeScaling,
};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(config: &Value) -> Result<Config, String> {
    Config::parse(Path::new("config.json"), &config.to_string()).map_err(|error| error.to_string())
}

#[track_caller]
fn sound(config: &Value) -> Config {
    read(config).unwrap_or_else(|error| panic!("{error}\n{config}"))
}

/// The smallest config of a family.
fn of(family: ModelFamily) -> Value {
    let mut config = json!({
        "architectures": [family.architectures()[0]],
        "model_type": family.model_type(),
        "hidden_size": 512,
        "intermediate_size": 1024,
        "num_hidden_layers": 12,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "vocab_size": 1000,
    });
    match family {
        ModelFamily::Qwen3Moe => {
            config["num_experts"] = json!(16);
            config["num_experts_per_tok"] = json!(4);
            config["moe_intermediate_size"] = json!(96);
        }
        ModelFamily::Mixtral => {
            config["num_local_experts"] = json!(8);
            config["num_experts_per_tok"] = json!(2);
        }
        _ => {}
    }
    config
}

/// What `edit` makes of a family's smallest config.
fn with(family: ModelFamily, edit: Value) -> Value {
    let mut config = of(family);
    for (field, value) in edit.as_object().unwrap() {
        config[field] = value.clone();
    }
    config
}

fn windows(config: &Value) -> Vec<Option<usize>> {
    let window = |attention| match attention {
        Attention::Full => None,
        Attention::Sliding(window) => Some(window),
    };
    let layers = sound(config).layers;
    layers.iter().map(|layer| window(layer.attention)).collect()
}

#[test]
fn every_golden_config_is_read() {
    let goldens = root().join("engine-runtime/tests/goldens");
    let mut read = 0;
    for entry in std::fs::read_dir(goldens).unwrap() {
        let file = entry.unwrap().path().join("config.json");
        if file.is_file() {
            let config = Config::read(&file).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(config.layers.len(), config.dims.layers);
            assert!(config.served().is_ok(), "{}", file.display());
            read += 1;
        }
    }
    assert!(read >= 13, "{read} goldens");
    let demo = Config::read(&root().join("models/demo/config.json")).unwrap();
    assert_eq!(demo.eos_token_ids, [1]);
    assert!(demo.tied);
}

#[test]
fn llama_and_its_kin_have_their_own_defaults() {
    use ModelFamily::*;
    let llama = sound(&of(Llama));
    assert_eq!(llama.dims.head_dim, 128);
    assert!(!llama.tied && !llama.head_norms && !llama.post_norms && !llama.norm.one_plus);
    assert_eq!(llama.norm.eps, 1e-6);
    assert_eq!(llama.activation, Activation::Silu);
    assert_eq!(llama.ropes.len(), 1);
    assert_eq!(llama.ropes[0].theta, 10_000.0);
    assert_eq!(llama.embedding_scale, None);
    assert_eq!(llama.attention_scale, 128f32.sqrt().recip());
    let none = Biases {
        qkv: false,
        attention_out: false,
        mlp: false,
    };
    assert_eq!(llama.biases, none);
    // A Mistral has no biases, whatever its file says; a Qwen 2 always has three.
    assert_eq!(
        sound(&with(Mistral, json!({"attention_bias": true}))).biases,
        none
    );
    assert!(sound(&of(Qwen2)).biases.qkv);
    assert!(!sound(&of(Qwen2)).biases.attention_out);
    assert!(
        sound(&with(Llama, json!({"attention_bias": true})))
            .biases
            .attention_out
    );
    // Qwen 3 divides no row among its heads.
    let qwen3 = sound(&of(Qwen3));
    assert_eq!(qwen3.dims.head_dim, 128);
    assert!(qwen3.head_norms);
    assert_eq!(sound(&of(Mixtral)).ropes[0].theta, 1e6);
    assert_eq!(sound(&of(Phi3)).norm.eps, 1e-5);
}

#[test]
fn gemma_has_norms_scales_and_tables_of_its_own() {
    let gemma = sound(&of(ModelFamily::Gemma3));
    assert_eq!(gemma.dims.head_dim, 256);
    assert!(gemma.tied && gemma.head_norms && gemma.post_norms && gemma.norm.one_plus);
    assert_eq!(gemma.activation, Activation::GeluTanh);
    assert_eq!(gemma.embedding_scale, Some(512f32.sqrt()));
    assert_eq!(gemma.attention_scale, 1.0 / 16.0);
    assert_eq!(
        (gemma.attention_softcap, gemma.logits_softcap),
        (None, None)
    );
    let thetas: Vec<f64> = gemma.ropes.iter().map(|rope| rope.theta).collect();
    assert_eq!(thetas, [1e6, 1e4]);
    // Each sixth layer sees everything and takes the first table.
    for (index, layer) in gemma.layers.iter().enumerate() {
        match (index + 1).is_multiple_of(6) {
            true => assert_eq!((layer.attention, layer.rope), (Attention::Full, 0)),
            false => assert_eq!((layer.attention, layer.rope), (Attention::Sliding(4096), 1)),
        }
    }
    // As transformers 4 and 5 write the tables.
    let four = json!({"rope_theta": 5e5, "rope_local_base_freq": 2e4, "rope_scaling": {"rope_type": "linear", "factor": 8.0}});
    let five = json!({"rope_parameters": {
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 5e5},
        "sliding_attention": {"rope_type": "default", "rope_theta": 2e4},
    }});
    let four = sound(&with(ModelFamily::Gemma3, four)).ropes;
    assert_eq!(four[0].scaling, RopeScaling::Linear { factor: 8.0 });
    assert_eq!(four, sound(&with(ModelFamily::Gemma3, five)).ropes);

    let second = sound(&of(ModelFamily::Gemma2));
    assert_eq!(
        (second.attention_softcap, second.logits_softcap),
        (Some(50.0), Some(30.0))
    );
    assert!(second.served().is_err(), "no code bends scores");
    let off = json!({"attn_logit_softcapping": null, "final_logit_softcapping": null});
    assert!(sound(&with(ModelFamily::Gemma2, off)).served().is_ok());
    let seen = windows(&of(ModelFamily::Gemma2));
    assert_eq!(seen[..4], [Some(4096), None, Some(4096), None]);
}

#[test]
fn windows_are_the_familys_to_switch_on() {
    use ModelFamily::*;
    let all = |window| vec![window; 12];
    let sliding = json!({"sliding_window": 64});
    assert_eq!(windows(&with(Llama, sliding.clone())), all(None));
    assert_eq!(windows(&with(Mistral, sliding.clone())), all(Some(64)));
    // A Mistral that does not speak of its window has the family's; `null` is none.
    assert_eq!(windows(&of(Mistral)), all(Some(4096)));
    assert_eq!(
        windows(&with(Mistral, json!({"sliding_window": null}))),
        all(None)
    );
    assert_eq!(windows(&with(Phi3, sliding.clone())), all(Some(64)));
    assert_eq!(windows(&of(Mixtral)), all(None));
    for family in [Qwen2, Qwen3, Qwen3Moe] {
        for off in [json!(null), json!(false)] {
            let edit = json!({"sliding_window": 64, "use_sliding_window": off});
            assert_eq!(windows(&with(family, edit)), all(None), "{family}");
        }
    }
    let on = json!({"sliding_window": 64, "use_sliding_window": true, "max_window_layers": 9});
    let late = [vec![None; 9], vec![Some(64); 3]].concat();
    assert_eq!(windows(&with(Qwen2, on.clone())), late);
    assert_eq!(windows(&with(Qwen3, on.clone())), late);
    assert_eq!(windows(&with(Qwen3Moe, on.clone())), all(Some(64)));
    let mut listed = on;
    listed["layer_types"] =
        Value::from([vec!["sliding_attention"; 2], vec!["full_attention"; 10]].concat());
    let early = [vec![Some(64); 2], vec![None; 10]].concat();
    assert_eq!(windows(&with(Qwen3, listed)), early);
}

#[test]
fn experts_stand_where_the_config_says() {
    let dense = FeedForward::Dense { width: 1024 };
    let experts = FeedForward::Experts {
        count: 16,
        per_token: 4,
        width: 96,
        norm_topk_prob: false,
    };
    let blocks = |edit: Value| -> Vec<FeedForward> {
        let layers = sound(&with(ModelFamily::Qwen3Moe, edit)).layers;
        layers.iter().map(|layer| layer.feed_forward).collect()
    };
    assert_eq!(blocks(json!({})), vec![experts; 12]);
    let third = blocks(json!({"decoder_sparse_step": 3, "mlp_only_layers": [5]}));
    for (index, block) in third.iter().enumerate() {
        let sparse = [2, 8, 11].contains(&index);
        assert_eq!(
            *block,
            if sparse { experts } else { dense },
            "layer {index}"
        );
    }
    let mut renamed = of(ModelFamily::Qwen3Moe);
    renamed.as_object_mut().unwrap().remove("num_experts");
    renamed["num_local_experts"] = json!(16);
    assert_eq!(sound(&renamed).layers[0].feed_forward, experts);
    assert!(matches!(
        sound(&of(ModelFamily::Mixtral)).layers[3].feed_forward,
        FeedForward::Experts {
            count: 8,
            per_token: 2,
            width: 1024,
            norm_topk_prob: true
        }
    ));
}

#[test]
fn rope_scaling_reaches_as_far_as_it_says() {
    use ModelFamily::*;
    let yarn = json!({"max_position_embeddings": 32768, "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}});
    assert_eq!(sound(&with(Qwen2, yarn)).max_positions, 131_072);
    let both = json!({
        "rope_scaling": {"rope_type": "linear", "factor": 2.0},
        "rope_parameters": {"rope_type": "default", "rope_theta": 5.0},
        "rope_theta": 7.0,
    });
    let rope = sound(&with(Llama, both)).ropes[0];
    assert_eq!(
        (rope.theta, rope.scaling),
        (7.0, RopeScaling::Linear { factor: 2.0 })
    );
    let long =
        json!({"rope_scaling": {"type": "longrope", "short_factor": [1.0], "long_factor": [2.0]}});
    let long = sound(&with(Phi3, long));
    assert!(long.served().unwrap_err().to_string().contains("longrope"));
}

#[test]
fn the_parameters_of_known_models_are_counted() {
    use ModelFamily::*;
    let sizes = |family, layers, hidden, heads, kv, ffn, vocab| {
        with(
            family,
            json!({
                "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
                "num_key_value_heads": kv, "intermediate_size": ffn, "vocab_size": vocab,
            }),
        )
    };
    let tiny = sizes(Llama, 22, 2048, 32, 4, 5632, 32000);
    assert_eq!(
        sound(&tiny).parameters().all(),
        1_100_048_384,
        "TinyLlama-1.1B's model card"
    );
    assert_eq!(sound(&tiny).kv_per_token(), 2 * 22 * 4 * 64);
    let mixtral = sizes(Mixtral, 32, 4096, 32, 8, 14336, 32000);
    assert_eq!(
        sound(&mixtral).parameters().all(),
        46_702_792_704,
        "Mixtral-8x7B's safetensors"
    );
    let mut gemma2 = sizes(Gemma2, 42, 3584, 16, 8, 14336, 256_000);
    gemma2["head_dim"] = json!(256);
    assert_eq!(
        sound(&gemma2).parameters().all(),
        9_241_705_984,
        "gemma-2-9b's safetensors"
    );
    let mut gemma3 = sizes(Gemma3, 26, 1152, 4, 1, 6912, 262_144);
    gemma3["head_dim"] = json!(256);
    assert_eq!(
        sound(&gemma3).parameters().all(),
        999_885_952,
        "gemma-3-1b's safetensors"
    );
    let mut moe = sizes(Qwen3Moe, 48, 2048, 32, 4, 6144, 151_936);
    moe["head_dim"] = json!(128);
    moe["num_experts"] = json!(128);
    moe["num_experts_per_tok"] = json!(8);
    moe["moe_intermediate_size"] = json!(768);
    assert_eq!(
        sound(&moe).parameters().all(),
        30_532_122_624,
        "Qwen3-30B-A3B's safetensors"
    );
    let mut qwen2 = sizes(Qwen2, 24, 896, 14, 2, 4864, 151_936);
    qwen2["tie_word_embeddings"] = json!(true);
    assert_eq!(
        sound(&qwen2).parameters().all(),
        494_032_768,
        "Qwen2.5-0.5B's safetensors"
    );
}

#[test]
fn quantised_weights_are_described() {
    let awq = json!({"quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": true}});
    assert_eq!(
        sound(&with(ModelFamily::Llama, awq)).quantization,
        Some(Quantization {
            method: "awq".to_owned(),
            bits: Some(4),
            group_size: Some(128),
            zero_point: Some(true),
            desc_act: None,
            block: None,
        })
    );
    let gptq = json!({"quantization_config": {"quant_method": "gptq", "bits": 8, "group_size": -1, "sym": true, "desc_act": false}});
    let gptq = sound(&with(ModelFamily::Llama, gptq)).quantization.unwrap();
    assert_eq!((gptq.group_size, gptq.zero_point), (None, Some(false)));
}

#[test]
fn unsound_configs_are_refused_by_field() {
    use ModelFamily::*;
    let huge = json!({"num_hidden_layers": 4096, "hidden_size": 1 << 20, "num_attention_heads": 16384, "intermediate_size": 1 << 20, "head_dim": 4096, "vocab_size": 1 << 24});
    for (family, edit, message) in [
        (
            Llama,
            json!({"architectures": null}),
            "`architectures` must be a list of one class name",
        ),
        (
            Llama,
            json!({"architectures": ["T5ForConditionalGeneration"], "model_type": "t5"}),
            "architecture `T5ForConditionalGeneration` is not supported",
        ),
        (
            Llama,
            json!({"model_type": "mistral"}),
            "`model_type` must be llama",
        ),
        (
            Llama,
            json!({"hidden_act": "gelu"}),
            "hidden_act `gelu` is not supported; supported: silu",
        ),
        (
            Gemma3,
            json!({"hidden_activation": "gelu"}),
            "supported: gelu_pytorch_tanh",
        ),
        (
            Gemma3,
            json!({"use_bidirectional_attention": true}),
            "use_bidirectional_attention `true`",
        ),
        (
            Gemma3,
            json!({"sliding_window": null}),
            "`sliding_window` must be set",
        ),
        (
            Gemma3,
            json!({"sliding_window_pattern": 0}),
            "`sliding_window_pattern` must be",
        ),
        (
            Gemma3,
            json!({"rope_parameters": {"rope_type": "default"}}),
            "`rope_parameters.full_attention` must be set",
        ),
        (
            Llama,
            json!({"tie_word_embeddings": 1}),
            "`tie_word_embeddings` must be true or false",
        ),
        (
            Llama,
            json!({"layer_types": ["full_attention"]}),
            "`layer_types` must be a list of num_hidden_layers, 12, kinds, found 1",
        ),
        (Llama, huge, "less than 2^48 weights"),
        (
            Llama,
            json!({"rope_theta": 1.0}),
            "`rope_theta` must be a number above 1",
        ),
        (
            Llama,
            json!({"rope_scaling": {"rope_type": "linear", "factor": 1e-300}}),
            "factor` must be a number from 1e-6",
        ),
        (
            Qwen3Moe,
            json!({"num_experts": null}),
            "`num_local_experts` must be set",
        ),
        (
            Qwen3Moe,
            json!({"num_experts_per_tok": 17}),
            "`num_experts_per_tok` must be a whole number from 1 to 16",
        ),
        (
            Qwen3Moe,
            json!({"decoder_sparse_step": 0}),
            "`decoder_sparse_step` must be",
        ),
        (
            Qwen3Moe,
            json!({"mlp_only_layers": ["a"]}),
            "`mlp_only_layers` must be a list",
        ),
        (
            Llama,
            json!({"quantization_config": {"bits": 4}}),
            "`quantization_config.quant_method` must be set",
        ),
        (
            Llama,
            json!({"quantization_config": {"quant_method": "awq", "group_size": 0}}),
            "`quantization_config.group_size` must be",
        ),
    ] {
        let error = read(&with(family, edit.clone())).expect_err(&edit.to_string());
        assert!(
            error.starts_with("config.json: ") && error.contains(message),
            "{error}\nexpected {message}"
        );
    }
}

/// Any field with any of these values: an error or a config whose numbers can be counted with, and no panic.
#[test]
fn every_field_may_hold_anything() {
    let fields = [
        "num_hidden_layers",
        "hidden_size",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "intermediate_size",
        "vocab_size",
        "max_position_embeddings",
        "sliding_window",
        "max_window_layers",
        "num_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "decoder_sparse_step",
        "mlp_only_layers",
        "rope_theta",
        "rope_scaling",
        "rope_parameters",
        "layer_types",
        "quantization_config",
        "rms_norm_eps",
        "query_pre_attn_scalar",
        "tie_word_embeddings",
        "eos_token_id",
        "sliding_window_pattern",
        "final_logit_softcapping",
        "use_sliding_window",
        "architectures",
        "model_type",
    ];
    let values = [
        json!(null),
        json!(0),
        json!(-1),
        json!(7),
        json!(1 << 20),
        json!(u64::MAX),
        json!(1e300),
        json!(true),
        json!([]),
        json!({"rope_type": "yarn", "factor": 1e12}),
    ];
    for family in ModelFamily::ALL {
        for (first, second) in fields.iter().zip(fields.iter().skip(1)) {
            for a in &values {
                for b in &values {
                    let mut config = of(*family);
                    config[*first] = a.clone();
                    config[*second] = b.clone();
                    if let Ok(config) = read(&config) {
                        let all = config.parameters().all();
                        assert!(all > 0 && all <= 1 << 48);
                        assert!(config.kv_per_token() < 1 << 48);
                        assert_eq!(config.layers.len(), config.dims.layers);
                    }
                }
            }
        }
    }
}
