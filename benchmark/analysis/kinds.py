"""The closed lists of words that the analysis speaks in."""

from __future__ import annotations

from typing import Literal

Judged = Literal["equivalent", "better", "worse", "open"]
Verdict = Literal["deeper", "wider", "no practical difference", "undecided", "no claim"]
Role = Literal["natural", "dial", "depth control", "width control", "null control", "A/A"]
