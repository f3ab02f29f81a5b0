//! A Llama of a few thousand random weights, written as a checkpoint folder.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Map, Value, json};

use crate::sampler::uniform;

/// Sizes of the model.
pub const VOCAB: usize = 128;
const LAYERS: usize = 2;
const HIDDEN: usize = 32;
const Q_HEADS: usize = 4;
const KV_HEADS: usize = 2;
const HEAD_DIM: usize = 8;
const FFN: usize = 48;
pub const MAX_POSITIONS: usize = 128;
/// Elements of keys and values at one position.
pub const KV_ELEMENTS: usize = 2 * LAYERS * KV_HEADS * HEAD_DIM;

/// A checkpoint folder that is deleted when this is dropped.
#[derive(Debug)]
pub struct TinyLlama {
    dir: PathBuf,
}

impl TinyLlama {
    /// Weights are a function of `seed` alone, in f32.
    pub fn write(seed: u64) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("lathe-tiny-llama-{}-{number}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&dir)?;
        std::fs::write(dir.join("config.json"), config().to_string())?;
        std::fs::write(dir.join("model.safetensors"), tensors(seed))?;
        Ok(Self { dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl Drop for TinyLlama {
    fn drop(&mut self) {
        // A folder that stays behind in the temporary directory harms no test.
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn config() -> Value {
    json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "vocab_size": VOCAB,
        "num_hidden_layers": LAYERS,
        "hidden_size": HIDDEN,
        "num_attention_heads": Q_HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "intermediate_size": FFN,
        "max_position_embeddings": MAX_POSITIONS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": false,
    })
}

/// Name, shape, and the bound of the uniform weights around `centre`.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    centre: f32,
    bound: f32,
}

/// The file: eight bytes of header length, the header, the values.
fn tensors(seed: u64) -> Vec<u8> {
    let mut header = Map::new();
    let mut data = Vec::new();
    let mut position = 0;
    for tensor in layout() {
        let start = data.len();
        for _ in 0..tensor.shape.iter().product() {
            let spread = 2.0 * uniform(seed, position) - 1.0;
            data.extend((tensor.centre + tensor.bound * spread).to_le_bytes());
            position += 1;
        }
        let entry = json!({
            "dtype": "F32",
            "shape": tensor.shape,
            "data_offsets": [start, data.len()],
        });
        header.insert(tensor.name, entry);
    }
    let mut header = Value::from(header).to_string();
    while !header.len().is_multiple_of(8) {
        header.push(' ');
    }
    let len = header.len() as u64;
    [&len.to_le_bytes(), header.as_bytes(), &data].concat()
}

fn layout() -> Vec<Tensor> {
    let matrix = |name: String, rows: usize, cols: usize| Tensor {
        name,
        shape: vec![rows, cols],
        centre: 0.0,
        bound: 3.0 / (cols as f32).sqrt(),
    };
    let norm = |name: String| Tensor {
        name,
        shape: vec![HIDDEN],
        centre: 1.0,
        bound: 0.2,
    };
    let (q, kv) = (Q_HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM);
    let mut all = vec![
        matrix("model.embed_tokens.weight".to_owned(), VOCAB, HIDDEN),
        norm("model.norm.weight".to_owned()),
        matrix("lm_head.weight".to_owned(), VOCAB, HIDDEN),
    ];
    for layer in 0..LAYERS {
        let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
        all.extend([
            norm(name("input_layernorm")),
            matrix(name("self_attn.q_proj"), q, HIDDEN),
            matrix(name("self_attn.k_proj"), kv, HIDDEN),
            matrix(name("self_attn.v_proj"), kv, HIDDEN),
            matrix(name("self_attn.o_proj"), HIDDEN, q),
            norm(name("post_attention_layernorm")),
            matrix(name("mlp.gate_proj"), FFN, HIDDEN),
            matrix(name("mlp.up_proj"), FFN, HIDDEN),
            matrix(name("mlp.down_proj"), HIDDEN, FFN),
        ]);
    }
    all
}
