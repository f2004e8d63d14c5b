"""A store that is away misses nothing, and is not asked at every result."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmark.projections import FIRST_PAUSE, LONGEST_PAUSE, Told
from benchmark.tracking import TrackingUnavailable
from benchmark.trials import TrialsUnavailable


class Store:
    """Counts what it is told; away, it refuses."""

    def __init__(self) -> None:
        self.away: Exception | None = None
        self.told: list[int] = []
        self.tries = 0
        self.said: list[str] = []
        self.clock = 0.0
        self.projection = Told("The store", self.said.append, now=lambda: self.clock)

    def action(self, number: int) -> Callable[[], None]:
        def act() -> None:
            self.tries += 1
            if self.away:
                raise self.away
            self.told.append(number)

        return act

    def tell(self, *numbers: int) -> None:
        for number in numbers:
            self.projection.tell(self.action(number))


@pytest.mark.parametrize("error", [TrackingUnavailable("gone"), TrialsUnavailable("gone")])
def test_what_a_store_missed_is_told_in_order_when_it_answers_again(error):
    store = Store()
    store.tell(1)
    store.away = error
    store.tell(2, 3)
    store.away = None
    store.tell(4)
    assert store.told == [1] and store.tries == 2, "it is left alone for a while"
    store.clock = FIRST_PAUSE
    store.tell(5)
    assert store.told == [1, 2, 3, 4, 5]
    first, second = store.said
    assert first.startswith("The store does not answer (gone); the study goes on") and "answers again" in second


def test_a_store_that_stays_away_is_asked_less_and_less_and_named_once():
    store = Store()
    store.away = TrackingUnavailable("gone")
    for second in range(600):
        store.clock = float(second)
        store.tell(second)
    assert 600 / LONGEST_PAUSE < store.tries < 20
    assert len(store.said) == 1
    assert not store.projection.catch_up()
    store.away = None
    assert store.projection.catch_up(), "the last try does not wait"
    assert store.told == list(range(600))


def test_another_error_is_not_swallowed():
    store = Store()
    store.away = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        store.tell(1)
