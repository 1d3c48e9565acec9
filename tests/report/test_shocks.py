"""Shocks on time axes: named events, ticks, strips, and labels that never overlap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from sim.report import forced, funds, prices
from sim.report.context import RunContext
from sim.report.heads import draw_heads
from sim.report.shocks import (
    ShockMark,
    events,
    place_labels,
    shock_marks,
    strips,
    text_width,
    ticks,
)
from sim.report.style import TINY, house_style, new_figure
from tests.report import synthetic


def jump(at: float, asset: str = "BTC", **more: Any) -> dict[str, Any]:
    return {"kind": "jump", "at": at, "asset": asset, "return": -0.05, **more}


def depth(at: float, until: float | None, factor: float, **more: Any) -> dict[str, Any]:
    return {"kind": "depth", "at": at, "until": until, "factor": factor, **more}


def outage(venue: str, at: float, duration: float, **more: Any) -> dict[str, Any]:
    return {"kind": "outage", "venue": venue, "at": at, "duration": duration, **more}


def test_shocks_become_marks() -> None:
    marks = shock_marks(synthetic.thirty_shocks(), 4799.0, 1.0)
    assert len(marks) == 28  # diffusions are no events
    assert [m.begin for m in marks] == sorted(m.begin for m in marks)
    ramp = next(m for m in marks if m.kind == "ramp")
    assert (ramp.begin, ramp.end, ramp.label, ramp.asset) == (600.0, 1500.0, None, "ETH")
    late = next(m for m in marks if m.kind == "depth" and m.asset == "BTC")
    assert late.end == 4800.0  # without an end it lasts to the end of the axis
    assert shock_marks([jump(99.0)], 50.0) == ()
    (named,) = shock_marks([{"kind": "gbm", "at": 7.0, "label": "$5bn & more"}], 50.0)
    assert (named.begin, named.label) == (7.0, r"\$5bn & more")


def test_the_same_name_at_the_same_time_is_one_event() -> None:
    shocks = [
        jump(30.0, "BTC", label="recovery"),
        jump(10.0, "BTC", label="news"),
        jump(10.0, "ETH", label="news"),
        jump(10.0, "SOL", label="rumour"),
        jump(20.0, "SOL"),
    ]
    found = shock_marks(shocks, 99.0)
    assert events(found) == [(10.0, "news"), (10.0, "rumour"), (30.0, "recovery")]
    assert ticks(found) == [20.0]
    assert strips(found) == []


@pytest.mark.parametrize(("count", "shown"), [(6, 6), (7, 0)])
def test_many_shocks_without_a_name_are_not_drawn(count: int, shown: int) -> None:
    shocks = [jump(float(at), asset) for at in range(1, count + 1) for asset in ("BTC", "ETH")]
    assert len(ticks(shock_marks(shocks, 99.0))) == shown


def test_strips_say_how_deep_the_books_are() -> None:
    shocks = [
        depth(10.0, 50.0, 0.2),
        depth(30.0, 40.0, 0.5),
        depth(60.0, 70.0, 0.5),
        outage("okx", 5.0, 5.0),
    ]
    found = {strip.text: strip.spans for strip in strips(shock_marks(shocks, 99.0))}
    assert found == {
        "okx outage": ((5.0, 10.0),),
        "depth \N{MULTIPLICATION SIGN}0.5 to \N{MULTIPLICATION SIGN}0.1": ((10, 50), (60, 70)),
    }
    (one,) = strips(shock_marks([depth(0.0, None, 0.4, venue="okx", asset="BTC")], 99.0, 1.0))
    assert one == ("depth", "okx BTC depth \N{MULTIPLICATION SIGN}0.4", ((0.0, 100.0),))


def test_strips_with_one_label_are_one_strip() -> None:
    shocks = [
        depth(10.0, 50.0, 0.2, label="thin books"),
        depth(20.0, 60.0, 0.3, label="thin books", asset="AVAX"),
    ]
    marks = shock_marks(shocks, 99.0)
    assert strips(marks) == [("depth", "thin books", ((10.0, 60.0),))]
    assert events(marks) == []


def test_many_strips_are_one_of_each_kind() -> None:
    shocks = [depth(10.0, 50.0, 0.2, asset=asset) for asset in ("BTC", "ETH", "SOL")]
    shocks.append(outage("okx", 20.0, 5.0))
    found = strips(shock_marks(shocks, 99.0))
    assert found == [
        ("depth", "depth shocks", ((10.0, 50.0),)),
        ("outage", "outages", ((20.0, 25.0),)),
    ]


@pytest.mark.parametrize("width", [60.0, 130.0, 210.0, 480.0])
@pytest.mark.parametrize("count", [1, 5, 40])
def test_placed_labels_never_overlap(width: float, count: int) -> None:
    names = ("tariff news", "second leg", "recovery")
    spots = [(i / max(count - 1, 1), names[i % 3]) for i in range(count)]
    placed = place_labels(spots, width)
    assert placed
    for level in (0, 1):
        edges = [
            (label.left * width, label.left * width + text_width(label.text, TINY))
            for label in placed
            if label.level == level
        ]
        assert all(left >= -1e-9 and right <= width + 1e-9 for left, right in edges)
        assert all(left[1] < right[0] for left, right in pairwise(edges))


def test_labels_take_a_second_level_only_where_they_must() -> None:
    assert [x.level for x in place_labels([(0.2, "news"), (0.8, "leg")], 200.0)] == [0, 0]
    close = place_labels([(0.48, "second leg"), (0.60, "recovery")], 200.0)
    assert [label.level for label in close] == [0, 0]
    assert close[1].left == pytest.approx(0.60)  # begins at its line, as its middle has no room
    crowd = place_labels([(0.50, "first news"), (0.50, "other news"), (0.51, "third")], 200.0)
    assert [(label.text, label.level) for label in crowd] == [("first news", 0), ("other news", 1)]
    assert place_labels([(0.5, "far too long for this panel")], 30.0) == []


def _panel(shocks: list[dict[str, Any]]) -> tuple[Axes, tuple[ShockMark, ...]]:
    marks = shock_marks(shocks, 99.0, 1.0)
    with house_style():
        ax = new_figure(3.0).subplots()
        ax.bar([10.0], [7.0])
        ax.set_xlim(0.0, 100.0)
        draw_heads([ax], ["title"], [marks], 400.0)
    return ax, marks


def _upright(ax: Axes) -> list[float]:
    """Return the places of the lines over the whole height of a panel."""
    return [
        float(line.get_xdata()[0])  # type: ignore[index,arg-type]
        for line in ax.findobj(Line2D)
        if line in ax.lines and list(line.get_ydata()) == [0, 1]  # type: ignore[arg-type]
    ]


def test_heads_mark_names_ticks_and_strips() -> None:
    shocks = [
        jump(20.0, label="news"), jump(20.0, "ETH", label="news"), jump(60.0), jump(0.0),
        outage("okx", 30.0, 40.0),
    ]  # fmt: skip
    ax, _ = _panel(shocks)
    assert sorted(_upright(ax)) == [20.0, 60.0]  # one on the axis itself is not drawn
    assert sorted(text.get_text() for text in ax.texts) == ["news", "okx outage"]
    assert not [patch for patch in ax.patches if patch.get_height() != 7.0]  # type: ignore[attr-defined]


def test_strips_stand_in_room_above_the_data() -> None:
    ax, _ = _panel([outage("okx", 30.0, 40.0), depth(20.0, 80.0, 0.5)])
    ax.figure.canvas.draw()
    bars = [text for text in ax.texts if "outage" in text.get_text() or "depth" in text.get_text()]
    lowest = min(text.get_window_extent().y0 for text in bars)
    top = float(ax.transData.transform((0.0, 7.0))[1])
    assert len(bars) == 2
    assert top < lowest


@pytest.mark.parametrize("figure", [prices, forced, funds])
def test_labels_of_a_run_reach_its_figures(figure: Any) -> None:
    shocks = [jump(2000.0, base, label="tariff news") for base in ("BTC", "ETH")]
    shocks.append(depth(2000.0, 3000.0, 0.2, label="thin books"))
    result = synthetic.world(2, 2, orders=200, shocks=shocks)
    context = RunContext.of(result)
    table = {prices: result.prices, forced: result.liquidations, funds: result.venues}[figure]
    texts = [text.get_text() for ax in figure.figure(table, context).axes for text in ax.texts]
    panels = 2 if figure is prices else 1
    assert texts.count("tariff news") == panels
    assert texts.count("thin books") == panels
