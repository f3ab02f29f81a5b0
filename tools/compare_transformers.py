#!/usr/bin/env python3
"""Compares our engine with transformers on fresh random checkpoints.

For every case a tiny checkpoint of random shape is written (every family, with windows and experts, f32,
bf16 and f16 files, one file or shards, config.json as transformers 4 and 5 write
it, plain, linear and llama3 rotary embeddings, grouped heads, odd sizes), then
three prompts, the longest about 300 tokens, go through transformers (f32
arithmetic, eager attention) and through engine-runtime's example `logits`:

    cargo run --release -q -p engine-runtime --features compare --example logits -- MODEL
        --dtype f32|f16|bf16 --backend NAME --tokens IN.json --out OUT.safetensors --greedy 64

Held to: in f32, every logit within 1e-4 of transformers' and all 64 greedy tokens
equal. Greedy tokens may part only at a near tie, where transformers' best two
logits are closer than 2e-4 and either choice is right; such cases are counted.
In bf16 and f16 (only on files of that type), logits within the share of the
largest logit that ROUNDING in tiny_checkpoints.py states; greedy tokens are
reported, not judged, since rounding may choose otherwise. So are logits of models
with experts, where rounding may send a row to another expert: there only f32 is
judged here, and the goldens, whose routes are clear, judge the rounded types.

    tools/compare_transformers.py --cases 24 --seed $RANDOM

Prints a table; exit status 1 when any case fails. The seed in the first line
repeats a run. Versions: tools/requirements.txt (torch, transformers,
safetensors, numpy).
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch

from tiny_checkpoints import (
    BOUND_F32,
    GREEDY_STEPS,
    LINEAR_ROPE,
    LLAMA3_ROPE,
    Checkpoint,
    Reference,
    bounds,
    load,
    prompts,
    reference,
)

ROOT = Path(__file__).resolve().parent.parent
FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "gemma3", "qwen3_moe"]


@dataclass(frozen=True)
class Result:
    """One engine run of one case."""

    dtype: str
    difference: float
    bound: float
    # Greedy tokens equal up to the first difference, of all.
    greedy_equal: int
    greedy_total: int
    near_ties: int
    parted: int

    def passed(self) -> bool:
        return self.difference <= self.bound and (self.dtype != "f32" or self.parted == 0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--seed", type=int, help="none: a new one")
    parser.add_argument("--backend", action="append", help="as the example names it; may be repeated; none: reference and cpu")
    parser.add_argument("--logits", type=Path, help="the example's binary; none: built with cargo first")
    args = parser.parse_args()
    seed = random.randrange(2**31) if args.seed is None else args.seed
    print(f"seed {seed}, {args.cases} cases")
    binary = args.logits or build()
    backends = args.backend or ["reference", "cpu"]
    dice = random.Random(seed)
    failed = near_ties = 0
    print(f"{'case':76} {'backend':10} {'dtype':5} {'|difference|':>12} {'bound':>8} {'greedy':>8}")
    for number in range(args.cases):
        checkpoint = draw(dice, number)
        with tempfile.TemporaryDirectory() as folder:
            checkpoint.write(Path(folder), seed + number)
            lengths = [dice.randint(1, 3), dice.randint(15, 50), dice.randint(270, 330)]
            inputs = prompts(lengths, checkpoint.vocab, seed + number)
            model = load(Path(folder))
            known = [reference(model, prompt) for prompt in inputs]
            for backend in backends:
                for dtype in dict.fromkeys(["f32", checkpoint.dtype]):
                    answer = run(binary, Path(folder), backend, dtype, inputs)
                    result = judge(checkpoint.family, dtype, known, answer)
                    failed += not result.passed()
                    near_ties += result.near_ties
                    print_row(number, checkpoint, backend, result)
    print(f"{failed} failed, {near_ties} near ties where greedy tokens parted")
    sys.exit(1 if failed else 0)


def build() -> Path:
    command = ["cargo", "build", "--release", "-q", "-p", "engine-runtime", "--features", "compare", "--example", "logits"]
    command += ["--message-format", "json"]
    result = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit("error: the example does not build")
    messages = map(json.loads, result.stdout.splitlines())
    return next(Path(m["executable"]) for m in messages if m.get("executable"))


def draw(dice: random.Random, number: int) -> Checkpoint:
    """A random case; families take turns."""
    family = FAMILIES[number % len(FAMILIES)]
    kv_heads = dice.choice([1, 1, 2, 3, 4])
    heads = kv_heads * dice.choice([1, 2, 3, 4, 7])
    head_dim = dice.choice([8, 10, 16, 18, 32, 64])
    while heads * head_dim > 256:
        heads, kv_heads = heads // kv_heads, 1
        head_dim = max(8, head_dim // 4 * 2)  # stays even, for the rotation
    # A hidden size of its own where the family allows it, as large Mistral and Qwen 3 models have.
    free = family in ("mistral", "qwen3", "gemma3", "qwen3_moe")
    ropes = {"llama": [None, LINEAR_ROPE, LLAMA3_ROPE], "gemma3": [None, LINEAR_ROPE]}
    rope = dice.choice(ropes.get(family, [None]))
    layers = dice.choice([1, 2, 3, 4])
    return Checkpoint(
        family=family,
        # transformers wants Gemma's rows to be a multiple of its heads.
        hidden=heads * dice.choice([9, 16, 31]) if family == "gemma3" else
        dice.choice([20, 36, 52, 75, 96, 130]) if free else heads * head_dim,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        ffn=dice.choice([33, 64, 77, 96, 150, 201]),
        vocab=dice.choice([67, 96, 131, 257, 509]),
        layers=layers,
        tied=dice.random() < 0.5,
        rope_theta=dice.choice([10000.0, 500000.0, 1000000.0]),
        rope=rope,
        rope_type_key=dice.choice(["type", "rope_type"]),
        config_version=dice.choice([4, 5]),
        dtype=dice.choice(["f32", "bf16", "f16"]),
        sharded=dice.random() < 0.4,
        # Shapes go deeper here than in the golden files, and a seed that nobody chose must not fail by rounding.
        gain=1.0,
        extra=extra(dice, family, layers),
    )


def extra(dice: random.Random, family: str, layers: int) -> dict:
    """Windows shorter and longer than the prompts, and experts."""
    window = dice.choice([5, 16, 40, 64, 65, 400])
    match family:
        case "mistral":
            return {"sliding_window": dice.choice([None, window])}
        case "qwen2" | "qwen3":
            first = dice.randint(0, layers)
            return {"use_sliding_window": dice.random() < 0.5, "sliding_window": window, "max_window_layers": first}
        case "gemma3":
            scalar = dice.choice([16, 24, 100])
            return {"sliding_window": window, "sliding_window_pattern": dice.choice([2, 3, 6]), "query_pre_attn_scalar": scalar}
        case "qwen3_moe":
            experts = dice.choice([3, 8, 17])
            return {
                "num_experts": experts, "num_experts_per_tok": dice.randint(1, min(experts - 1, 4)),
                "moe_intermediate_size": dice.choice([9, 32, 50]), "norm_topk_prob": dice.random() < 0.5,
                "decoder_sparse_step": dice.choice([1, 1, 2]), "mlp_only_layers": dice.choice([[], [0]]),
            }
    return {}


def run(binary: Path, folder: Path, backend: str, dtype: str, inputs: list[list[int]]) -> dict[str, torch.Tensor]:
    tokens, out = folder / "tokens.json", folder / "answer.out"
    tokens.write_text(json.dumps(inputs))
    command = [binary, folder, "--dtype", dtype, "--backend", backend, "--tokens", tokens, "--out", out]
    result = subprocess.run([*map(str, command), "--greedy", str(GREEDY_STEPS)])
    if result.returncode:
        print((folder / "config.json").read_text())
        sys.exit(f"error: {' '.join(map(str, command))} exited with {result.returncode}")
    return safetensors.torch.load_file(out)


def judge(family: str, dtype: str, known: list[Reference], answer: dict[str, torch.Tensor]) -> Result:
    largest = max(float(r.logits.abs().max()) for r in known)
    difference, equal, near_ties, parted = 0.0, 0, 0, 0
    for i, expected in enumerate(known):
        logits, greedy = answer[f"logits.{i}"], answer[f"greedy.{i}"]
        if logits.shape != expected.logits.shape or greedy.shape != expected.greedy.shape:
            sys.exit(f"error: shapes {list(logits.shape)}, {list(greedy.shape)} for prompt {i}")
        # A NaN compares false with everything, so it has to be made a failure.
        worst = float((logits - expected.logits).abs().max())
        difference = max(difference, worst) if worst == worst else float("inf")
        unequal = (greedy != expected.greedy).nonzero()
        if len(unequal) == 0:
            equal += GREEDY_STEPS
            continue
        first = int(unequal[0])
        equal += first
        # After a fork the two texts differ rightly, so only the fork itself is judged.
        if float(expected.gaps[first]) < 2 * BOUND_F32:
            near_ties += 1
        else:
            parted += 1
    may_route_otherwise = family == "qwen3_moe" and dtype != "f32"
    # Anything finite, so that a NaN is still a failure.
    bound = sys.float_info.max if may_route_otherwise else bounds(largest)[dtype]
    return Result(dtype, difference, bound, equal, GREEDY_STEPS * len(known), near_ties, parted)


def print_row(number: int, checkpoint: Checkpoint, backend: str, result: Result) -> None:
    rope = checkpoint.rope["rope_type"] if checkpoint.rope else "plain"
    form = f"{checkpoint.dtype}{' sharded' if checkpoint.sharded else ''}{' tied' if checkpoint.tied else ''}"
    case = (
        f"{number:3} {checkpoint.family:7} {checkpoint.hidden}x{checkpoint.ffn}x{checkpoint.vocab}"
        f" {checkpoint.heads}/{checkpoint.kv_heads}x{checkpoint.head_dim} {checkpoint.layers} layers"
        f" {rope} v{checkpoint.config_version} {form}"
    )
    mark = "" if result.passed() else "  FAILED"
    print(
        f"{case:76} {backend:10} {result.dtype:5} {result.difference:12.2e} {result.bound:8.1e}"
        f" {result.greedy_equal:4}/{result.greedy_total}{mark}",
        flush=True,
    )


if __name__ == "__main__":
    main()
