"""What is found about the timescales of layers, as plain data; findings hold a list of `Timescale`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["h", "c"]
Network = Literal["trained", "untrained"]
Answer = Literal["slower", "faster", "undecided"]
STATES: tuple[State, ...] = get_args(State)
NETWORKS: tuple[Network, ...] = get_args(Network)


@dataclass(frozen=True, kw_only=True)
class Duration:
    """A time in steps since the input was changed, with its bootstrap interval over networks."""

    value: float | None
    """None where the layer hears nothing of its input."""
    low: float | None
    high: float | None
    """None where the interval has no upper end within the window, or there is one network only."""
    outlasts: bool = False
    """Censored: the trace is longer than the window, and `value` is the window."""


@dataclass(frozen=True, kw_only=True)
class LayerTrace:
    """The trace that a changed input leaves in one state of one layer, averaged over the networks of an arm."""

    layer: int
    """1 is the lowest."""
    state: State
    network: Network
    half_life: Duration
    """Until the mean trace has fallen to half of its peak."""
    one_over_e: Duration
    area: Duration
    """Sum of the trace over its peak: how long it would last at full height, at most the steps of the window."""
    censored: int
    """Networks whose own half-life outlasts the window."""
    curve: list[tuple[int, float, float | None, float | None]]
    """(lag, distance, low, high); a distance of 1 is that of states which have nothing in common."""

    @property
    def peak(self) -> float:
        """The largest distance: how much the layer makes of one changed input."""
        return max(distance for _, distance, _, _ in self.curve)


@dataclass(frozen=True, kw_only=True)
class LayerAblation:
    """How much the validation loss rises when a layer says its mean output at every step."""

    layer: int
    increase: float
    """Mean over networks, in the unit of the task's loss; the interval is Student's t."""
    low: float | None
    high: float | None
    share: float | None
    """`increase` over what the networks gain on the trivial predictor: at 1 all of it is lost."""


@dataclass(frozen=True, kw_only=True)
class Separation:
    """What training did to the half-life of the highest layer over that of the lowest: above 1, upper layers slowed."""

    state: State
    ratio: float | None
    """Geometric mean over networks of (highest / lowest, trained) / (highest / lowest, at initialisation)."""
    low: float | None
    """By inverted sign flips of its logarithm, simultaneous for h and c; None where it is unbounded."""
    high: float | None
    p: float | None
    """Sign flips of networks, max-T over h and c."""
    p_adjusted: float | None
    """The larger of `p` and Holm's over the tasks, budgets and depths of the study."""
    area_ratio: float | None
    """The same of areas, which no window censors."""
    area_p: float | None
    censored: int
    """Networks with a half-life, of the two layers trained or untrained, that outlasts the window."""
    overstated: int
    """Those of them whose true half-life would bring `ratio` nearer to 1, or past it."""
    answer: Answer
    """Whether training made upper layers slower, compared with the lowest."""
    reason: str


@dataclass(frozen=True, kw_only=True)
class Timescale:
    """The layers of one arm's confirmed networks. `separations` is empty for one layer."""

    task: str
    budget: int
    match: str
    variant: str
    depth: int
    width: int
    seeds: list[int]
    window: int
    """Last lag that was followed, in steps."""
    sites: int
    """Changed inputs in all networks together."""
    metric: str
    unit: str
    traces: list[LayerTrace]
    ablations: list[LayerAblation]
    separations: list[Separation]
    limits: list[str]
    sentence: str
    other_networks: int = 0
    """Networks that came out otherwise than the judged ones: trained again on another machine."""
    other_loss: float | None = None
    """Largest difference of their validation loss from the judged networks', over what is learned; None without any."""

    def trace(self, layer: int, state: State, network: Network) -> LayerTrace:
        """One of `traces`."""
        return next(one for one in self.traces if (one.layer, one.state, one.network) == (layer, state, network))
