"""Mark rules: formulas, memory, and generations that revise a tick instead of repeating it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from sim.core.arrays import FloatArray
from sim.core.errors import RunError
from sim.models.mark import (
    MARKS,
    EmaMark,
    IndexMark,
    LastMark,
    MarkRule,
    MedianOfMark,
    TwapMark,
    build_mark,
)
from sim.schema.mark import Mark

RULES: list[Callable[[], MarkRule]] = [
    LastMark,
    IndexMark,
    lambda: EmaMark(5.0),
    lambda: EmaMark(20.0, "index"),
    lambda: TwapMark(7.0),
    lambda: TwapMark(2.5, "index"),
    lambda: MedianOfMark([LastMark(), TwapMark(4.0), EmaMark(3.0, "index")]),
]

price = st.floats(0.01, 1e6)
path = st.lists(st.tuples(price, price), min_size=1, max_size=25)


def array(*values: float) -> FloatArray:
    return np.array(values, dtype=np.float64)


def run(rule: MarkRule, start: float, prices: list[float], dt: float = 1.0) -> list[float]:
    """Return the marks of one market whose last and index prices agree."""
    rule.start(array(start), array(start))
    marks = []
    for tick, value in enumerate(prices):
        rule.begin_tick(0.0 if tick == 0 else dt, tick)
        marks.append(float(rule.mark(array(value), array(value))[0]))
    return marks


def test_last_and_index_pass_their_price_through_as_a_copy() -> None:
    last, index = array(1.0, 2.0), array(3.0, 4.0)
    for rule, expected in ((LastMark(), last), (IndexMark(), index)):
        rule.start(last, index)
        rule.begin_tick(0.0, 0)
        mark = rule.mark(last, index)
        assert mark.tolist() == expected.tolist()
        mark[0] = 99.0
        assert expected[0] != 99.0
        assert rule.memory_seconds == 0.0
        assert rule.memory_ticks(1.0) == 0


def test_ema_halves_the_distance_every_half_life() -> None:
    marks = run(EmaMark(10.0), 100.0, [100.0, *[80.0] * 5], dt=10.0)
    assert marks == pytest.approx([100.0, 90.0, 85.0, 82.5, 81.25, 80.625], rel=1e-14)


def test_ema_does_not_depend_on_the_tick() -> None:
    coarse = run(EmaMark(10.0), 100.0, [100.0, 80.0], dt=4.0)
    fine = run(EmaMark(10.0), 100.0, [100.0, *[80.0] * 8], dt=0.5)
    assert fine[-1] == pytest.approx(coarse[-1], rel=1e-14)


@pytest.mark.parametrize("rule", [EmaMark(10.0), TwapMark(10.0)], ids=["ema", "twap"])
def test_a_jump_at_tick_zero_leaves_an_average_unmoved(rule: MarkRule) -> None:
    marks = run(rule, 100.0, [80.0, 80.0])
    assert marks[0] == 100.0
    assert 80.0 < marks[1] < 100.0


def test_a_jump_at_tick_zero_moves_rules_without_memory() -> None:
    assert run(LastMark(), 100.0, [80.0]) == [80.0]
    assert run(IndexMark(), 100.0, [80.0]) == [80.0]


def test_tick_zero_lasts_no_time_whatever_the_caller_says() -> None:
    rule = EmaMark(1.0)
    rule.start(array(100.0), array(100.0))
    rule.begin_tick(60.0, 0)
    assert rule.mark(array(50.0), array(50.0))[0] == 100.0


@settings(max_examples=60)
@given(st.lists(price, min_size=1, max_size=90), st.integers(1, 70), st.sampled_from([1.0, 0.1, 3]))
def test_twap_is_the_mean_of_the_last_samples(prices: list[float], ticks: int, dt: float) -> None:
    """Samples 1..t, and the starting price before them; tick 0 lasts no time."""
    marks = run(TwapMark(ticks * dt), 50.0, prices, dt)
    samples = [50.0] * ticks + prices[1:]
    for tick, mark in enumerate(marks):
        assert mark == pytest.approx(np.mean(samples[tick : tick + ticks]), rel=1e-9)


@pytest.mark.parametrize("ticks", [5, 63, 64, 65, 250])
def test_twap_of_a_long_run(ticks: int) -> None:
    prices = (100.0 + np.sin(np.arange(600.0)) * np.arange(600.0) / 10.0).tolist()
    marks = run(TwapMark(float(ticks)), 100.0, prices)
    samples = [100.0] * ticks + prices[1:]
    expected = [np.mean(samples[tick : tick + ticks]) for tick in range(600)]
    assert marks == pytest.approx(expected, rel=1e-12)


def test_twap_counts_part_of_its_oldest_sample() -> None:
    marks = run(TwapMark(2.5), 10.0, [10.0, 20.0, 30.0, 40.0, 50.0])
    assert marks[-1] == pytest.approx((50.0 + 40.0 + 0.5 * 30.0) / 2.5)


def test_twap_shorter_than_a_tick_is_the_last_sample() -> None:
    assert run(TwapMark(0.5), 10.0, [10.0, 20.0, 30.0]) == pytest.approx([10.0, 20.0, 30.0])


def test_twap_keeps_its_memory_through_an_interval_longer_than_others() -> None:
    rule = TwapMark(10.0)
    rule.start(array(0.0), array(0.0))
    for tick, (dt, value) in enumerate([(0.0, 0.0), (2.0, 10.0), (1.0, 20.0), (6.0, 30.0)]):
        rule.begin_tick(dt, tick)
        mark = rule.mark(array(value), array(value))
    assert mark[0] == pytest.approx((2 * 10.0 + 1 * 20.0 + 6 * 30.0) / 10.0)
    rule.begin_tick(2.0, 7)
    mark = rule.mark(array(40.0), array(40.0))
    assert mark[0] == pytest.approx((1 * 10.0 + 1 * 20.0 + 6 * 30.0 + 2 * 40.0) / 10.0)


@given(st.sampled_from(RULES), path)
def test_generations_revise_the_tick_and_are_not_counted(
    make: Callable[[], MarkRule], prices: list[tuple[float, float]]
) -> None:
    plain, cascading = make(), make()
    for rule in (plain, cascading):
        rule.start(array(7.0, 8.0), array(9.0, 10.0))
    for tick, (last, index) in enumerate(prices):
        lasts, indices = array(last, 2.0 * last), array(index, 0.5 * index)
        for rule in (plain, cascading):
            rule.begin_tick(1.0, tick)
        for factor in (3.0, 0.1, 1.7):
            cascading.mark(factor * lasts, indices / factor)
        found = cascading.mark(lasts, indices)
        assert found.tolist() == plain.mark(lasts, indices).tolist()
        assert found.tolist() == cascading.mark(lasts, indices).tolist()


@given(st.sampled_from(RULES), path)
def test_a_mark_lies_within_the_prices_seen(
    make: Callable[[], MarkRule], prices: list[tuple[float, float]]
) -> None:
    rule = make()
    rule.start(array(7.0), array(9.0))
    seen = [7.0, 9.0]
    for tick, (last, index) in enumerate(prices):
        seen += [last, index]
        rule.begin_tick(1.0, tick)
        mark = float(rule.mark(array(last), array(index))[0])
        slack = 1e-9 * max(seen)
        assert min(seen) - slack <= mark <= max(seen) + slack


@given(st.sampled_from(RULES), price)
def test_a_constant_price_is_marked_exactly(make: Callable[[], MarkRule], value: float) -> None:
    assert run(make(), value, [value] * 12) == [value] * 12


@given(st.sampled_from(RULES), path)
def test_after_its_memory_a_mark_has_forgotten(
    make: Callable[[], MarkRule], prices: list[tuple[float, float]]
) -> None:
    rule = make()
    rule.start(array(7.0), array(9.0))
    for tick, (last, index) in enumerate(prices):
        rule.begin_tick(1.0, tick)
        before = float(rule.mark(array(last), array(index))[0])
    for step in range(rule.memory_ticks(1.0) + 1):
        rule.begin_tick(1.0, len(prices) + step)
        mark = float(rule.mark(array(100.0), array(100.0))[0])
    largest = max([7.0, 9.0, 100.0, *[value for pair in prices for value in pair]])
    assert abs(mark - 100.0) <= 0.01 * largest
    assert np.isfinite(before)


def test_a_tick_without_a_mark_leaves_no_trace() -> None:
    for make in (lambda: EmaMark(5.0), lambda: TwapMark(5.0)):
        plain, skipping = make(), make()
        for rule in (plain, skipping):
            rule.start(array(10.0), array(10.0))
        for tick, value in enumerate([10.0, 12.0, 14.0]):
            for rule in (plain, skipping):
                rule.begin_tick(1.0, tick)
                rule.mark(array(value), array(value))
        skipping.begin_tick(30.0, 3)
        for rule in (plain, skipping):
            rule.begin_tick(1.0, 4)
        sample = array(9.0)
        assert skipping.mark(sample, sample).tolist() == plain.mark(sample, sample).tolist()


def test_rules_keep_no_reference_to_the_prices_they_were_given() -> None:
    for make in (lambda: EmaMark(5.0), lambda: TwapMark(5.0)):
        rule, other = make(), make()
        prices = array(10.0)
        rule.start(prices, prices)
        other.start(array(10.0), array(10.0))
        rule.begin_tick(0.0, 0)
        other.begin_tick(0.0, 0)
        rule.mark(prices, prices)
        other.mark(array(10.0), array(10.0))
        prices[0] = 1e6
        rule.begin_tick(1.0, 1)
        other.begin_tick(1.0, 1)
        assert rule.mark(array(11.0), prices)[0] == other.mark(array(11.0), prices)[0]


def test_median_of_rules_is_elementwise() -> None:
    rule = MedianOfMark([LastMark(), IndexMark(), EmaMark(1.0)])
    rule.start(array(100.0, 100.0), array(100.0, 100.0))
    rule.begin_tick(0.0, 0)
    assert rule.mark(array(80.0, 120.0), array(90.0, 90.0)).tolist() == [90.0, 100.0]
    pair = MedianOfMark([LastMark(), IndexMark()])
    pair.start(array(1.0), array(1.0))
    pair.begin_tick(0.0, 0)
    assert pair.mark(array(80.0), array(90.0)).tolist() == [85.0]


def test_restart_forgets() -> None:
    for make in RULES:
        rule, fresh = make(), make()
        run(rule, 5.0, [1.0, 2.0, 3.0, 400.0])
        assert run(rule, 50.0, [60.0, 70.0, 80.0]) == run(fresh, 50.0, [60.0, 70.0, 80.0])


def test_memory() -> None:
    assert EmaMark(30.0).memory_seconds == 210.0
    assert TwapMark(30.0).memory_seconds == 30.0
    assert TwapMark(0.3).memory_ticks(0.1) == 3
    assert EmaMark(1.0).memory_ticks(2.0) == 4
    assert MedianOfMark([LastMark(), TwapMark(9.0), EmaMark(1.0)]).memory_seconds == 9.0


@pytest.mark.parametrize("make", [lambda: EmaMark(1.0), lambda: TwapMark(1.0)])
def test_misuse_is_refused(make: Callable[[], MarkRule]) -> None:
    rule = make()
    with pytest.raises(RunError, match="start"):
        rule.mark(array(1.0), array(1.0))
    with pytest.raises(RunError, match="start"):
        rule.begin_tick(1.0, 0)
    rule.start(array(1.0), array(1.0))
    with pytest.raises(ValueError, match="dt_seconds"):
        rule.begin_tick(-1.0, 1)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="half_life"):
        EmaMark(0.0)
    with pytest.raises(ValueError, match="window"):
        TwapMark(float("nan"))
    with pytest.raises(ValueError, match="of must be"):
        EmaMark(1.0, "mid")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least two"):
        MedianOfMark([LastMark()])


def test_every_registered_kind_is_built_from_its_configuration() -> None:
    ema = {"kind": "ema", "half_life": 30.0, "of": "index"}
    twap = {"kind": "twap", "window": 60.0}
    configs: list[dict[str, Any]] = [
        {"kind": "last"},
        {"kind": "index"},
        ema,
        twap,
        {"kind": "oracle", "heartbeat": 3600.0, "deviation": 0.005},
        {"kind": "funded_index"},
        {"kind": "median_of", "of": [ema, twap, {"kind": "last"}]},
    ]
    adapter: TypeAdapter[Any] = TypeAdapter(Mark)
    built = {config["kind"]: build_mark(adapter.validate_python(config)) for config in configs}
    assert set(built) == set(MARKS)
    assert all(type(built[kind]) is MARKS[kind] for kind in MARKS)
    average, window, median = built["ema"], built["twap"], built["median_of"]
    assert isinstance(average, EmaMark)
    assert (average.half_life, average.of) == (30.0, "index")
    assert isinstance(window, TwapMark)
    assert (window.window, window.of) == (60.0, "last")
    assert isinstance(median, MedianOfMark)
    assert [type(part) for part in median.components] == [EmaMark, TwapMark, LastMark]
    assert build_mark(adapter.validate_python(ema)) is not average
