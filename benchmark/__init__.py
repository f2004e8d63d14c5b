"""Strata's engine: a fair comparison of depth against width in stacked LSTMs.

From a notebook (`examples/first_steps.ipynb` is a longer one):

    from benchmark import analyse, load, plots, size, train_cell

    size(3_000, task="formants")                                    # a table of widths and costs
    result = train_cell("formants", depth=2, width=13, steps=150)   # one training, of some seconds
    findings = analyse(load("published/laptop"))                    # what `strata report` finds
    plots.differences(findings)                                     # a matplotlib figure

Importing this package is cheap: torch, lightning, mlflow, optuna and pandas load only with the rooms that use them, and
the public names only when they are first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Evidence",
    "Findings",
    "RunResult",
    "Study",
    "UserError",
    "Variant",
    "__version__",
    "analyse",
    "load",
    "plots",
    "size",
    "train_cell",
]

if TYPE_CHECKING:  # what editors and mypy see
    from benchmark import plots
    from benchmark.analysis.findings import Findings
    from benchmark.cells import size, train_cell
    from benchmark.errors import UserError
    from benchmark.evidence import Evidence
    from benchmark.loading import analyse, load
    from benchmark.spec import RunResult, Variant
    from benchmark.study import Study
else:
    _HOMES = {
        "Evidence": "benchmark.evidence",
        "Findings": "benchmark.analysis.findings",
        "RunResult": "benchmark.spec",
        "Study": "benchmark.study",
        "UserError": "benchmark.errors",
        "Variant": "benchmark.spec",
        "analyse": "benchmark.loading",
        "load": "benchmark.loading",
        "size": "benchmark.cells",
        "train_cell": "benchmark.cells",
    }

    def __getattr__(name: str) -> Any:
        """A public name, from the room where it lives (PEP 562)."""
        if name == "plots":
            return import_module("benchmark.plots")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(_HOMES[name]), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
