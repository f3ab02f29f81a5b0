#!/usr/bin/env python3
"""Measures our engine and llama.cpp side by side, in one run, on the same weights.

MODEL is a folder that tools/make_random_llama.py wrote: our engine reads its
model.safetensors, llama.cpp its model.gguf, both bf16. Every round measures
every workload on both, one right after the other, so that a noisy neighbour
hits both; medians and their ratio are printed at the end.

    cargo build --release
    tools/make_random_llama.py BENCH
    tools/bench_llama_cpp.py BENCH --engine target/release/engine

llama.cpp runs through llama-cpp-python's low-level API with 2 threads, batches
of 512, the file mapped, and its flash attention both off and on: the faster
counts. Build it for this machine, or it is slower than it should be:

    CMAKE_ARGS=-DGGML_NATIVE=ON pip install --no-binary llama-cpp-python llama-cpp-python

Without --engine only llama.cpp is measured; with --goals the exit status is 1
when a ratio is below its goal.

Versions: tools/requirements.txt (numpy, llama-cpp-python).
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import llama_cpp
import numpy as np


@dataclass(frozen=True)
class Workload:
    """Prefill `prompt` tokens of each of `seqs` sequences, then decode `decode` tokens of each."""

    name: str
    prompt: int
    decode: int
    seqs: int


@dataclass(frozen=True)
class Figure:
    """One line of the table: which number of which workload, and the least ratio to llama.cpp."""

    name: str
    workload: Workload
    key: str
    goal: float | None


EMPTY = Workload("from empty", 1, 128, 1)
AFTER_512 = Workload("after 512", 512, 128, 1)
EIGHT = Workload("eight together", 1, 128, 8)
FIGURES = [
    Figure("decode from an empty context, tok/s", EMPTY, "decode_tokens_per_s", 0.95),
    Figure("decode after 512 tokens, tok/s", AFTER_512, "decode_tokens_per_s", 0.95),
    Figure("prefill of 512 tokens, tok/s", AFTER_512, "prefill_tokens_per_s", 0.8),
    Figure("decode of 8 sequences, tok/s", EIGHT, "decode_tokens_per_s", None),
]
# Eight sequences together, against one, within our engine.
EIGHT_GOAL = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder written by make_random_llama.py")
    parser.add_argument("--engine", type=Path, help="the engine binary; none: llama.cpp alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--goals", action="store_true", help="exit 1 when a goal is missed")
    args = parser.parse_args()

    silence_llama_cpp()
    llama_cpp.llama_backend_init()
    print("llama.cpp:", llama_cpp.llama_print_system_info().decode().strip())
    rivals = {
        "flash attention off": LlamaCpp(args.model / "model.gguf", args.threads, flash=False),
        "flash attention on": LlamaCpp(args.model / "model.gguf", args.threads, flash=True),
    }
    ours: dict[Workload, list[dict]] = {}
    theirs: dict[tuple[str, Workload], list[dict]] = {}
    for round_ in range(args.rounds):
        for workload in (EMPTY, AFTER_512, EIGHT):
            if args.engine:
                ours.setdefault(workload, []).append(run_engine(args.engine, args.model, workload))
            for name, rival in rivals.items():
                theirs.setdefault((name, workload), []).append(rival.measure(workload))
        print(f"round {round_ + 1} of {args.rounds} done", file=sys.stderr)
    met = report(ours, theirs, list(rivals))
    if args.goals and not met:
        sys.exit(1)


def run_engine(engine: Path, model: Path, workload: Workload) -> dict:
    """One run of `engine bench`, whose one JSON object is returned."""
    command = [engine, "bench", "--model", model, "--format", "json"]
    command += ["--prompt-tokens", workload.prompt, "--decode-tokens", workload.decode, "--seqs", workload.seqs]
    result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if result.returncode:
        sys.exit(f"error: {' '.join(map(str, command))} exited with {result.returncode}")
    return json.loads(result.stdout)


class LlamaCpp:
    """One model and one context of llama.cpp. Token ids are random; nothing is sampled."""

    def __init__(self, path: Path, threads: int, flash: bool) -> None:
        self.model = llama_cpp.llama_model_load_from_file(
            str(path).encode(), llama_cpp.llama_model_default_params()
        )
        if not self.model:
            sys.exit(f"error: llama.cpp cannot load {path}")
        settings = llama_cpp.llama_context_default_params()
        settings.n_ctx = 2048
        settings.n_batch = settings.n_ubatch = 512
        settings.n_seq_max = 8
        settings.n_threads = settings.n_threads_batch = threads
        settings.flash_attn_type = (
            llama_cpp.LLAMA_FLASH_ATTN_TYPE_ENABLED if flash else llama_cpp.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        settings.kv_unified = True
        self.context = llama_cpp.llama_init_from_model(self.model, settings)
        vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self.model))
        random = np.random.Generator(np.random.Philox(0))
        self.tokens = random.integers(0, vocab, 4096).tolist()
        self.batch = llama_cpp.llama_batch_init(512, 0, 1)
        self.measure(Workload("warm up", 64, 4, 1))

    def measure(self, workload: Workload) -> dict:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)
        start = time.perf_counter()
        for seq in range(workload.seqs):
            self.decode([(seq, position) for position in range(workload.prompt)])
        middle = time.perf_counter()
        for step in range(workload.decode):
            self.decode([(seq, workload.prompt + step) for seq in range(workload.seqs)])
        end = time.perf_counter()
        return {
            "prefill_tokens_per_s": workload.seqs * workload.prompt / (middle - start),
            "decode_tokens_per_s": workload.seqs * workload.decode / (end - middle),
        }

    def decode(self, rows: list[tuple[int, int]]) -> None:
        """One forward pass over (sequence, position) rows, with logits for the last row of each sequence."""
        for i, (seq, position) in enumerate(rows):
            self.batch.token[i] = self.tokens[(position * 8 + seq) % len(self.tokens)]
            self.batch.pos[i] = position
            self.batch.n_seq_id[i] = 1
            self.batch.seq_id[i][0] = seq
            self.batch.logits[i] = i + 1 == len(rows) or rows[i + 1][0] != seq
        self.batch.n_tokens = len(rows)
        if llama_cpp.llama_decode(self.context, self.batch):
            sys.exit("error: llama_decode failed")
        llama_cpp.llama_synchronize(self.context)


def report(ours: dict, theirs: dict, rivals: list[str]) -> bool:
    """Prints the table; true when every goal is met (or our engine was not measured)."""
    met = True
    print(f"{'median':40} {'engine':>9} {'llama.cpp':>9} {'ratio':>6} {'goal':>5}")
    for figure in FIGURES:
        by_rival = {name: median(theirs[name, figure.workload], figure.key) for name in rivals}
        best = max(by_rival, key=lambda name: by_rival[name])
        line = f"{figure.name:40} "
        if ours:
            engine = median(ours[figure.workload], figure.key)
            ratio = engine / by_rival[best]
            met &= figure.goal is None or ratio >= figure.goal
            line += f"{engine:9.2f} {by_rival[best]:9.2f} {ratio:6.3f} {figure.goal or '':>5}"
        else:
            line += f"{'':9} {by_rival[best]:9.2f} {'':6} {figure.goal or '':>5}"
        print(f"{line}  {best}")
    if ours:
        one, eight = (median(ours[workload], "decode_tokens_per_s") for workload in (EMPTY, EIGHT))
        met &= eight >= EIGHT_GOAL * one
        print(f"{'eight sequences against one':40} {'':9} {'':9} {eight / one:6.3f} {EIGHT_GOAL:>5}")
        print_shares(ours)
    return met


def print_shares(ours: dict) -> None:
    """What the machine can do, by our engine's own measurement in the same runs, and how much of it we use."""
    bandwidth, peak = (median(ours[AFTER_512], key) for key in ("read_bandwidth_gb_s", "dot_peak_gflops"))
    decode = median(ours[EMPTY], "decode_bandwidth_share")
    prefill = median(ours[AFTER_512], "prefill_dot_share")
    print(f"{'read bandwidth, GB/s; share in decode':40} {bandwidth:9.1f} {'':9} {decode:6.3f}")
    print(f"{'bf16 dot peak, GFLOP/s; share in prefill':40} {peak:9.0f} {'':9} {prefill:6.3f}")


def median(runs: list[dict], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def silence_llama_cpp() -> None:
    # Kept alive at module level: llama.cpp calls it for as long as the process lives.
    global quiet
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, None)


if __name__ == "__main__":
    main()
