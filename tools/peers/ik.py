#!/usr/bin/env python3
"""Worker of tools/bench_peers.py: ik_llama.cpp through ik-llama-cpp-python's low-level API.

    ik.py MODEL.gguf --threads N --flash off|on

As llama.py, but for what this fork lacks or has otherwise: one KV cache for all sequences, and samplers that are single
calls on an array of candidates.
"""

import ctypes
from importlib.metadata import version

import numpy as np
from gguf_peer import BATCH, GgufPeer, main
from ik_llama_cpp import _ctypes_api as api
from workload import Sampling, Stopwatch, Timing, Workload

CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class IkLlamaCpp(GgufPeer):
    api, name = api, "ik_llama.cpp"

    def __init__(self, path: str, threads: int, flash: bool) -> None:
        super().__init__(path, threads, flash)
        self.penalties = api._lib.llama_sample_repetition_penalties
        self.penalties.restype = None
        self.penalties.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]
        self.penalties.argtypes += [ctypes.c_float] * 3

    def describe(self) -> str:
        return f"ik-llama-cpp-python {version('ik-llama-cpp-python')}"

    def configure(self, settings) -> None:
        settings.flash_attn = self.flash

    def run(self, workload: Workload) -> Timing:
        api.llama_kv_cache_clear(self.context)
        seen = workload.prompts(self.vocab)
        rows = [
            (seq, position, token, position + 1 == workload.prompt)
            for seq, prompt in enumerate(seen)
            for position, token in enumerate(prompt)
        ]
        watch = Stopwatch()
        for start in range(0, len(rows), BATCH):
            self.forward(rows[start : start + BATCH], workload.sampling, seen)
        watch.prefilled()
        for step in range(workload.decode):
            position = workload.prompt + step
            rows = [(seq, position, tokens[-1], True) for seq, tokens in enumerate(seen)]
            self.forward(rows, workload.sampling, seen)
        return watch.finish()

    def forward(self, rows: list[tuple], sampling: Sampling | None, seen: list[list[int]]) -> None:
        """One call of llama_decode over (sequence, position, token, wanted); appends each wanted row's next token."""
        batch = self.batch
        for i, (seq, position, token, wanted) in enumerate(rows):
            batch.token[i], batch.pos[i] = token, position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, seq
            batch.logits[i] = wanted
        batch.n_tokens = len(rows)
        if api.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        for i, (seq, _, _, wanted) in enumerate(rows):
            if wanted:
                seen[seq].append(self.choose(i, sampling, seen[seq]))

    def choose(self, i: int, sampling: Sampling | None, seen: list[int]) -> int:
        logits = np.ctypeslib.as_array(api.llama_get_logits_ith(self.context, i), (self.vocab,))
        if sampling is None:
            return int(logits.argmax())
        candidates = np.empty(self.vocab, CANDIDATE)
        candidates["id"] = np.arange(self.vocab, dtype=np.int32)
        candidates["logit"] = logits
        candidates["p"] = 0.0
        array = api.llama_token_data_array()
        array.data = candidates.ctypes.data_as(ctypes.POINTER(api.llama_token_data))
        array.size, array.selected, array.sorted = self.vocab, -1, False
        pointer = ctypes.byref(array)
        tokens = np.asarray(seen, np.int32)
        penalty = sampling.repetition_penalty
        self.penalties(self.context, pointer, tokens.ctypes.data, len(tokens), penalty, 0.0, 0.0)
        api.llama_sample_top_k(self.context, pointer, sampling.top_k, 1)
        api.llama_sample_top_p(self.context, pointer, sampling.top_p, 1)
        api.llama_sample_temp(self.context, pointer, sampling.temperature)
        return api.llama_sample_token(self.context, pointer)


if __name__ == "__main__":
    main(IkLlamaCpp)
