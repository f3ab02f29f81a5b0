"""What else had the processor while a program was measured: other programs, and other machines on the same host."""

import os
import time
from pathlib import Path

TICK = 1 / os.sysconf("SC_CLK_TCK")


class Noise:
    """From here on; Linux tells it in /proc."""

    def __init__(self, own: float) -> None:
        self.start, self.busy, self.own = time.perf_counter(), busy_seconds(), own

    def share(self, own: float) -> float:
        """The share of all cores that was not ours, where `own` are the program's seconds until now."""
        elapsed = time.perf_counter() - self.start
        others = busy_seconds() - self.busy - (own - self.own)
        return round(max(others, 0.0) / (elapsed * (os.cpu_count() or 1)), 4)


def busy_seconds() -> float:
    """Of all cores since the machine started: what programs had, and what the host took away."""
    user, nice, system, _, _, irq, soft, steal = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9])
    return (user + nice + system + irq + soft + steal) * TICK


def cpu_seconds_of(process: int) -> float:
    """Of a process with all its threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) * TICK
