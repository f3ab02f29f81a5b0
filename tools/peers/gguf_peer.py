"""What llama.cpp and its fork ik_llama.cpp have in common as workers: a GGUF model, a context for each workload's size,
and how both are started. `api` is the module of C functions, which have the same names in both."""

import argparse
from typing import Any

from workload import Timing, Workload, serve

BATCH = 2048
UBATCH = 512


class GgufPeer:
    """One model, and a context of the size that a workload needs."""

    api: Any
    name: str

    def __init__(self, path: str, threads: int, flash: bool) -> None:
        api = self.api
        api.llama_backend_init()
        self.model = api.llama_model_load_from_file(path.encode(), api.llama_model_default_params())
        if not self.model:
            raise RuntimeError(f"{self.name} cannot load {path}")
        self.vocab = api.llama_vocab_n_tokens(api.llama_model_get_vocab(self.model))
        self.threads, self.flash = threads, flash
        self.batch = api.llama_batch_init(BATCH, 0, 1)
        self.context, self.size = None, None

    def describe(self) -> str:
        raise NotImplementedError

    def configure(self, settings: Any) -> None:
        """Sets what one of them has and the other has not."""
        raise NotImplementedError

    def run(self, workload: Workload) -> Timing:
        raise NotImplementedError

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
            self.api.llama_free(self.context)
        settings = self.api.llama_context_default_params()
        settings.n_seq_max, settings.n_ctx = size[0], size[0] * size[1]
        settings.n_batch, settings.n_ubatch = BATCH, UBATCH
        settings.n_threads = settings.n_threads_batch = self.threads
        self.configure(settings)
        self.context, self.size = self.api.llama_init_from_model(self.model, settings), size
        if not self.context:
            raise RuntimeError(f"{self.name} cannot open a context")


def main(peer: type[GgufPeer]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--flash", choices=("off", "on"), required=True)
    args = parser.parse_args()

    def open_peer():
        opened = peer(args.model, args.threads, args.flash == "on")
        return opened.describe(), opened.measure

    serve(open_peer)
