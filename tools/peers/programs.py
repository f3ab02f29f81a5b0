"""The programs that are measured: our engine, a process for each measurement, and workers that keep their model loaded."""

import json
import os
import resource
import signal
import subprocess
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from peers.noise import cpu_seconds_of
from peers.workload import Timing, Workload


@dataclass(frozen=True)
class Result:
    """A timing, or why there is none; and what only our engine tells: the machine's limits."""

    timing: Timing | None = None
    reason: str = ""
    limits: dict[str, float] = field(default_factory=dict)


class Program(Protocol):
    name: str
    setting: str
    version: str

    @property
    def cpu_seconds(self) -> float: ...

    def measure(self, workload: Workload) -> Result: ...


class Engine:
    """One run of `engine bench` for each measurement, which warms up by itself."""

    LIMITS = ("read_bandwidth_gb_s", "dot_peak_gflops", "decode_bandwidth_share", "prefill_dot_share")

    def __init__(self, engine: Path, model: Path, threads: int) -> None:
        self.name, self.setting, self.version = "engine", "", ""
        self.command = [engine, "bench", "--model", model, "--format", "json", "--threads", threads]

    def measure(self, workload: Workload) -> Result:
        command = [*self.command, "--prompt-tokens", workload.prompt, "--decode-tokens", workload.decode]
        command += ["--seqs", workload.seqs, "--max-num-seqs", workload.seqs]
        command += ["--max-model-len", workload.prompt + workload.decode + 1]
        if workload.sampling:
            for name, value in asdict(workload.sampling).items():
                command += [f"--{name.replace('_', '-')}", value]
        try:
            done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        except OSError as error:
            return Result(reason=f"{command[0]}: {error.strerror}")
        if done.returncode:
            return Result(reason=first_line(done.stderr) or f"exit status {done.returncode}")
        report = json.loads(done.stdout)
        self.version = report["profile"]
        tokens = workload.seqs * workload.prompt, workload.seqs * workload.decode
        timing = Timing(tokens[0] / report["prefill_tokens_per_s"], tokens[1] / report["decode_tokens_per_s"])
        return Result(timing, limits={key: report[key] for key in self.LIMITS if report.get(key) is not None})

    @property
    def cpu_seconds(self) -> float:
        """Of all runs that have ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime


class Peer:
    """A worker with a model loaded. It sleeps, all its threads stopped, whenever it is not measured."""

    def __init__(self, name: str, setting: str, command: list) -> None:
        self.name, self.setting, self.version = name, setting, ""
        self.command = list(map(str, command))
        self.worker: subprocess.Popen | None = None
        self.reason = ""
        self.start()

    def start(self) -> None:
        python, threads = Path(self.command[0]), self.command[self.command.index("--threads") + 1]
        environment = os.environ | {"OMP_NUM_THREADS": threads}
        # vLLM asks for Intel's OpenMP, which its package brings along, to be loaded first.
        openmp = python.parent.parent / "lib" / "libiomp5.so"
        if openmp.exists():
            environment["LD_PRELOAD"] = str(openmp)
        self.worker = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
            start_new_session=True,
        )
        answer = self.answer()
        self.version = answer.get("version", "")
        if not self.version:
            self.stop(answer["error"])
        else:
            self.signal(signal.SIGSTOP)

    def measure(self, workload: Workload) -> Result:
        if not self.worker:
            return Result(reason=self.reason)
        self.signal(signal.SIGCONT)
        print(json.dumps(asdict(workload)), file=self.worker.stdin, flush=True)
        answer = self.answer()
        if "error" not in answer:
            self.signal(signal.SIGSTOP)
            return Result(Timing(**answer))
        if self.worker.poll() is None:
            self.signal(signal.SIGSTOP)
        else:
            # Some libraries end the process where they cannot do a thing: the next workload gets a new one.
            self.start()
        return Result(reason=answer["error"])

    @property
    def cpu_seconds(self) -> float:
        """Of the worker that runs now, since it started; 0 where there is none."""
        return cpu_seconds_of(self.worker.pid) if self.worker else 0.0

    def answer(self) -> dict:
        line = self.worker.stdout.readline()
        if line:
            return json.loads(line)
        return {"error": f"the worker ended with status {self.worker.wait()}"}

    def stop(self, reason: str) -> None:
        self.reason = reason
        self.worker.kill()
        self.worker.wait()
        self.worker = None

    def signal(self, number: int) -> None:
        # To the whole session: some libraries start processes of their own.
        os.killpg(self.worker.pid, number)

    def close(self) -> None:
        if self.worker:
            self.signal(signal.SIGKILL)
            self.worker.wait()
            self.worker = None


def first_line(text: str) -> str:
    return next((line for line in text.splitlines() if line.strip()), "")
