//! Model folders that are damaged or made to do harm: each is refused with an error that names the file, none
//! panics, none makes the process allocate what a file merely claims.

use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use engine_runtime::backend::DeviceOptions;
use engine_runtime::backend::reference::Reference;
use engine_runtime::checkpoint::{Checkpoint, CheckpointError, Fit};
use engine_runtime::dtype::Dense;
use engine_runtime::model::Model;
use engine_runtime::models::{Dims, Llama, Qwen2, Qwen3, Shape};
use engine_runtime::parts::{Off, Whole};
use engine_runtime::testing::{LIMITS, Solo};
use engine_runtime::{Limits, Recipe, recipe};
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use tempfile::TempDir;

const TINY: Dims = Dims {
    layers: 1,
    hidden: 8,
    q_heads: 2,
    kv_heads: 1,
    head_dim: 4,
    ffn: 6,
    vocab: 10,
};

enum Tiny {}

impl Shape for Tiny {
    const KNOWN: Option<Dims> = Some(TINY);
}

macro_rules! builds {
    ($($name:ident: $model:ty, $max_model_len:expr;)+) => {$(
        recipe! { $name {
            backend: Reference,
            weights: Dense<f32>,
            model: $model,
            prefill: Whole,
            prefix: Off,
            logprobs: Off,
            limits: Limits { max_model_len: $max_model_len, ..LIMITS },
        } }
    )+};
}

builds! {
    TinyLlama: Llama<Self>, 32;
    LongLlama: Llama<Self>, 65;
    BakedLlama: Llama<Self, Tiny>, 32;
    TinyQwen2: Qwen2<Self>, 32;
    TinyQwen3: Qwen3<Self>, 32;
}

engine_runtime::recipe! {
    /// An engine with kernels for two head sizes.
    WideHeads {
        backend: Reference,
        weights: Dense<f32>,
        model: Llama<Self>,
        head_dims: &[64, 128],
        limits: LIMITS,
    }
}

/// A tensor as a header lists it.
type Entry = (String, Dtype, Vec<usize>);

/// A sound folder, to be damaged.
struct Folder {
    dir: TempDir,
    config: Value,
    tensors: Vec<Entry>,
}

impl Folder {
    fn new() -> Self {
        let Dims {
            hidden,
            q_heads,
            kv_heads,
            head_dim,
            ffn,
            vocab,
            ..
        } = TINY;
        let (q, kv) = (q_heads * head_dim, kv_heads * head_dim);
        let layer = |name: &str| format!("model.layers.0.{name}.weight");
        let shapes = [
            ("model.embed_tokens.weight".to_owned(), vec![vocab, hidden]),
            (layer("input_layernorm"), vec![hidden]),
            (layer("self_attn.q_proj"), vec![q, hidden]),
            (layer("self_attn.k_proj"), vec![kv, hidden]),
            (layer("self_attn.v_proj"), vec![kv, hidden]),
            (layer("self_attn.o_proj"), vec![hidden, q]),
            (layer("post_attention_layernorm"), vec![hidden]),
            (layer("mlp.gate_proj"), vec![ffn, hidden]),
            (layer("mlp.up_proj"), vec![ffn, hidden]),
            (layer("mlp.down_proj"), vec![hidden, ffn]),
            ("model.norm.weight".to_owned(), vec![hidden]),
            ("lm_head.weight".to_owned(), vec![vocab, hidden]),
        ];
        Self {
            dir: TempDir::new().unwrap(),
            config: json!({
                "architectures": ["LlamaForCausalLM"],
                "hidden_size": hidden,
                "intermediate_size": ffn,
                "num_hidden_layers": 1,
                "num_attention_heads": q_heads,
                "num_key_value_heads": kv_heads,
                "max_position_embeddings": 64,
                "vocab_size": vocab,
                "rms_norm_eps": 1e-5,
                "rope_theta": 10000.0,
                "eos_token_id": [1, 2],
            }),
            tensors: shapes
                .map(|(name, shape)| (name, Dtype::BF16, shape))
                .to_vec(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn edit(&mut self, edit: impl FnOnce(&mut Self)) -> &mut Self {
        edit(self);
        self
    }

    /// Writes config.json and model.safetensors.
    fn write(&self) -> &Self {
        self.put("config.json", self.config.to_string());
        self.put("model.safetensors", shard(&self.tensors));
        self
    }

    fn check<R: Recipe>(&self) -> Result<Fit, CheckpointError> {
        R::Model::check(&Checkpoint::open(self.dir.path())?, &R::LIMITS)
    }

    /// The error of a folder that must be refused, less the path of the folder.
    fn refusal<R: Recipe>(&self) -> String {
        let message = self
            .check::<R>()
            .expect_err("this folder is not sound")
            .to_string();
        message.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

/// A safetensors file of these tensors, filled with ones.
fn shard(tensors: &[Entry]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, dtype, shape)| {
            let elements = shape.iter().product::<usize>();
            // One in bf16; any bytes will do for other types.
            [0x80, 0x3f].repeat(elements * dtype.bitsize() / 16)
        })
        .collect();
    let views = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, dtype, shape), bytes)| {
            (
                name.clone(),
                TensorView::new(*dtype, shape.clone(), bytes).unwrap(),
            )
        });
    safetensors::serialize(views, None).unwrap()
}

/// A file with this header and this many bytes of data.
fn with_header(header: &Value, data: usize) -> Vec<u8> {
    let header = header.to_string().into_bytes();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.resize(file.len() + data, 0);
    file
}

#[test]
fn the_folder_is_sound_before_it_is_damaged() {
    let folder = Folder::new();
    let fit = folder.write().check::<TinyLlama>().unwrap();
    assert_eq!(fit.dims, TINY);
    assert_eq!(fit.parameters, 2 * 80 + 3 * 8 + 64 + 2 * 32 + 64 + 3 * 48);
    assert_eq!(fit.converted().collect::<Vec<_>>(), ["bf16"]);
    assert_eq!(fit.memory.weights, 4 * (fit.parameters + 32 * 4));
    assert_eq!(fit.memory.kv_per_token, 2 * 4 * 4);
    folder.check::<BakedLlama>().unwrap();
    let checkpoint = Checkpoint::open(folder.dir.path()).unwrap();
    assert_eq!(checkpoint.eos_token_ids(None), [1, 2]);
    folder.put(
        "generation_config.json",
        r#"{"eos_token_id": 3, "temperature": 0.5, "top_k": 7}"#,
    );
    let checkpoint = Checkpoint::open(folder.dir.path()).unwrap();
    assert_eq!(checkpoint.eos_token_ids(None), [3]);
    assert_eq!(checkpoint.eos_token_ids(Some(3)), [3]);
    assert_eq!(checkpoint.eos_token_ids(Some(7)), [3, 7]);
    assert_eq!(checkpoint.generation.sampling.temperature, Some(0.5));
    assert_eq!(checkpoint.generation.sampling.top_k, Some(7));
    let mut solo =
        Solo::<TinyLlama>::load(folder.dir.path(), &DeviceOptions::default(), &mut |_, _| {});
    assert_eq!(
        solo.as_mut().unwrap().logits(&[1, 2, 3], 2).unwrap().len(),
        30
    );
}

#[test]
fn configs_are_refused_by_field() {
    let cases = [
        (
            "architectures",
            json!([]),
            "`architectures` must be a list of one class name",
        ),
        (
            "architectures",
            json!(["GPT2LMHeadModel"]),
            "architecture `GPT2LMHeadModel` is not supported; supported: LlamaForCausalLM, MistralForCausalLM, ",
        ),
        (
            "architectures",
            json!(["Qwen2ForCausalLM"]),
            "built for the llama family (LlamaForCausalLM, MistralForCausalLM), found the architecture `Qwen2ForCausalLM`",
        ),
        (
            "architectures",
            json!(["Gemma3ForConditionalGeneration"]),
            "supported: Gemma3ForCausalLM, which is its text model saved alone",
        ),
        (
            "model_type",
            json!("qwen2"),
            "`model_type` must be llama, as LlamaForCausalLM is, found qwen2",
        ),
        ("hidden_size", json!(null), "`hidden_size` must be set"),
        (
            "hidden_size",
            json!(0),
            "`hidden_size` must be a whole number from 1 to",
        ),
        (
            "hidden_size",
            json!(-8),
            "`hidden_size` must be a whole number from 1 to 1048576, found -8",
        ),
        ("hidden_size", json!(8.5), "found 8.5"),
        ("hidden_size", json!("8"), "found \"8\""),
        ("hidden_size", json!(1e300), "`hidden_size` must be"),
        ("hidden_size", json!(u64::MAX), "found 18446744073709551615"),
        (
            "hidden_size",
            json!(9),
            "`hidden_size` must be a multiple of num_attention_heads, 2",
        ),
        (
            "num_hidden_layers",
            json!(1_000_000_000),
            "`num_hidden_layers` must be a whole number from 1 to",
        ),
        (
            "num_hidden_layers",
            json!(2),
            "tensor `model.layers.1.input_layernorm.weight` is missing, expected shape [8]",
        ),
        (
            "num_attention_heads",
            json!(3),
            "`hidden_size` must be a multiple",
        ),
        (
            "num_key_value_heads",
            json!(3),
            "`num_key_value_heads` must be a divisor of num_attention_heads, 2, found 3",
        ),
        ("head_dim", json!(5), "`head_dim` must be an even number"),
        (
            "head_dim",
            json!(6),
            "tensor `model.layers.0.self_attn.q_proj.weight` has shape [8, 8], expected [12, 8]",
        ),
        (
            "intermediate_size",
            json!(7),
            "tensor `model.layers.0.mlp.gate_proj.weight` has shape [6, 8], expected [7, 8]",
        ),
        (
            "vocab_size",
            json!(16_777_216),
            "tensor `model.embed_tokens.weight` has shape [10, 8], expected [16777216, 8]",
        ),
        (
            "max_position_embeddings",
            json!(31),
            "max_position_embeddings allows sequences of 31 tokens, this engine is to take 32; set max-model-len to 31 or less",
        ),
        (
            "hidden_act",
            json!("gelu"),
            "hidden_act `gelu` is not supported; supported: silu",
        ),
        (
            "rms_norm_eps",
            json!("small"),
            "`rms_norm_eps` must be a number",
        ),
        (
            "rope_theta",
            json!(0),
            "`rope_theta` must be a number above 1",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "su", "factor": 4.0}),
            "rope type `su` is not supported; supported: default, linear, dynamic, llama3, yarn",
        ),
        (
            "rope_scaling",
            json!({"type": "longrope", "factor": 4.0}),
            "rope type `longrope`",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "linear"}),
            "`rope_scaling.factor` must be set",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "linear", "factor": -1}),
            "`rope_scaling.factor` must be a number from 1e-6",
        ),
        (
            "rope_scaling",
            json!({"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 1.0, "original_max_position_embeddings": 64}),
            "`rope_scaling.high_freq_factor` must be above low_freq_factor",
        ),
        (
            "rope_scaling",
            json!("linear"),
            "`rope_scaling` must be an object",
        ),
        (
            "rope_parameters",
            json!({"full_attention": {"rope_type": "default"}}),
            "`rope_parameters.rope_type` must be one for all layers",
        ),
        (
            "rope_parameters",
            json!({"rope_type": "longrope"}),
            "rope type `longrope`",
        ),
        (
            "partial_rotary_factor",
            json!(0.5),
            "`partial_rotary_factor` must be 1",
        ),
        (
            "tie_word_embeddings",
            json!(1),
            "`tie_word_embeddings` must be true or false",
        ),
        (
            "attention_bias",
            json!(true),
            "tensor `model.layers.0.self_attn.q_proj.bias` is missing, expected shape [8]",
        ),
        (
            "mlp_bias",
            json!(true),
            "tensor `model.layers.0.mlp.gate_proj.bias` is missing",
        ),
        (
            "eos_token_id",
            json!([1, -1]),
            "`eos_token_id` must be a token id or a list of them",
        ),
        (
            "quantization_config",
            json!({"quant_method": "awq"}),
            "quantization_config `awq` is not supported",
        ),
        (
            "layer_types",
            json!(["linear_attention"]),
            "layer type `\"linear_attention\"` is not supported",
        ),
    ];
    for (field, value, expected) in cases {
        let mut folder = Folder::new();
        let shown = value.to_string();
        folder.edit(|folder| folder.config[field] = value).write();
        let message = folder.refusal::<TinyLlama>();
        assert!(
            message.contains(expected),
            "{field} = {shown}:\n{message}\nexpected {expected}"
        );
        let names_a_file = ["config.json: ", "model.safetensors: "];
        assert!(
            names_a_file.iter().any(|file| message.starts_with(file)),
            "{message}"
        );
    }
}

#[test]
fn json_files_are_bounded_in_depth_and_size() {
    let folder = Folder::new();
    folder.write();
    folder.put("config.json", "[".repeat(100_000));
    assert!(
        folder
            .refusal::<TinyLlama>()
            .starts_with("config.json is not valid JSON: recursion limit")
    );
    folder.put("config.json", "[]");
    assert_eq!(
        folder.refusal::<TinyLlama>(),
        "config.json is not valid JSON: expected an object, found []"
    );
    folder.put("config.json", " ".repeat(5 << 20));
    assert!(
        folder
            .refusal::<TinyLlama>()
            .starts_with("config.json has 5242880 bytes, more than the 4194304")
    );
    folder.put("config.json", [0xff, 0xfe]);
    assert!(
        folder
            .refusal::<TinyLlama>()
            .starts_with("config.json is not valid JSON")
    );
    fs::remove_file(folder.path("config.json")).unwrap();
    assert!(
        folder
            .refusal::<TinyLlama>()
            .starts_with("cannot read config.json: ")
    );
    fs::create_dir(folder.path("config.json")).unwrap();
    assert_eq!(
        folder.refusal::<TinyLlama>(),
        "config.json is not a regular file"
    );
}

#[test]
fn a_shape_that_is_compiled_in_is_compared_field_by_field() {
    for (field, value) in [
        ("num_hidden_layers", 2),
        ("hidden_size", 16),
        ("num_attention_heads", 4),
        ("num_key_value_heads", 2),
        ("head_dim", 8),
        ("intermediate_size", 7),
        ("vocab_size", 11),
    ] {
        let mut folder = Folder::new();
        folder.config["head_dim"] = json!(TINY.head_dim);
        folder
            .edit(|folder| folder.config[field] = json!(value))
            .write();
        let message = folder.refusal::<BakedLlama>();
        let expected = format!("config.json: this engine was built for {field} = ");
        assert!(
            message.starts_with(&expected) && message.contains(&format!("found {value}")),
            "{message}"
        );
    }
}

#[test]
fn heads_of_a_size_without_kernels_are_refused() {
    let folder = Folder::new();
    folder.write().check::<WideHeads>().expect_err("heads of 4");
    let message = folder.refusal::<WideHeads>();
    assert!(
        message.contains(
            "built for attention heads of [64, 128], found 4; build it with `head-dims = [4]`"
        ),
        "{message}"
    );
}

#[test]
fn positions_bound_the_context_and_a_window_does_not() {
    let mut folder = Folder::new();
    assert!(
        folder
            .write()
            .refusal::<LongLlama>()
            .contains("max_position_embeddings allows sequences of 64 tokens")
    );
    folder.config["architectures"] = json!(["MistralForCausalLM"]);
    folder.config["sliding_window"] = json!(16);
    let fit = folder.write().check::<TinyLlama>();
    fit.expect("attention within a window goes on behind it");
}

#[test]
fn tensors_are_refused_by_name() {
    let refusal = |edit: &dyn Fn(&mut Vec<Entry>)| {
        let mut folder = Folder::new();
        edit(&mut folder.tensors);
        folder.write().refusal::<TinyLlama>()
    };
    let find = |tensors: &mut Vec<Entry>, name: &str| {
        tensors
            .iter()
            .position(|(tensor, _, _)| tensor == name)
            .unwrap()
    };
    let down = "model.layers.0.mlp.down_proj.weight";
    assert_eq!(
        refusal(&|tensors| {
            let at = find(tensors, down);
            tensors.remove(at);
        }),
        format!("model.safetensors: tensor `{down}` is missing, expected shape [8, 6]")
    );
    assert_eq!(
        refusal(&|tensors| {
            let at = find(tensors, down);
            tensors[at].2 = vec![6, 8];
        }),
        format!("model.safetensors: tensor `{down}` has shape [6, 8], expected [8, 6]")
    );
    assert_eq!(
        refusal(&|tensors| {
            let at = find(tensors, down);
            tensors[at].2 = vec![48];
        }),
        format!("model.safetensors: tensor `{down}` has shape [48], expected [8, 6]")
    );
    assert_eq!(
        refusal(&|tensors| {
            let at = find(tensors, down);
            tensors[at].1 = Dtype::I64;
        }),
        format!("model.safetensors: tensor `{down}` has type I64, expected F32, F16 or BF16")
    );
    let bias = "model.layers.0.self_attn.q_proj.bias";
    assert_eq!(
        refusal(&|tensors| tensors.push((bias.to_owned(), Dtype::F32, vec![8]))),
        format!(
            "model.safetensors: tensor `{bias}` has no place in the llama model that config.json describes, and \
             leaving it out would change the model"
        )
    );
    let mut folder = Folder::new();
    folder.tensors.push((
        "model.layers.0.self_attn.rotary_emb.inv_freq".to_owned(),
        Dtype::F32,
        vec![2],
    ));
    folder
        .write()
        .check::<TinyLlama>()
        .expect("old checkpoints hold a table of frequencies");
    folder.config["architectures"] = json!(["Qwen3ForCausalLM"]);
    folder.config["head_dim"] = json!(TINY.head_dim);
    let message = folder.write().refusal::<TinyQwen3>();
    assert!(
        message.contains("tensor `model.layers.0.self_attn.q_norm.weight` is missing"),
        "{message}"
    );
}

#[test]
fn embeddings_are_tied_by_the_config_alone() {
    let mut folder = Folder::new();
    assert!(!folder.write().check::<TinyLlama>().unwrap().tied);
    folder.config["tie_word_embeddings"] = json!(true);
    assert!(folder.write().check::<TinyLlama>().unwrap().tied);
    folder.tensors.pop();
    assert!(folder.write().check::<TinyLlama>().unwrap().tied);
    // A list of shards that lost the output matrix must not turn into a model with another one.
    for untied in [json!(false), json!(null)] {
        folder.config["tie_word_embeddings"] = untied;
        let message = folder.write().refusal::<TinyLlama>();
        assert!(
            message.contains("tensor `lm_head.weight` is missing, expected shape [10, 8]"),
            "{message}"
        );
    }
}

#[test]
fn shards_with_unsound_headers_are_refused() {
    let tensor = |dtype: &str, shape: Value, offsets: Value| json!({"dtype": dtype, "shape": shape, "data_offsets": offsets});
    let f32s = |shape, offsets| tensor("F32", shape, offsets);
    let huge = usize::MAX;
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("empty", vec![]),
        ("short", vec![1; 7]),
        (
            "header longer than the file",
            [&1000u64.to_le_bytes()[..], b"{}"].concat(),
        ),
        (
            "absurd header",
            [&u64::MAX.to_le_bytes()[..], b"{}"].concat(),
        ),
        (
            "header of terabytes",
            [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(),
        ),
        ("no JSON", [&4u64.to_le_bytes()[..], b"nope"].concat()),
        (
            "no UTF-8",
            [&2u64.to_le_bytes()[..], &[0xff, 0xff]].concat(),
        ),
        (
            "deep JSON",
            [
                &100_000u64.to_le_bytes()[..],
                "[".repeat(100_000).as_bytes(),
            ]
            .concat(),
        ),
        (
            "overlap",
            with_header(
                &json!({"a": f32s(json!([2]), json!([0, 8])), "b": f32s(json!([2]), json!([4, 12]))}),
                12,
            ),
        ),
        (
            "gap",
            with_header(
                &json!({"a": f32s(json!([2]), json!([0, 8])), "b": f32s(json!([1]), json!([12, 16]))}),
                16,
            ),
        ),
        (
            "backwards",
            with_header(&json!({"a": f32s(json!([2]), json!([8, 0]))}), 8),
        ),
        (
            "past the end",
            with_header(&json!({"a": f32s(json!([4]), json!([0, 16]))}), 8),
        ),
        (
            "bytes left over",
            with_header(&json!({"a": f32s(json!([2]), json!([0, 8]))}), 9),
        ),
        (
            "shape and size differ",
            with_header(&json!({"a": f32s(json!([3]), json!([0, 8]))}), 8),
        ),
        (
            "sizes overflow",
            with_header(&json!({"a": f32s(json!([huge, huge]), json!([0, 8]))}), 8),
        ),
        (
            "offsets overflow",
            with_header(&json!({"a": f32s(json!([2]), json!([huge - 7, huge]))}), 8),
        ),
        (
            "negative size",
            with_header(&json!({"a": f32s(json!([-2]), json!([0, 8]))}), 8),
        ),
        (
            "unknown type",
            with_header(&json!({"a": tensor("F99", json!([2]), json!([0, 8]))}), 8),
        ),
        ("a list", with_header(&json!([1, 2]), 0)),
    ];
    for (what, bytes) in cases {
        let folder = Folder::new();
        folder.write().put("model.safetensors", bytes);
        let message = folder.refusal::<TinyLlama>();
        assert!(
            message.starts_with("model.safetensors is not a sound safetensors file: "),
            "{what}: {message}"
        );
    }
    let folder = Folder::new();
    folder.write();
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    assert!(
        folder
            .refusal::<TinyLlama>()
            .starts_with("no model.safetensors and no model.safetensors.index.json in ")
    );
    folder.put("pytorch_model.bin", "");
    assert!(
        folder
            .refusal::<TinyLlama>()
            .contains("pytorch_model.bin is there")
    );
    fs::create_dir(folder.path("model.safetensors")).unwrap();
    assert_eq!(
        folder.refusal::<TinyLlama>(),
        "model.safetensors is not a regular file"
    );
}

/// Splits a sound folder in two shards and returns its index.
fn split(folder: &Folder) -> Value {
    folder.write();
    fs::remove_file(folder.path("model.safetensors")).unwrap();
    let (first, second) = folder.tensors.split_at(5);
    folder.put("one.safetensors", shard(first));
    folder.put("two.safetensors", shard(second));
    let names = |part: &[Entry], file: &str| {
        part.iter()
            .map(|(name, ..)| (name.clone(), json!(file)))
            .collect::<Vec<_>>()
    };
    let map = [
        names(first, "one.safetensors"),
        names(second, "two.safetensors"),
    ]
    .concat();
    json!({"metadata": {}, "weight_map": serde_json::Map::from_iter(map)})
}

#[test]
fn an_index_stays_in_its_folder_and_tells_the_truth() {
    let folder = Folder::new();
    let index = split(&folder);
    let put = |index: &Value| folder.put("model.safetensors.index.json", index.to_string());
    put(&index);
    folder.check::<TinyLlama>().unwrap();

    let norm = "model.norm.weight";
    for name in [
        "../outside.safetensors",
        "/etc/passwd",
        "sub/two.safetensors",
        "..",
        ".",
        "",
        "a\\b",
        "./two.safetensors",
    ] {
        let mut index = index.clone();
        index["weight_map"][norm] = json!(name);
        put(&index);
        let message = folder.refusal::<TinyLlama>();
        assert!(
            message.contains("which is not the name of a file in the same folder"),
            "{name}: {message}"
        );
    }
    for (name, expected) in [
        (
            json!("three.safetensors"),
            "cannot read three.safetensors: ",
        ),
        (
            json!("one.safetensors"),
            "`weight_map.model.norm.weight` must be the shard that holds it, found one.safetensors",
        ),
        (
            json!(7),
            "`weight_map.model.norm.weight` must be a string, found 7",
        ),
    ] {
        let mut index = index.clone();
        index["weight_map"][norm] = name;
        put(&index);
        let message = folder.refusal::<TinyLlama>();
        assert!(message.contains(expected), "{message}");
    }
    put(&json!({"metadata": {}}));
    assert!(
        folder
            .refusal::<TinyLlama>()
            .contains("`weight_map` must be set")
    );
    put(&index);
    folder.put("one.safetensors", shard(&folder.tensors));
    let message = folder.refusal::<TinyLlama>();
    assert!(
        message.contains("lies both in one.safetensors and in two.safetensors"),
        "{message}"
    );
}

#[test]
fn every_truncation_of_every_file_is_an_error_and_no_panic() {
    let folder = Folder::new();
    folder.write();
    folder.put(
        "generation_config.json",
        r#"{"eos_token_id": [1, 2], "temperature": 0.6, "top_p": 0.9}"#,
    );
    for file in ["model.safetensors", "config.json", "generation_config.json"] {
        let whole = fs::read(folder.path(file)).unwrap();
        for len in 0..whole.len() {
            folder.put(file, &whole[..len]);
            assert!(
                folder.refusal::<TinyLlama>().contains(file),
                "{file} cut to {len} bytes"
            );
        }
        folder.put(file, &whole);
        folder.check::<TinyLlama>().unwrap();
    }
    let index = split(&folder).to_string();
    for len in 0..index.len() {
        folder.put("model.safetensors.index.json", &index[..len]);
        assert!(folder.refusal::<TinyLlama>().contains("index.json"));
    }
}

/// Changes bytes of a file: where, as a share of its length, and to what.
fn flip(bytes: &mut [u8], flips: &[(f64, u8)]) {
    let len = bytes.len() as f64;
    for &(share, byte) in flips {
        bytes[(share * len) as usize] = byte;
    }
}

proptest! {
    #![proptest_config(testbed::properties(400))]

    #[test]
    fn flipped_bytes_never_panic(
        file in prop::sample::select(vec!["model.safetensors", "config.json"]),
        // Bytes that mean something to JSON come up as often as any others.
        flips in prop::collection::vec((0.0..1.0f64, prop_oneof![any::<u8>(), prop::sample::select(&b"\"{}[],:0129-.eE\\"[..])]), 1..4),
    ) {
        let folder = Folder::new();
        folder.write();
        let mut bytes = fs::read(folder.path(file)).unwrap();
        flip(&mut bytes, &flips);
        folder.put(file, &bytes);
        let outcome = catch_unwind(|| {
            folder.check::<TinyLlama>().ok();
        });
        prop_assert!(outcome.is_ok(), "{file} with {flips:?}");
    }
}
