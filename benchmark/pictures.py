"""A picture of one example of a task: what is read over time, and below it, step by step, what is asked."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, MaxNLocator

from benchmark.report.style import BAND, GREY, WIDTH, Picture, draw
from tasks.task import Split, Task

LETTERED, LINES, KEYS = 60, 6, 21
"""Most steps whose cells hold letters, most channels drawn as lines, most symbols that a key explains."""
RARE = 4
"""A longer strip has letters only for symbols that are as rare."""
FEWEST, MANY = 8, 30
"""Fewest words that can be told to be those of the first steps, most classes whose names are all looked for."""
INK, ANSWER = (mpl.colors.to_hex(mpl.colormaps["viridis"](place)) for place in (0.05, 0.45))
BLANKS = {"_", "."}
"""Symbols that stand for nothing: drawn pale, so that the others are seen."""
STEPS_WIDTH = WIDTH - 1.2
"""Inches that the labels at the left leave for the steps, about."""

Values = list[str] | np.ndarray


@dataclass(frozen=True)
class Example:
    """One sequence without its padding: symbols and classes as words, numbers `(steps, channels)`."""

    inputs: Values
    targets: Values | None
    """None when one target is asked for the whole sequence: `answer` says it."""
    answer: str
    left_out: str
    """Steps that are not shown, and why; '' for none."""


@dataclass(frozen=True)
class Panel:
    """A row of the picture: its height in inches, and how to fill it; images have a scale of colours beside them."""

    height: float
    paint: Callable[[Axes, Axes | None], None]
    scaled: bool = False


DRAWN = (11.0, 7.5)
"""Inches of a picture that a task draws itself."""


def picture(task: Task, name: str) -> Picture:
    """The task's own picture; else the sequence that its example text shows, where that can be told, or the first."""
    if type(task).illustrate is not Task.illustrate:
        return draw(name, f"{task.name}: one example", DRAWN, lambda figure: task.illustrate(figure))
    example, title = find_example(task), filled_in(task)
    steps, read, asked = len(example.inputs), example.inputs, example.targets
    words = Counter(word for side in (read, asked) if isinstance(side, list) for word in side)
    # Without letters the rare symbols, which the others only hide, have to be the dark ones.
    shown = sorted(words, key=lambda word: (word in BLANKS, words[word] if steps > LETTERED else 0, len(word), word))
    panels = panels_of("input", read, shown, INK) + ([] if asked is None else panels_of("target", asked, shown, ANSWER))
    count = len(panels)
    if example.answer:
        panels.append(Panel(0.35 + 0.2 * example.answer.count("\n"), lambda axes, _: _say(axes, steps, example.answer)))
    caption = meaning(task) + (f"\n{example.left_out}" if example.left_out else "")
    key = [Patch(facecolor=_colour(word, shown), edgecolor=GREY, label=word) for word in shown]

    def paint(figure: Figure) -> None:
        scaled = any(panel.scaled for panel in panels)
        grid = figure.add_gridspec(
            len(panels), 1 + scaled, height_ratios=[p.height for p in panels], width_ratios=[60, 1][: 1 + scaled]
        )  # fmt: skip
        first = figure.add_subplot(grid[0, 0])
        every = [first, *(figure.add_subplot(grid[row, 0], sharex=first) for row in range(1, len(panels)))]
        for row, (axes, panel) in enumerate(zip(every, panels, strict=True)):
            panel.paint(axes, figure.add_subplot(grid[row, 1]) if panel.scaled else None)
            axes.tick_params(axis="x", bottom=row == count - 1, labelbottom=row == count - 1)
        every[count - 1].set_xlabel("step", loc="right", labelpad=1)
        first.set_xlim(0.5, steps + 0.5)
        # Steps are counted from 1, as people do.
        apart = next(apart for apart in (1, 2, 5, 10, 20, 50, 100, 200, 500, steps) if steps / apart <= 12)
        ticks = range(1, steps + 1, apart) if apart <= 2 else [1, *range(apart, steps + 1, apart)]
        first.xaxis.set_major_locator(FixedLocator(ticks))
        figure.align_ylabels(every[:count])
        figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold")
        figure.supxlabel(caption, x=0.01, ha="left", fontsize=12)
        if steps > LETTERED and 1 < len(shown) <= KEYS:
            figure.legend(handles=key, loc="outside right upper", handlelength=1, ncols=-(-len(key) // 6))

    height = 1.3 + sum(panel.height + 0.12 for panel in panels) + 0.2 * caption.count("\n")
    return draw(name, f"{title}: one example", (WIDTH, height), paint)


def filled_in(task: Task) -> str:
    """The description with the values of its dials: `delay` becomes delay=1."""
    values = task.parameters()
    return re.sub(r"`(\w+)`", lambda m: f"{m[1]}={values[m[1]]}" if m[1] in values else m[1], task.description)


def meaning(task: Task) -> str:
    """What is asked, when, and what the loss is measured in."""
    what = "one number" if task.outputs == 1 else f"{task.outputs} numbers"
    what = f"one of {task.outputs} classes" if task.loss.startswith("cross_entropy") else what
    when = "at every step" if task.target == "step" else "once, at the end"
    if task.target == "labels":
        what, when = f"a sequence of {task.outputs - 1} labels", "without times"
    loss = {"qlike": "QLIKE", "ctc": "CTC"}.get(task.loss, task.loss.replace("_", " "))
    return f"Asked {when}: {what}. Loss: {loss}" + (f"; unit: {task.unit}" if task.unit != loss else "")


# --- the example ------------------------------------------------------------------------------------------------------


def find_example(task: Task) -> Example:
    """One sequence, in the words of the task's own text where these can be told from it, else in numbers."""
    classes = task.loss.startswith("cross_entropy")
    seeds = range(8 if task.replicates == "seeds" and (task.tokens or classes) else 1)
    splits, texts = [task.data("validation", seed) for seed in seeds], [task.example(seed) for seed in seeds]
    read, names = symbols(splits, texts, "inputs") if task.tokens else (None, {})
    asked, class_names = symbols(splits, texts, "targets") if classes and task.target == "step" else (None, {})
    if task.tokens and read is None:  # a module may say its letters once for all
        names = dict(enumerate(getattr(sys.modules[type(task).__module__], "LETTERS", "")))
    told = asked if read is None else read
    row, split, answer, left_out = told or 0, splits[0], "", ""
    whole = split.inputs.shape[1]
    length = whole if split.lengths is None else int(split.lengths[row])
    if length < whole:
        left_out = f"Not shown: {whole - length} steps of padding."
    inputs, targets = split.inputs[row, :length], split.targets[row]
    if split.target_lengths is not None:
        answer = "asked: " + " ".join(map(str, targets[: split.target_lengths[row]]))
    elif task.target == "sequence":
        numbers = ", ".join(f"{number:.2f}" for number in np.atleast_1d(targets)[:LINES])
        answer = f"asked at the end: {f'class {targets} of 0 to {task.outputs - 1}' if classes else numbers}"
        if told is not None:  # the text is about this very sequence, and its last line tells the answer
            answer += "\n" + " ".join(texts[0].splitlines()[-1].split())
    else:
        known = [int(code) in class_names for code in targets[:length].flat] if class_names else [True] * length
        if len(class_names) > MANY and not all(known):  # 120 classes: the steps that the text names say more than all
            length = known.index(False)
            left_out = f"Shown: the first {length} of {whole} steps."
    return Example(
        inputs=_words(inputs[:length], names) if task.tokens else inputs[:length],
        targets=None if answer else _words(targets[:length], class_names) if classes else targets[:length],
        answer=answer,
        left_out=left_out,
    )


def _words(codes: np.ndarray, names: dict[int, str]) -> list[str]:
    # All or none: letters beside numbers would be read as two kinds of symbol.
    named = all(int(code) in names for code in codes)
    return [names[int(code)] if named else str(code) for code in codes]


def symbols(splits: Sequence[Split], texts: Sequence[str], side: str) -> tuple[int | None, dict[int, str]]:
    """The row of the first split that the first text shows, and the words that the texts use for its integers.

    A contract for names would burden every task, and most texts say them already: when, in the texts of all seeds, the
    same line has a word for every step or for the first few, and words and integers go together one to one. Else
    (None, {}).
    """
    candidates = [_lines(text, split.inputs.shape[1]) for text, split in zip(texts, splits, strict=True)]
    for place in range(min(map(len, candidates))):
        pairs: set[tuple[int, str]] = set()
        rows: list[int] = []
        for split, lines in zip(splits, candidates, strict=True):
            words = lines[place]
            for row, codes in enumerate(getattr(split, side)[:32]):
                length = len(codes) if split.lengths is None else int(split.lengths[row])
                new = pairs | set(zip(codes.tolist(), words, strict=False))
                fits = len(words) == length or FEWEST <= len(words) < length
                if fits and len(new) == len({code for code, _ in new}) == len({word for _, word in new}):
                    pairs = new
                    rows.append(row)
                    break
        if len(rows) == len(splits) and len(pairs) > 1:
            return rows[0], dict(pairs)
    return None, {}


def _lines(text: str, steps: int) -> list[list[str]]:
    """What could be words for the steps: those of a line behind its label, or the letters of its only word; and, where
    there is a line for each step, their last words.
    """
    found = []
    for line in text.splitlines():
        words = re.sub(r"^\s*\S+( \S+)*  +", "", line).removesuffix("...").split()
        found.append(list(words[0]) if len(words) == 1 else words)
    return [*found, [line.split()[-1] for line in text.splitlines()[-steps:] if line.split()]]


# --- drawing ----------------------------------------------------------------------------------------------------------


def panels_of(label: str, values: Values, shown: Sequence[str], ink: str) -> list[Panel]:
    """A strip of symbols, a panel for each channel, or one image of many channels."""
    if isinstance(values, list):
        size, turned = _letters(values)
        longest = max(map(len, values))
        height = max(0.42, 0.2 + 0.62 * longest * size / 72) if turned else 0.42
        return [Panel(height, lambda axes, _: _strip(axes, label, values, shown, size, turned))]
    columns = values.reshape(len(values), -1).T
    if len(columns) > LINES:
        height = min(3.0, max(1.4, 0.14 * len(columns)))
        return [Panel(height, lambda axes, scale: _image(axes, scale, label, columns), scaled=True)]
    names = [label] if len(columns) == 1 else [f"{label} {number + 1}" for number in range(len(columns))]
    height = 1.5 if len(columns) == 1 else 0.7
    return [
        Panel(height, lambda axes, _, name=name, column=column: _line(axes, name, column, ink, height < 1))  # type: ignore[misc]
        for name, column in zip(names, columns, strict=True)
    ]


def _letters(words: Sequence[str]) -> tuple[float, bool]:
    """Points of the letters in a strip's cells, and whether they are turned to fit."""
    cell, longest = 72 * STEPS_WIDTH / len(words), max(map(len, words))
    across = min(13.0, 0.82 * cell / (0.62 * longest))
    if len(words) > LETTERED:
        return 10.0, False
    return (across, False) if across >= 9 else (min(12.0, 0.95 * cell), True)


def _colour(word: str, shown: Sequence[str]) -> str:
    """From middle to light, so that black letters can be read on all and grey keeps the order."""
    if word in BLANKS:
        return BAND
    signs = [other for other in shown if other not in BLANKS]
    return mpl.colors.to_hex(mpl.colormaps["viridis"](0.58 + 0.42 * signs.index(word) / max(1, len(signs) - 1)))


def _strip(axes: Axes, label: str, words: Sequence[str], shown: Sequence[str], size: float, turned: bool) -> None:
    colours = np.array([[mpl.colors.to_rgb(_colour(word, shown)) for word in words]])
    axes.imshow(colours, aspect="auto", extent=(0.5, len(words) + 0.5, 0, 1), interpolation="nearest")
    if few := len(words) <= LETTERED:
        axes.vlines(np.arange(1.5, len(words)), 0, 1, color="white", linewidth=1)
    counts = Counter(words)
    for step, word in enumerate(words, start=1):
        if not few and (counts[word] > RARE or len(word) > 1 or len(words) > 2 * LETTERED):
            continue
        # The letters of one width that matplotlib carries too.
        style = {"family": "DejaVu Sans Mono", "fontsize": size, "rotation": 90 if turned else 0}
        axes.text(step, 0.48, word, ha="center", va="center", **style)  # type: ignore[arg-type]
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    _label(axes, label)


def _line(axes: Axes, label: str, values: np.ndarray, ink: str, small: bool) -> None:
    steps, few = np.arange(1, len(values) + 1), len(values) <= LETTERED
    if set(np.unique(values)) == {0.0, 1.0}:  # a mark, there or not
        axes.bar(steps, values, width=0.8, color=ink)
    else:
        axes.plot(steps, values, color=ink, linewidth=1.3, marker="o" if few else "", markersize=3.5)
    if values.min() == values.max():
        axes.set_yticks([float(values[0])])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(2 if small else 4, steps=[1, 2, 5, 10]))
    axes.margins(y=0.15)
    _label(axes, label)


def _image(axes: Axes, scale: Axes | None, label: str, columns: np.ndarray) -> None:
    edges = (0.5, columns.shape[1] + 0.5, len(columns) + 0.5, 0.5)
    drawn = axes.imshow(columns, aspect="auto", extent=edges, interpolation="nearest", cmap="viridis")
    axes.yaxis.set_major_locator(FixedLocator(range(1, len(columns) + 1, -(-len(columns) // 6))))
    axes.figure.colorbar(drawn, cax=scale, ticks=MaxNLocator(4))
    _label(axes, f"{label}s\n1 to {len(columns)}")


def _label(axes: Axes, label: str) -> None:
    axes.set_ylabel(label, rotation=0, ha="right", va="center", labelpad=10)


def _say(axes: Axes, steps: int, answer: str) -> None:
    """A box under the last step."""
    axes.set_axis_off()
    box = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": ANSWER, "linewidth": 1.5}
    axes.text(0.99, 0.4, answer, transform=axes.transAxes, ha="right", va="center", fontsize=12, bbox=box)
