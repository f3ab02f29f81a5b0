#!/usr/bin/env python3
"""Makes the golden files that hold the runtime to transformers and tokenizers.

engine-runtime/tests/goldens/<name>/          a tiny random checkpoint and golden.safetensors:
    prompt.<i>   i64 [len]            token ids
    logits.<i>   f32 [len, vocab]     what transformers computes at every position
    greedy.<i>   i64 [64]             the tokens that follow, end-of-sequence ignored
engine-runtime/tests/goldens/tokenizers/<name>/   a tokenizer, made on the spot, and golden.json:
    texts, ids, text again, rendered chat templates
engine-runtime/tests/goldens/tokenizers/demo/golden.json   the same for models/demo

Weights are read as they are stored and made f32; all arithmetic is f32. An
engine that computes in f32 is held to 1e-4. One that rounds weights and
activations to bf16 or f16 is held to bound_bf16 or bound_f16 in the metadata of
golden.safetensors (how they were chosen: ROUNDING in tiny_checkpoints.py). Seeds
are tried until no greedy token was chosen by less than 0.002, so that equal
greedy tokens can be demanded in f32.

    tools/make_goldens.py            # all
    tools/make_goldens.py qwen3      # one
    tools/make_goldens.py demo       # after the demo model was trained anew

Versions: tools/requirements.txt (torch, transformers, tokenizers, safetensors).
"""

import argparse
import shutil
import tempfile
from pathlib import Path

import safetensors.torch
import torch
import transformers

from tiny_checkpoints import LINEAR_ROPE, LLAMA3_ROPE, YARN_ROPE, Checkpoint, Reference, bounds, load, prompts, reference, route_gap
from tiny_tokenizers import TOKENIZERS, write_golden

ROOT = Path(__file__).resolve().parent.parent
GOLDENS = ROOT / "engine-runtime/tests/goldens"
# Around a block of 16 tokens, one alone, and one past the 64 positions that llama3's rope scaling turns at.
PROMPT_LENGTHS = [1, 17, 32, 83]
# Ten times what two logits may move towards each other.
LEAST_GAP = 0.002
# Several times what rounding to bf16 moves a router's logit by.
LEAST_ROUTE_GAP = 0.02

CHECKPOINTS = {
    "llama-2": Checkpoint("llama", hidden=32, heads=2, kv_heads=2, head_dim=16, ffn=72, vocab=97),
    "llama-3": Checkpoint(
        "llama", hidden=32, heads=4, kv_heads=2, head_dim=8, ffn=72, vocab=99, tied=True,
        rope_theta=500000.0, rope=LLAMA3_ROPE,
    ),
    "llama-3-rope-parameters": Checkpoint(
        "llama", hidden=48, heads=3, kv_heads=1, head_dim=16, ffn=80, vocab=96, dtype="f16",
        rope_theta=500000.0, rope=LLAMA3_ROPE, config_version=5,
    ),
    "llama-linear": Checkpoint(
        "llama", hidden=48, heads=6, kv_heads=2, head_dim=8, ffn=80, vocab=96, dtype="bf16",
        rope=LINEAR_ROPE, rope_type_key="type",
    ),
    "llama-linear-rope-parameters": Checkpoint(
        "llama", hidden=32, heads=2, kv_heads=1, head_dim=16, ffn=64, vocab=96, rope=LINEAR_ROPE, config_version=5,
    ),
    "llama-odd": Checkpoint("llama", hidden=42, heads=3, kv_heads=1, head_dim=14, ffn=61, vocab=101),
    "llama-sharded": Checkpoint(
        "llama", hidden=32, heads=4, kv_heads=4, head_dim=8, ffn=48, vocab=96, layers=3, sharded=True
    ),
    # Gemma 3: full attention in every third layer, windows shorter than the prompts, a scale that is not head_dim's.
    "gemma3": Checkpoint(
        "gemma3", hidden=40, heads=4, kv_heads=2, head_dim=16, ffn=56, vocab=98, layers=6, tied=True, rope_theta=1e6,
        extra={"sliding_window": 24, "sliding_window_pattern": 3, "query_pre_attn_scalar": 24},
    ),
    "gemma3-rope-parameters": Checkpoint(
        "gemma3", hidden=36, heads=3, kv_heads=1, head_dim=16, ffn=48, vocab=96, layers=4, tied=True, rope_theta=1e6,
        rope={"rope_type": "linear", "factor": 8.0}, dtype="bf16", config_version=5,
        extra={
            "sliding_window": 16, "query_pre_attn_scalar": 16,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention", "full_attention"],
        },
    ),
    "mistral": Checkpoint("mistral", hidden=40, heads=4, kv_heads=2, head_dim=16, ffn=56, vocab=98, rope_theta=1e6),
    "mistral-window": Checkpoint(
        "mistral", hidden=32, heads=4, kv_heads=2, head_dim=8, ffn=48, vocab=96, extra={"sliding_window": 24}
    ),
    "qwen2": Checkpoint(
        "qwen2", hidden=40, heads=5, kv_heads=1, head_dim=8, ffn=64, vocab=103, tied=True, rope_theta=1e6
    ),
    "qwen2-bf16": Checkpoint(
        "qwen2", hidden=48, heads=3, kv_heads=3, head_dim=16, ffn=64, vocab=96, dtype="bf16", config_version=5
    ),
    "qwen2-yarn": Checkpoint(
        "qwen2", hidden=48, heads=2, kv_heads=1, head_dim=24, ffn=48, vocab=96, rope=YARN_ROPE, rope_theta=1e6
    ),
    # The first layer sees all.
    "qwen2-window": Checkpoint(
        "qwen2", hidden=32, heads=4, kv_heads=2, head_dim=8, ffn=48, vocab=96, layers=3,
        extra={"use_sliding_window": True, "sliding_window": 20, "max_window_layers": 1},
    ),
    "qwen3": Checkpoint(
        "qwen3", hidden=40, heads=2, kv_heads=1, head_dim=32, ffn=56, vocab=97, rope_theta=1e6, tied=True
    ),
    "qwen3-moe": Checkpoint(
        "qwen3_moe", hidden=32, heads=4, kv_heads=2, head_dim=16, ffn=48, vocab=96, rope_theta=1e6,
        extra={
            "num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "norm_topk_prob": True,
        },
    ),
    # A dense layer by its place, one by name, and weights that do not add up to 1.
    "qwen3-moe-dense-layers": Checkpoint(
        "qwen3_moe", hidden=32, heads=2, kv_heads=1, head_dim=16, ffn=40, vocab=96, layers=4, rope_theta=1e6,
        dtype="bf16", config_version=5,
        extra={
            "num_experts": 5, "num_experts_per_tok": 3, "moe_intermediate_size": 20, "norm_topk_prob": False,
            "decoder_sparse_step": 2, "mlp_only_layers": [3],
        },
    ),
    "qwen3-rope-parameters": Checkpoint(
        "qwen3", hidden=32, heads=4, kv_heads=2, head_dim=16, ffn=48, vocab=96, rope_theta=1e6, config_version=5
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help=f"of {', '.join([*CHECKPOINTS, *TOKENIZERS, 'demo'])}; none: all")
    args = parser.parse_args()
    known = [*CHECKPOINTS, *TOKENIZERS, "demo"]
    if strangers := set(args.names) - set(known):
        parser.error(f"no golden is called {', '.join(strangers)}")
    for name in args.names or known:
        if name in CHECKPOINTS:
            make_checkpoint(name, CHECKPOINTS[name])
        elif name in TOKENIZERS:
            out = GOLDENS / "tokenizers" / name
            shutil.rmtree(out, ignore_errors=True)
            TOKENIZERS[name](out)
        else:
            write_golden(ROOT / "models/demo", GOLDENS / "tokenizers/demo")
        print(name)


def make_checkpoint(name: str, checkpoint: Checkpoint) -> None:
    out = GOLDENS / name
    inputs = prompts(PROMPT_LENGTHS, checkpoint.vocab, seed=1)
    for seed in range(1000):
        with tempfile.TemporaryDirectory() as folder:
            written = Path(folder)
            checkpoint.write(written, seed)
            model = load(written)
            if checkpoint.family == "qwen3_moe" and route_gap(model, inputs) < LEAST_ROUTE_GAP:
                continue
            references = [reference(model, prompt) for prompt in inputs]
            if min(float(r.gaps.min()) for r in references) >= LEAST_GAP:
                shutil.rmtree(out, ignore_errors=True)
                shutil.copytree(written, out)
                break
    else:
        raise SystemExit(f"error: {name}: every seed has a near tie")
    write_reference(out / "golden.safetensors", inputs, references)


def write_reference(path: Path, inputs: list[list[int]], references: list[Reference]) -> None:
    tensors = {}
    for i, (prompt, known) in enumerate(zip(inputs, references)):
        tensors[f"prompt.{i}"] = torch.tensor(prompt)
        tensors[f"logits.{i}"] = known.logits.contiguous()
        tensors[f"greedy.{i}"] = known.greedy
    largest = max(float(known.logits.abs().max()) for known in references)
    metadata = {
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        **{f"bound_{dtype}": repr(bound) for dtype, bound in bounds(largest).items()},
        "least_gap": repr(min(float(known.gaps.min()) for known in references)),
    }
    safetensors.torch.save_file(tensors, path, metadata)


if __name__ == "__main__":
    main()
