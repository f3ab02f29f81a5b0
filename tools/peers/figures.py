"""The figures and their goals: one list."""

from collections.abc import Callable
from dataclasses import dataclass

from peers.workload import Sampling, Timing, Workload

PREFILL = "dot-product peak"
DECODE = "read bandwidth"


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    key: str
    name: str
    model: str
    workload: Workload
    value: Callable[[Workload, Timing], float]
    # The limit that the figure has a share of, if it has one.
    limit: str | None = None
    # The least ratio to the peer named in `against`, or to the best of all peers.
    goal: float | None = None
    against: str | None = None
    # The least share of the limit.
    share_goal: float | None = None
    # Whether the smaller value is the better one.
    falls: bool = False


def prefill_rate(workload: Workload, timing: Timing) -> float:
    """Tokens a second."""
    return workload.seqs * workload.prompt / timing.prefill


def decode_rate(workload: Workload, timing: Timing) -> float:
    """Tokens a second, of all sequences together."""
    return workload.seqs * workload.decode / timing.decode


def seconds(_: Workload, timing: Timing) -> float:
    return timing.prefill + timing.decode


EMPTY = Workload(prompt=1, decode=96, seqs=1)
AFTER_512 = Workload(prompt=512, decode=96, seqs=1)
AFTER_4096 = Workload(prompt=4096, decode=64, seqs=1)
EIGHT = Workload(prompt=1, decode=64, seqs=8)
# 32 tokens of each: prefill gives the first.
SERVED = Workload(prompt=256, decode=31, seqs=8)
PLAIN = Workload(prompt=128, decode=96, seqs=1)
SAMPLED = Workload(
    prompt=128,
    decode=96,
    seqs=1,
    sampling=Sampling(temperature=0.8, top_k=50, top_p=0.95, repetition_penalty=1.1),
)

FIGURES = [
    Figure("prefill-512", "prefill of 512, tokens/s", "llama", AFTER_512, prefill_rate, PREFILL, 1.0, share_goal=0.8),
    Figure("prefill-4096", "prefill of 4,096, tokens/s", "llama", AFTER_4096, prefill_rate, PREFILL),
    Figure("decode-empty", "decode from empty, tokens/s", "llama", EMPTY, decode_rate, DECODE, 1.15),
    Figure("decode-512", "decode after 512, tokens/s", "llama", AFTER_512, decode_rate, DECODE, 1.2),
    Figure("decode-4096", "decode after 4,096, tokens/s", "llama", AFTER_4096, decode_rate, DECODE, 1.3),
    Figure("decode-eight", "decode of eight sequences, tokens/s", "llama", EIGHT, decode_rate, DECODE, 1.8, "llama.cpp"),
    Figure("served-eight", "eight times 256 + 32 tokens, s", "llama", SERVED, seconds, None, 1.2, "vLLM", falls=True),
    Figure("qwen2-greedy", "Qwen2.5-0.5B decode, greedy, tokens/s", "qwen2", PLAIN, decode_rate, DECODE),
    Figure("qwen2-sampled", "Qwen2.5-0.5B decode, sampled, tokens/s", "qwen2", SAMPLED, decode_rate, DECODE, 1.3),
]
