#!/usr/bin/env python3
"""Worker of tools/bench_peers.py: vLLM on its CPU backend, stepped in this process as its server steps it.

    vllm_cpu.py MODEL --threads N --dtype float32|bfloat16
"""

import argparse
import os
from importlib.metadata import version

from workload import Stopwatch, Timing, Workload, serve

# Before vLLM is imported, which reads them then.
os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
os.environ["VLLM_NO_USAGE_STATS"] = "1"

MAX_MODEL_LEN = 4352
MAX_SEQS = 8
KV_BYTES = 2 << 30


class Vllm:
    """One engine, with prefix caching off: nothing is computed once for two measurements."""

    def __init__(self, path: str, threads: int, dtype: str) -> None:
        cores = sorted(os.sched_getaffinity(0))[:threads]
        os.environ["VLLM_CPU_OMP_THREADS_BIND"] = ",".join(map(str, cores))
        from vllm import LLM

        self.engine = LLM(
            model=path,
            skip_tokenizer_init=True,
            dtype=dtype,
            max_model_len=MAX_MODEL_LEN,
            max_num_seqs=MAX_SEQS,
            kv_cache_memory_bytes=KV_BYTES,
            enable_prefix_caching=False,
        ).llm_engine
        self.vocab = self.engine.model_config.get_vocab_size()
        self.requests = 0

    def measure(self, workload: Workload) -> Timing:
        # The first run touches memory for the first time and wakes the threads.
        self.run(Workload(min(workload.prompt, 512), 2, workload.seqs, workload.sampling))
        return self.run(workload)

    def run(self, workload: Workload) -> Timing:
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        sampling = workload.sampling
        settings = {"temperature": 0.0}
        if sampling:
            settings = {
                "temperature": sampling.temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
                "repetition_penalty": sampling.repetition_penalty,
            }
        params = SamplingParams(
            max_tokens=workload.decode + 1,
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.DELTA,
            **settings,
        )
        watch = Stopwatch()
        for prompt in workload.prompts(self.vocab):
            self.requests += 1
            self.engine.add_request(str(self.requests), {"prompt_token_ids": prompt}, params)
        begun: set[str] = set()
        produced = 0
        while self.engine.has_unfinished_requests():
            for output in self.engine.step():
                new = sum(len(completion.token_ids) for completion in output.outputs)
                produced += new
                if new and output.request_id not in begun:
                    begun.add(output.request_id)
                    if len(begun) == workload.seqs:
                        watch.prefilled()
        timing = watch.finish()
        if produced != workload.seqs * (workload.decode + 1):
            raise RuntimeError(f"vLLM gave {produced} tokens")
        return timing


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), required=True)
    args = parser.parse_args()

    def open_peer():
        peer = Vllm(args.model, args.threads, args.dtype)
        return f"vllm-cpu {version('vllm-cpu')}, {args.dtype}", peer.measure

    serve(open_peer)


if __name__ == "__main__":
    main()
