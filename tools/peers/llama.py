#!/usr/bin/env python3
"""Worker of tools/bench_peers.py: llama.cpp through llama-cpp-python's low-level API.

    llama.py MODEL.gguf --threads N --flash off|on

Prompts go in together, in batches of 2048 that llama.cpp cuts into pieces of 512; sequences have streams of their own
in the KV cache. A sampled token comes from llama.cpp's own sampler chain, a greedy one from numpy's argmax.
"""

import re
from dataclasses import dataclass

import llama_cpp as api
import numpy as np
from gguf_peer import BATCH, GgufPeer, main
from workload import Sampling, Stopwatch, Timing, Workload


@dataclass(frozen=True)
class Row:
    """One token of one forward pass."""

    seq: int
    position: int
    token: int
    wanted: bool


class LlamaCpp(GgufPeer):
    api, name = api, "llama.cpp"

    def __init__(self, path: str, threads: int, flash: bool) -> None:
        # Kept alive: llama.cpp calls it for as long as the process lives.
        self.quiet = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self.quiet, None)
        super().__init__(path, threads, flash)

    def describe(self) -> str:
        built_with = re.findall(r"(\w+) = 1", api.llama_print_system_info().decode())
        return f"llama-cpp-python {api.__version__} with {' '.join(built_with)}"

    def configure(self, settings) -> None:
        settings.flash_attn_type = (
            api.LLAMA_FLASH_ATTN_TYPE_ENABLED if self.flash else api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        settings.kv_unified = False

    def run(self, workload: Workload) -> Timing:
        api.llama_memory_clear(api.llama_get_memory(self.context), True)
        prompts = workload.prompts(self.vocab)
        choose = self.chooser(workload, prompts)
        rows = [
            Row(seq, position, token, wanted=position + 1 == workload.prompt)
            for seq, prompt in enumerate(prompts)
            for position, token in enumerate(prompt)
        ]
        tokens: dict[int, int] = {}
        watch = Stopwatch()
        for start in range(0, len(rows), BATCH):
            tokens |= self.forward(rows[start : start + BATCH], choose)
        watch.prefilled()
        for step in range(workload.decode):
            rows = [Row(seq, workload.prompt + step, token, wanted=True) for seq, token in tokens.items()]
            tokens = self.forward(rows, choose)
        return watch.finish()

    def forward(self, rows: list[Row], choose) -> dict[int, int]:
        """One call of llama_decode; the next token of each sequence whose row is wanted."""
        batch = self.batch
        for i, row in enumerate(rows):
            batch.token[i], batch.pos[i] = row.token, row.position
            batch.n_seq_id[i], batch.seq_id[i][0] = 1, row.seq
            batch.logits[i] = row.wanted
        batch.n_tokens = len(rows)
        if api.llama_decode(self.context, batch):
            raise RuntimeError("llama_decode failed")
        api.llama_synchronize(self.context)
        return {row.seq: choose(row.seq, i) for i, row in enumerate(rows) if row.wanted}

    def chooser(self, workload: Workload, prompts: list[list[int]]):
        """Sequence and row to token."""
        if workload.sampling is None:
            return lambda seq, i: int(self.logits(i).argmax())
        chains = [self.chain(workload, workload.sampling, seed) for seed in range(workload.seqs)]
        for chain, prompt in zip(chains, prompts):
            for token in prompt:
                api.llama_sampler_accept(chain, token)
        return lambda seq, i: api.llama_sampler_sample(chains[seq], self.context, i)

    def logits(self, i: int) -> np.ndarray:
        return np.ctypeslib.as_array(api.llama_get_logits_ith(self.context, i), (self.vocab,))

    def chain(self, workload: Workload, sampling: Sampling, seed: int):
        """The sampler chain in llama.cpp's own order: what drops most comes first."""
        chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
        seen = workload.prompt + workload.decode + 1
        penalty = sampling.repetition_penalty
        for sampler in (
            api.llama_sampler_init_penalties(self.vocab, seen, penalty, 0.0, 0.0),
            api.llama_sampler_init_top_k(sampling.top_k),
            api.llama_sampler_init_top_p(sampling.top_p, 1),
            api.llama_sampler_init_temp(sampling.temperature),
            api.llama_sampler_init_dist(seed),
        ):
            api.llama_sampler_chain_add(chain, sampler)
        return chain


if __name__ == "__main__":
    main(LlamaCpp)
