"""Evidence by path or by name, as pandas tables, and what it says: for a notebook.

    from benchmark import analyse, load

    evidence = load("published/laptop")
    print(analyse(evidence).headline)

`benchmark.evidence` and `benchmark.flat` read, `benchmark.analysis` judges; nothing here writes a file.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.errors import UserError

if TYPE_CHECKING:
    from benchmark.analysis.findings import Findings
    from benchmark.evidence import Evidence

_CHECKOUT = Path(__file__).resolve().parent.parent / "results"
"""Where published evidence lies in a checkout; what is installed from a wheel carries none."""


def load(source: str | Path) -> Evidence:
    """The evidence of a study as pandas tables: `runs`, `members`, `blocks` and `curves`.

    `source` is a folder of evidence, a flat table (.csv or .parquet), or the name of a study in `results/` of the
    workspace (STRATA_WORKSPACE, else the current folder) or of the checkout: `laptop` for your own run,
    `published/laptop` for the one that was published. `runs` has a row per training, `members` a row per use of one,
    `blocks` a row per training and test block, `curves` a row per training, step, metric and layer; `study` is the
    study as plain types. benchmark/EVIDENCE.md says what every column means.

    What a table made elsewhere does not show, and what follows, is given as a warning. Raises UserError.
    """
    from benchmark import evidence, flat

    path = _find(source)
    whole = [path / "study.yaml", *(path / f"{name}.parquet" for name in evidence.TABLES)]
    if all(one.exists() for one in whole):
        return evidence.read(path)
    loaded = flat.load(path)
    if loaded.absent:
        warnings.warn(f"{path} does not show everything: {'; '.join(loaded.absent)}", stacklevel=2)
    return loaded.evidence


def analyse(evidence: Evidence) -> Findings:
    """Every verdict of the evidence, by Strata's rules: what `strata report` and `strata analyse` find.

    Read `findings.headline` first: it says when the answer is withheld, as a control failed or a comparison was not
    fair. `findings.contrasts` has a verdict for each task, size and match, with `pairs`, each a deeper depth against
    one layer; `findings.beyond_two` has every depth beyond two against two, `findings.arms` each cell and its cost.
    `pandas.DataFrame(findings.contrasts)` is a table of them. Raises UserError where the tables do not fit.

    Example: `print(analyse(load("published/laptop")).headline)`.
    """
    from benchmark.analysis.analyse import analyse as found
    from benchmark.analysis.outline import with_limits

    return with_limits(found(evidence), tuned=bool(evidence.study.get("tuning")))


def _find(source: str | Path) -> Path:
    from benchmark.workspace import Workspace

    path = Path(source)
    if path.is_file() or _holds_runs(path):
        return path
    roots = dict.fromkeys([Workspace.here().results, _CHECKOUT])
    found = [root / path for root in roots if _holds_runs(root / path)]
    if found:
        return found[0]
    there = [(root, runs) for root in roots for place in ("*", "published/*") for runs in root.glob(f"{place}/runs.*")]
    names = sorted({runs.parent.relative_to(root).as_posix() for root, runs in there})
    known = f"one of {', '.join(names)}" if names else "run a study first: `strata sweep`"
    raise UserError(f"there is no evidence in {source!s}: give a folder of evidence, a table, or {known}")


def _holds_runs(folder: Path) -> bool:
    return any((folder / f"runs{suffix}").exists() for suffix in (".parquet", ".csv"))
