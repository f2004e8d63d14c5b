"""What was measured, as markdown: the terminal prints it, `docs/speed.md` holds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from benchmark.speed.contenders import BARE, PLAIN, STRATA

HOUR = 3600.0


def markdown(found: Mapping[str, Any]) -> str:
    """Every table of the record, with a heading and the machine."""
    parts = [_machine(found), _cells(found), _whole(found["whole"]) if "whole" in found else ""]
    parts += [_engines(found["engines"])] if "engines" in found else []
    parts += [_workers(found["workers"])] if "workers" in found else []
    parts += [_levers(found["levers"]), _growth(found["growth"]), _profile(found["profile"])]
    return "\n\n".join(filter(None, parts))


def _machine(found: Mapping[str, Any]) -> str:
    machine = found["machine"]
    versions = ", ".join(f"{name} {machine['packages'][name]}" for name in ("torch", "pytorch-lightning", "mlflow"))
    return (
        f"Measured on {found['date']}: {machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        f"{versions}; our kernel {machine['kernel']}. Medians of {found['repeats']} repeats, in turns, "
        f"one process each."
    )


def _cells(found: Mapping[str, Any]) -> str:
    rows = []
    for row in found["cells"]:
        plain, bare, ours = (median(row["seconds"][name]) for name in (PLAIN, BARE, STRATA))
        rows.append(
            [
                row["depth"],
                row["width"],
                f"{plain:.2f}",
                f"{bare:.2f}",
                f"{ours:.2f}",
                f"{plain / ours:.1f} x",
                f"{bare / ours:.2f} x",
                f"{HOUR / ours:,.0f}",
            ]
        )
    heads = ["depth", "width", "(a) s", "(b) s", "(c) s", "(a) / (c)", "(b) / (c)", "(c) an hour and core"]
    company = f", each of {found['company']} side by side" if found["company"] > 1 else ""
    memory = ", ".join(f"{name} {size:,.0f} MB" for name, size in found["megabytes"].items())
    return (
        f"**Seconds of one training** of {found['steps']} steps, batches of 32 sequences of 50 steps and 8 inputs, 20 "
        f"validations: (a) {PLAIN}, (b) {BARE}, (c) {STRATA}{company}.\n\n"
        f"{_table(heads, rows)}\n\n"
        f"Most memory of a process: {memory}."
    )


def _whole(rows: Sequence[Mapping[str, Any]]) -> str:
    rates = [row["trainings"] / median(row["seconds"]) * HOUR for row in rows]
    body = [
        [
            row["name"],
            row["workers"],
            row["trainings"],
            f"{median(row['seconds']):.1f}",
            f"{rate:,.0f}",
            f"{rate / rates[0]:.2f} x",
        ]
        for row, rate in zip(rows, rates, strict=True)
    ]
    heads = ["whole study", "workers", "trainings", "seconds", "trainings an hour", "against (a)"]
    return f"**A small study from the command to its end**, imports and stores included.\n\n{_table(heads, body)}"


def _engines(found: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(name for row in found["rows"] for name in row["seconds"]))
    body = [
        [
            row["width"],
            row["replicas"],
            *(f"{1000 * median(row['seconds'][name]):.2f}" if name in row["seconds"] else "" for name in names),
            min(row["seconds"], key=lambda name: median(row["seconds"][name])),
        ]
        for row in found["rows"]
    ]
    said = "**Engines of the layers**: ms of a forward and backward pass of one stack of two layers, on "
    return f"{said}{found['device']}.\n\n{_table(['width', 'side by side', *names, 'fastest'], body)}"


def _levers(levers: Mapping[str, Sequence[float]]) -> str:
    everything = median(levers["everything"])
    body = [
        [name, f"{median(seconds):.2f}", f"{median(seconds) / everything:.2f} x"] for name, seconds in levers.items()
    ]
    heads = ["depth 2, width 24", "seconds", "time against everything"]
    return f"**One thing otherwise at a time.**\n\n{_table(heads, body)}"


def _workers(rows: Sequence[Mapping[str, Any]]) -> str:
    rates = [HOUR / median(row["seconds"]) for row in rows]
    body = [[row["workers"], f"{rate:,.0f}", f"{rate / rates[0]:.2f} x"] for row, rate in zip(rows, rates, strict=True)]
    said = "**Workers at the same time**, each training depth 2, width 24."
    return f"{said}\n\n{_table(['workers', 'trainings an hour', 'against one'], body)}"


def _growth(rows: Sequence[Mapping[str, Any]]) -> str:
    names = (BARE, STRATA)
    short, long = (row for row in rows if row["varied"] == "steps")
    fixed = {}
    for name in names:
        slope = (median(long["seconds"][name]) - median(short["seconds"][name])) / (long["steps"] - short["steps"])
        fixed[name] = median(long["seconds"][name]) - slope * long["steps"], slope * 1000
    body = [
        [f"{row['varied']} {row[row['varied']]}", *(f"{_each(row, name):.2f}" for name in names)]
        for row in rows
        if row["varied"] != "steps"
    ]
    said = "; ".join(
        f"{name} {1000 * once:.0f} ms once and {each:.2f} ms a step" for name, (once, each) in fixed.items()
    )
    return (
        "**How the cost grows**: ms of an optimiser step, all of a training's seconds counted; depth 2, width 24, 50 "
        f"steps of a sequence but for what is named.\n\n{_table(['', *names], body)}\n\nSet-up apart: {said}."
    )


def _each(row: Mapping[str, Any], name: str) -> float:
    return 1000 * median(row["seconds"][name]) / row["steps"]


def _profile(shares: Mapping[str, float]) -> str:
    body = [[name, f"{share:.0%}"] for name, share in sorted(shares.items(), key=lambda one: -one[1])]
    said = f"**Where {STRATA} spends its time**, under a profiler."
    return f"{said}\n\n{_table(['', 'share'], body)}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
