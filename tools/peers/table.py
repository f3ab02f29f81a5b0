"""From measurements to the table: medians, paired ratios, shares of the machine's limits, goals."""

import json
from dataclasses import asdict, dataclass
from statistics import median

from peers.figures import DECODE, FIGURES, PREFILL, Figure
from peers.programs import Result
from peers.workload import Timing, Workload, read_workload

# More than this of the processor to others, and a measurement is not used while there are better ones.
QUIET = 0.05
PEERS = ("llama.cpp", "ik_llama.cpp", "vLLM")


@dataclass(frozen=True)
class Measurement:
    """One workload on one program. Measurements of one `round` are pairs."""

    round: str
    model: str
    workload: Workload
    program: str
    setting: str
    version: str
    # The share of the processor that other programs had meanwhile.
    others: float
    result: Result

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @staticmethod
    def of_json(line: str) -> "Measurement":
        fields = json.loads(line)
        fields["workload"] = read_workload(fields["workload"])
        result = fields["result"]
        if result["timing"]:
            result["timing"] = Timing(**result["timing"])
        fields["result"] = Result(**result)
        return Measurement(**fields)


@dataclass(frozen=True)
class Cell:
    """One program's figure: its median, and our engine's figure beside it in the same rounds, the median of ratios."""

    setting: str
    value: float
    ratio: float | None


class Rows:
    """Everything measured, asked figure by figure."""

    def __init__(self, measurements: list[Measurement]) -> None:
        kinds: dict[tuple, list[Measurement]] = {}
        for m in measurements:
            kinds.setdefault((m.model, m.workload, m.program, m.setting), []).append(m)
        self.measurements = [
            m for kind in kinds.values() for m in ([m for m in kind if m.others <= QUIET] or kind)
        ]

    def values(self, figure: Figure, program: str, setting: str) -> dict[str, float]:
        """Round to value."""
        return {
            m.round: figure.value(figure.workload, m.result.timing)
            for m in self.of(figure)
            if (m.program, m.setting) == (program, setting) and m.result.timing
        }

    def of(self, figure: Figure) -> list[Measurement]:
        return [m for m in self.measurements if (m.model, m.workload) == (figure.model, figure.workload)]

    def cell(self, figure: Figure, program: str) -> Cell | None:
        """The program in the better of its settings."""
        ours = self.values(figure, "engine", "")
        cells = []
        for setting in dict.fromkeys(m.setting for m in self.of(figure) if m.program == program):
            values = self.values(figure, program, setting)
            if not values:
                continue
            pairs = [(ours[round_], value) for round_, value in values.items() if round_ in ours]
            ratios = [theirs / our if figure.falls else our / theirs for our, theirs in pairs]
            cells.append(Cell(setting, median(values.values()), median(ratios) if ratios else None))
        better = min if figure.falls else max
        return better(cells, key=lambda cell: cell.value) if cells else None

    def share(self, figure: Figure) -> float | None:
        """Our engine's share of the figure's limit."""
        key = {PREFILL: "prefill_dot_share", DECODE: "decode_bandwidth_share"}.get(figure.limit)
        shares = [m.result.limits[key] for m in self.of(figure) if key in m.result.limits]
        return median(shares) if shares else None

    def ratio(self, figure: Figure) -> float | None:
        """To the peer that the goal names, or to the best one."""
        cells = [self.cell(figure, peer) for peer in PEERS if figure.against in (None, peer)]
        ratios = [cell.ratio for cell in cells if cell and cell.ratio is not None]
        return min(ratios) if ratios else None

    def met(self, figure: Figure) -> bool:
        ratio, share = self.ratio(figure), self.share(figure)
        return (figure.goal is None or (ratio is not None and ratio >= figure.goal)) and (
            figure.share_goal is None or (share is not None and share >= figure.share_goal)
        )


def goals_met(measurements: list[Measurement]) -> bool:
    rows = Rows(measurements)
    return all(rows.met(figure) for figure in FIGURES if rows.of(figure))


def table(measurements: list[Measurement]) -> str:
    """Markdown: one line a figure, then the limits, the versions, and what was not measured."""
    rows = Rows(measurements)
    lines = [
        f"| median | this engine | {' | '.join(PEERS)} | ratio | goal | |",
        "|---" * (len(PEERS) + 5) + "|",
    ]
    for figure in FIGURES:
        if rows.of(figure):
            lines.append(row(rows, figure))
    return "\n".join(lines + ["", *limits(measurements), *versions(measurements), *reasons(measurements)])


def row(rows: Rows, figure: Figure) -> str:
    ours, share = rows.cell(figure, "engine"), rows.share(figure)
    cells = [figure.name, text(ours, ours, share, figure)]
    for peer in PEERS:
        cells.append(text(rows.cell(figure, peer), ours, share, figure))
    ratio = rows.ratio(figure)
    goal = "" if figure.goal is None else f"{figure.goal} x {figure.against or 'the best'}"
    if figure.share_goal:
        goal += f", {figure.share_goal:.0%} of the {figure.limit}"
    cells += ["" if ratio is None else f"{ratio:.2f}", goal]
    cells.append("" if figure.goal is None else "met" if rows.met(figure) else "**missed**")
    return f"| {' | '.join(cells)} |"


def text(cell: Cell | None, ours: Cell | None, share: float | None, figure: Figure) -> str:
    """A figure and its share of the limit; who does the same work has a share in proportion."""
    if cell is None:
        return "not measured"
    line = f"{cell.value:.1f}"
    if share is not None and ours:
        line += f" ({share * cell.value / ours.value:.0%})"
    return f"{line} {cell.setting}".rstrip()


def limits(measurements: list[Measurement]) -> list[str]:
    found = {}
    for key in ("read_bandwidth_gb_s", "dot_peak_gflops"):
        values = [m.result.limits[key] for m in measurements if key in m.result.limits]
        if values:
            found[key] = f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})"
    if not found:
        return []
    return [
        f"This machine, median (least to most): {found.get('read_bandwidth_gb_s')} GB/s read, "
        f"{found.get('dot_peak_gflops')} GFLOP/s of dot products. In parentheses: shares of these."
    ]


def versions(measurements: list[Measurement]) -> list[str]:
    named = dict.fromkeys(f"{m.program}: {m.version}" for m in measurements if m.version)
    loud = [m.others for m in measurements if m.others > QUIET]
    noise = f"; {len(loud)} of them disturbed, the worst with {max(loud):.0%} of the processor elsewhere" if loud else ""
    return [f"{len(measurements)} measurements{noise}. {'; '.join(named)}."]


def reasons(measurements: list[Measurement]) -> list[str]:
    found = dict.fromkeys(
        f"not measured: {m.program} {m.setting} on {m.model}, {m.workload}: {m.result.reason}"
        for m in measurements
        if m.result.reason
    )
    return list(found)
