#!/usr/bin/env python3
"""Worker of tools/bench_peers.py: llama.cpp through llama-cpp-python's low-level API.

    llama.py MODEL.gguf --threads N --flash off|on

Prompts go in together, in batches of 2048 that llama.cpp cuts into pieces of 512; sequences have streams of their own
in the KV cache. A sampled token comes from llama.cpp's own sampler chain, a greedy one from numpy's argmax.
"""

import argparse
import re
from dataclasses import dataclass

import llama_cpp as api
import numpy as np
from workload import Sampling, Stopwatch, Timing, Workload, serve

BATCH = 2048
UBATCH = 512


@dataclass(frozen=True)
class Row:
    """One token of one forward pass."""

    seq: int
    position: int
    token: int
    wanted: bool


class LlamaCpp:
    """One model, and a context of the size that a workload needs."""

    def __init__(self, path: str, threads: int, flash: bool) -> None:
        # Kept alive: llama.cpp calls it for as long as the process lives.
        self.quiet = api.llama_log_callback(lambda level, text, data: None)
        api.llama_log_set(self.quiet, None)
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"llama.cpp cannot load {path}")
        self.vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.threads, self.flash = threads, flash
        self.batch = api.llama_batch_init(BATCH, 0, 1)
        self.context, self.size = None, None

    def describe(self) -> str:
        built_with = re.findall(r"(\w+) = 1", api.llama_print_system_info().decode())
        return f"llama-cpp-python {api.__version__} with {' '.join(built_with)}"

    def measure(self, workload: Workload) -> Timing:
        self.open_context(workload)
        # The first run touches memory for the first time and wakes the threads.
        self.run(Workload(min(workload.prompt, UBATCH), 2, workload.seqs, workload.sampling))
        return self.run(workload)

    def open_context(self, workload: Workload) -> None:
        # A multiple of 256, which llama.cpp rounds to.
        size = (workload.seqs, -(-(workload.prompt + workload.decode + 1) // 256) * 256)
        if size == self.size:
            return
        if self.context:
            api.llama_free(self.context)
        settings = api.llama_context_default_params()
        settings.n_seq_max, settings.n_ctx = size[0], size[0] * size[1]
        settings.n_batch, settings.n_ubatch = BATCH, UBATCH
        settings.n_threads = settings.n_threads_batch = self.threads
        settings.flash_attn_type = (
            api.LLAMA_FLASH_ATTN_TYPE_ENABLED if self.flash else api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        )
        settings.kv_unified = False
        self.context, self.size = api.llama_init_from_model(self.model, settings), size
        if not self.context:
            raise RuntimeError("llama.cpp cannot open a context")

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


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--flash", choices=("off", "on"), required=True)
    args = parser.parse_args()

    def open_peer():
        peer = LlamaCpp(args.model, args.threads, args.flash == "on")
        return peer.describe(), peer.measure

    serve(open_peer)


if __name__ == "__main__":
    main()
