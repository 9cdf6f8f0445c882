"""What a worker holds, and when it counts."""

from forehearth.accounting.counters import STEP, Sliding, Slots, Windowed
from forehearth.core.counter import Grant
from forehearth.core.windows import Period
from forehearth.testing.clock import VirtualClock


class Hands(VirtualClock):
    def ahead(self, seconds: float) -> None:
        """Set the calendar ahead."""
        self._offset += seconds


def test_a_window_is_spent_and_refunded_until_it_ends() -> None:
    clock = Hands(monotonic=1_000.0)
    held = Windowed(clock, Period.DAY)
    assert held.free(1_000.0) == 0
    held.pick_up(Grant(granted=(70,), spare=30, window=7, ends_in=50.0), asked=1_000.0)
    stamp = held.take(60, 1_000.0)
    assert (held.free(1_000.0), held.counts(stamp, 1_000.0)) == (40, True)
    held.give(25, stamp)
    assert held.free(1_049.9) == 65
    assert (held.free(1_050.0), held.counts(stamp, 1_050.0)) == (0, False)
    held.pick_up(Grant(granted=(10,), window=8, ends_in=50.0), asked=1_050.0)
    held.give(25, stamp)
    assert held.free(1_051.0) == 10


def test_a_calendar_that_is_set_ahead_ends_a_day_and_no_minute() -> None:
    clock = Hands(monotonic=1_000.0)
    day, minute = Windowed(clock, Period.DAY), Windowed(clock, Period.MINUTE)
    for held in (day, minute):
        held.pick_up(Grant(granted=(10,), window=7, ends_in=50.0), asked=1_000.0)
    clock.ahead(3_600.0)
    assert (day.free(1_000.0), minute.free(1_000.0)) == (0, 10)


def test_a_debt_is_told_and_then_forgotten() -> None:
    held = Windowed(Hands(), Period.DAY)
    held.pick_up(Grant(granted=(10,), window=7, ends_in=50.0), asked=1_000.0)
    held.give(-15, held.take(10, 1_000.0))
    assert held.free(1_000.0) == -15
    told = held.lay_down(1_000.0)
    assert (told.given, told.over, told.window) == (0, 15, 7)
    assert held.free(1_000.0) == 0


def test_what_is_kept_is_not_given_back() -> None:
    held = Windowed(Hands(), Period.DAY)
    held.pick_up(Grant(granted=(100,), window=7, ends_in=50.0), asked=1_000.0)
    assert held.lay_down(1_000.0, keep=30).given == 70
    assert held.free(1_000.0) == 30


def test_a_sliding_share_is_free_again_a_minute_after_each_instant() -> None:
    held = Sliding()
    held.pick_up(Grant(held=100, ends_in=30.0), asked=1_000.0)
    first = held.take(60, 1_000.1)
    held.take(30, 1_001.0)
    assert (held.free(1_001.0), held.in_use(1_001.0)) == (10, 90)
    held.give(20, first)
    assert held.free(1_001.0) == 30
    held.pick_up(Grant(held=100, ends_in=30.0), asked=1_050.0)
    assert held.free(1_060.1) == 30
    assert held.free(1_060.0 + STEP) == 70
    held.give(40, first)
    assert held.free(1_060.0 + STEP) == 70
    assert held.frees_in(90, 1_060.0 + STEP) == 1_001.0 + STEP + 60.0 - (1_060.0 + STEP)


def test_what_is_not_free_is_not_spent() -> None:
    windowed, sliding, slots = Windowed(Hands(), Period.DAY), Sliding(), Slots()
    windowed.pick_up(Grant(granted=(10,), window=7, ends_in=50.0), asked=1_000.0)
    for share in (sliding, slots):
        share.pick_up(Grant(held=10, ends_in=5.0), asked=1_000.0)
    for held in (windowed, sliding, slots):
        assert held.spend(11, 1_000.0) is None
        assert held.spend(7, 1_000.0) == 3
        assert held.spend(4, 1_000.0) is None
        held.give(7, held.stamp)
        assert held.free(1_000.0) == 10
        assert held.spend(10, 1_000.0) == 0
        held.give(5, held.stamp)
        assert held.spend(1, 1_050.0) is None


def test_a_share_that_lapsed_is_not_used() -> None:
    for held in (Sliding(), Slots()):
        held.pick_up(Grant(held=5, ends_in=held.lasts), asked=1_000.0)
        held.take(2, 1_000.0)
        assert held.free(1_000.0 + held.lasts - 0.1) == 3
        assert held.free(1_000.0 + held.lasts) == 0
        assert held.lay_down(1_000.0 + held.lasts).given == 3


def test_a_share_that_was_lost_while_in_use_is_owed() -> None:
    held = Slots()
    held.pick_up(Grant(held=5, ends_in=5.0), asked=1_000.0)
    stamp = held.take(4, 1_000.0)
    held.pick_up(Grant(held=0, ends_in=5.0), asked=1_100.0)
    assert held.free(1_100.0) == -4
    assert held.lay_down(1_100.0).over == 4
    held.give(4, stamp)
    assert (held.free(1_100.0), held.in_use(1_100.0)) == (4, 0)
