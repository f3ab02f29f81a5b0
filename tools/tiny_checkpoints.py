"""Tiny random checkpoints in Hugging Face layout, and what transformers computes from them.

Used by make_goldens.py (committed samples) and compare_transformers.py (fresh
ones at each run). Not here: anything about our engine.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

GREEDY_STEPS = 64
DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
# How far f32 may be off: the order of additions is free, nothing else.
BOUND_F32 = 1e-4
# How far lower precisions may be off, as a share of the largest logit. Measured with
# transformers on 24 random checkpoints each (all families, 2 to 4 layers, 200 positions):
# rounding the inputs of the linear layers alone gives up to 0.034 in bf16 and 0.011 in f16,
# everything in that type up to 0.135 and 0.022. A wrong layer gives about 1.
ROUNDING = {"f16": 0.02, "bf16": 0.08}

torch.set_num_threads(2)
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()


@dataclass(frozen=True)
class Checkpoint:
    """What to write: a family (a config's `model_type`), its dimensions, and the form of the files.

    `gemma3` stands for its text model. `extra` are fields of the config as transformers 5 calls them: windows, experts.
    """

    family: str
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocab: int
    layers: int = 2
    tied: bool = False
    max_position: int = 512
    rope_theta: float = 10000.0
    # None, or what transformers 5 calls rope_parameters, less the theta.
    rope: dict | None = None
    # The version of transformers whose config.json is imitated.
    config_version: int = 4
    # transformers before 4.43 wrote `type` where later versions write `rope_type`.
    rope_type_key: str = "rope_type"
    dtype: str = "f32"
    sharded: bool = False
    # Deviation of a matrix's outputs for inputs of deviation 1. Above 1 attention is sharp and rounding grows.
    gain: float = 1.5
    extra: dict = field(default_factory=dict)

    def write(self, out: Path, seed: int) -> None:
        """Random weights that make every part matter: norms are not 1, biases not 0, attention not flat."""
        model = AutoModelForCausalLM.from_config(self.config(), dtype=torch.float32)
        random = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(self.values(name, parameter.shape, random))
        model.to(DTYPES[self.dtype])
        # About three shards, whatever the size.
        size = sum(p.numel() * p.element_size() for p in model.parameters())
        model.save_pretrained(out, max_shard_size=size // 3 + 1 if self.sharded else "5GB")
        (out / "generation_config.json").unlink(missing_ok=True)
        config = json.loads((out / "config.json").read_text())
        if self.config_version == 4:
            config = self.as_version_4(config)
        (out / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")

    def config(self) -> PreTrainedConfig:
        rope = {"rope_type": "default"} | (self.rope or {}) | {"rope_theta": self.rope_theta}
        if self.family == "gemma3":
            local = {"rope_type": "default", "rope_theta": LOCAL_THETA}
            rope = {"full_attention": rope, "sliding_attention": local}
        settings = {
            "hidden_size": self.hidden,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "intermediate_size": self.ffn,
            "vocab_size": self.vocab,
            "num_hidden_layers": self.layers,
            "tie_word_embeddings": self.tied,
            "max_position_embeddings": self.max_position,
            "rms_norm_eps": 1e-5,
            "rope_parameters": rope,
            "bos_token_id": 1,
            "eos_token_id": 2,
        }
        if self.family == "mistral":
            settings["sliding_window"] = None
        if self.family != "qwen2":
            settings["head_dim"] = self.head_dim
        model_type = "gemma3_text" if self.family == "gemma3" else self.family
        return transformers.AutoConfig.for_model(model_type, **settings | self.extra)

    def as_version_4(self, config: dict) -> dict:
        """config.json as transformers 4 wrote it: rope_theta and rope_scaling, torch_dtype."""
        config = dict(config)
        rope = dict(config.pop("rope_parameters"))
        if self.family == "gemma3":
            config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
            config["sliding_window_pattern"] = self.extra["sliding_window_pattern"]
            rope = dict(rope["full_attention"])
        config["rope_theta"] = rope.pop("rope_theta")
        kind = rope.pop("rope_type")
        config["rope_scaling"] = None if kind == "default" else {self.rope_type_key: kind} | rope
        config["torch_dtype"] = config.pop("dtype")
        config["transformers_version"] = "4.46.0"
        config.pop("layer_types", None)
        if self.family in ("llama", "mistral") and self.head_dim * self.heads == self.hidden:
            config.pop("head_dim", None)
        return config

    def values(self, name: str, shape: torch.Size, random: torch.Generator) -> torch.Tensor:
        noise = torch.randn(shape, generator=random)
        if name.endswith("norm.weight"):
            # Gemma's weights are what is added to 1.
            return 0.2 * noise + (0.0 if self.family == "gemma3" else 1.0)
        if name.endswith("bias"):
            return 0.5 * noise
        if "embed_tokens" in name:
            # A tied table is the output layer too, and must not drown it.
            return noise * (2.0 * self.hidden**-0.5 if self.tied else 1.0)
        # The inputs of a matrix are its last dimension; experts have one in front.
        return noise * (self.gain * shape[-1] ** -0.5)


@dataclass(frozen=True)
class Reference:
    """What transformers says of one prompt, in f32 arithmetic on the checkpoint's weights."""

    # [len, vocab]
    logits: torch.Tensor
    # [GREEDY_STEPS], end-of-sequence ignored
    greedy: torch.Tensor
    # [GREEDY_STEPS]: how far the best logit was above the second at each greedy step
    gaps: torch.Tensor


def load(folder: Path) -> PreTrainedModel:
    """Eager attention and experts, weights of any dtype made f32, so that only the order of additions is open."""
    return AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
    ).eval()


@torch.no_grad()
def route_gap(model: PreTrainedModel, prompts: list[list[int]]) -> float:
    """How far the last expert that is taken was above the first that is not, in logits, at least; no experts: infinite.

    Rounding may choose otherwise where they are close, and then compute something else altogether.
    """
    gaps = [float("inf")]
    for prompt in prompts:
        out = model(torch.tensor([prompt]), output_router_logits=True)
        for logits in out.router_logits:
            taken = model.config.num_experts_per_tok
            best = logits.topk(taken + 1).values
            gaps.append(float((best[:, -2] - best[:, -1]).min()))
    return min(gaps)


@torch.no_grad()
def reference(model: PreTrainedModel, prompt: list[int]) -> Reference:
    """Logits at every position of the prompt, then greedy tokens through the key-value cache."""
    out = model(torch.tensor([prompt]), use_cache=True)
    logits, cache, last = out.logits[0], out.past_key_values, out.logits[0, -1]
    tokens, gaps = [], []
    for _ in range(GREEDY_STEPS):
        best = last.topk(2)
        tokens.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
        out = model(torch.tensor([[tokens[-1]]]), past_key_values=cache, use_cache=True)
        cache, last = out.past_key_values, out.logits[0, -1]
    return Reference(logits, torch.tensor(tokens), torch.tensor(gaps))


def bounds(largest_logit: float) -> dict[str, float]:
    """The largest difference allowed to an engine that computes in each type."""
    return {"f32": BOUND_F32} | {dtype: share * largest_logit for dtype, share in ROUNDING.items()}


def prompts(lengths: list[int], vocab: int, seed: int) -> list[list[int]]:
    random = torch.Generator().manual_seed(seed)
    return [torch.randint(0, vocab, (length,), generator=random).tolist() for length in lengths]


LLAMA3_ROPE = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    # Small, so that short prompts reach all three bands of frequencies.
    "original_max_position_embeddings": 64,
}
LOCAL_THETA = 10000.0
LINEAR_ROPE = {"rope_type": "linear", "factor": 4.0}
# An original context so short that a tiny head has pairs on both sides of the band and within it.
YARN_ROPE = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128, "beta_fast": 8.0}
