"""What every program is asked to do, and how a worker in another Python is talked to: JSON, one object a line."""

import json
import os
import random
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Sampling:
    """Settings with vLLM's names and meanings; a penalty sees the prompt and the output."""

    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float


@dataclass(frozen=True)
class Workload:
    """Prefill `prompt` random tokens of each of `seqs` sequences, which gives the first token of each, then decode
    `decode` tokens more of each. Greedy where there is no `sampling`; no token ends a sequence."""

    prompt: int
    decode: int
    seqs: int
    sampling: Sampling | None = None

    def prompts(self, vocab: int) -> list[list[int]]:
        ids = random.Random(self.prompt * 8 + self.seqs)
        return [[ids.randrange(vocab) for _ in range(self.prompt)] for _ in range(self.seqs)]


@dataclass(frozen=True)
class Timing:
    """Seconds until every sequence has its first token, and from there until the last has its last."""

    prefill: float
    decode: float


class Stopwatch:
    """Three moments of one measurement."""

    def __init__(self) -> None:
        self.start = time.perf_counter()
        self.middle = self.start

    def prefilled(self) -> None:
        self.middle = time.perf_counter()

    def finish(self) -> Timing:
        return Timing(self.middle - self.start, time.perf_counter() - self.middle)


def serve(open_peer: Callable[[], tuple[str, Callable[[Workload], Timing]]]) -> None:
    """The worker's side: says what it is, then answers each workload with its timing, until its input ends.

    `open_peer` loads the model; what it and the libraries print goes to standard error."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    try:
        version, measure = open_peer()
    except Exception as error:  # Whatever keeps a library from starting is this peer's answer, and no other's.
        print(json.dumps({"error": describe(error)}), file=answers)
        return
    print(json.dumps({"version": version}), file=answers)
    for line in sys.stdin:
        try:
            answer = asdict(measure(read_workload(json.loads(line))))
        except Exception as error:
            answer = {"error": describe(error)}
        print(json.dumps(answer), file=answers)


def describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def read_workload(fields: dict[str, Any]) -> Workload:
    sampling = fields.pop("sampling")
    return Workload(**fields, sampling=Sampling(**sampling) if sampling else None)
