"""Figures show what the tables hold, the same bytes each time, and also where there is nothing."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sim.report import RunContext, forced, funds, generations, prices, save_all
from sim.report.figures import all_figures
from sim.report.forced import NOTHING
from sim.report.style import house_style, looks, new_figure
from tests.report import synthetic
from tests.report.overlap import assert_no_overlap

NAMES = ["prices", "forced_notional", "price_causes", "generations", "funds"]
PNG = b"\x89PNG\r\n"


def _bars(ax: Axes) -> float:
    return float(sum(bar.get_height() for bar in ax.patches if hasattr(bar, "get_height")))


def _heights(ax: Axes, colours: set[str]) -> float:
    """Return the sum of the heights of the bars of some colours (shock spans have others)."""
    wanted = {mpl.colors.to_rgba(colour) for colour in colours}
    return sum(
        bar.get_height() for bar in ax.patches if tuple(bar.get_facecolor()) in wanted
    )  # fmt: skip


def texts_of(figure: Figure) -> list[str]:
    """Return every text of a figure."""
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_text()]


def test_forced_bars_sum_to_the_table(flagship: synthetic.Result, context: RunContext) -> None:
    figure = forced.figure(flagship.liquidations, context)
    table = flagship.liquidations.groupby("kind")["notional"].sum()
    colours = {look.colour for look in looks(context.venues).values()}
    for ax, kind, share in zip(
        figure.axes, ("market", "backstop", "adl"), (1, 1, 0.5), strict=True
    ):
        assert _heights(ax, colours) == pytest.approx(share * table[kind], rel=1e-12)


@pytest.mark.parametrize(("ticks", "count"), [(1, 1), (90, 90), (120, 120), (121, 61)])
def test_forced_bars_are_at_most_120(ticks: int, count: int) -> None:
    result = synthetic.world(2, 1, ticks, 1, orders=40)
    data = forced.binned(result.liquidations, RunContext.of(result))
    assert len(data.left) == count
    assert data.notional["market"].shape == (len(data.venues), count)


def test_forced_trades_keep_their_venue_and_time() -> None:
    result = synthetic.world(3, 2, 600, 10, orders=400)
    context = RunContext.of(result)
    data = forced.binned(result.liquidations, context)
    market = result.liquidations[result.liquidations["kind"] == "market"]
    width = int(data.width)
    for place, venue in enumerate(data.venues):
        for cell in (50, 60, 61, 70):
            inside = market["time"].between(cell * width, (cell + 1) * width, inclusive="left")
            want = market[inside & (market["venue"] == venue)]["notional"].sum()
            assert data.notional["market"][place, cell] == pytest.approx(want)


@pytest.mark.parametrize(("depth", "width"), [(12, 1), (59, 1), (60, 2), (200, 4)])
def test_generation_bars_sum_to_the_market_notional(depth: int, width: int) -> None:
    result = synthetic.world(3, 1, 600, 10, orders=1500, depth=depth)
    context = RunContext.of(result)
    data = generations.rounds(result.liquidations, context)
    market = result.liquidations[result.liquidations["kind"] == "market"]
    assert data.width == width
    assert len(data.first) <= 60
    assert data.notional.sum() == pytest.approx(market["notional"].sum())
    accounts = market.groupby(market["generation"] // width)["account_id"].nunique()
    assert data.accounts[accounts.index].tolist() == accounts.tolist()
    figure = generations.figure(result.liquidations, context)
    if figure.axes[0].get_yscale() == "linear":
        assert _bars(figure.axes[0]) == pytest.approx(market["notional"].sum())


def test_generations_over_many_decades_are_logarithmic() -> None:
    result = synthetic.world(2, 1, 600, 10, orders=600)
    few = result.liquidations["generation"] > 0
    result.liquidations.loc[few, "notional"] *= 1e-4
    figure = generations.figure(result.liquidations, RunContext.of(result))
    assert figure.axes[0].get_yscale() == "log"
    assert figure.axes[1].get_yscale() == "linear"


@pytest.mark.parametrize("count", [1, 2, 5, 6, 7])
def test_few_generations_are_whole_numbers_under_slim_bars(count: int) -> None:
    result = synthetic.world(2, 1, 600, 10, orders=600, depth=40)
    few = result.liquidations[result.liquidations["generation"] < count]
    (upper, lower) = generations.figure(few, RunContext.of(result)).axes
    low, high = lower.get_xlim()
    ticks = [tick for tick in lower.get_xticks() if low <= tick <= high]
    assert ticks == list(range(count))
    assert [lower.xaxis.get_major_formatter()(tick) for tick in ticks] == [
        str(tick) for tick in range(count)
    ]
    assert max(bar.get_width() for bar in upper.patches) <= 0.15 * (high - low)


def test_fund_lines_are_changes_since_the_start(
    flagship: synthetic.Result, context: RunContext
) -> None:
    figure = funds.figure(flagship.venues, context)
    for ax, column in zip(figure.axes, ("equity", "insurance_fund"), strict=True):
        lines = [line for line in ax.lines if len(line.get_xdata()) > 2]
        for line, venue in zip(lines, context.venues, strict=True):
            mine = flagship.venues[flagship.venues["venue"] == venue]
            change = mine[column] - mine[column].iloc[0]
            np.testing.assert_array_equal(line.get_ydata(), change)
            np.testing.assert_array_equal(line.get_xdata(), mine["time"])
    assert r"binance (\$4bn, \$300m)" in texts_of(figure)


def test_venues_without_a_fund_are_left_out() -> None:
    result = synthetic.world(3, 1, 300, 10, orders=50)
    result.venues.loc[result.venues["venue"] == "bybit", "insurance_fund"] = 0.0
    figure = funds.figure(result.venues, RunContext.of(result))
    lines = [line for line in figure.axes[1].lines if len(line.get_xdata()) > 2]
    assert len(lines) == 2
    assert r"bybit (\$2bn, no fund)" in texts_of(figure)
    result.venues["insurance_fund"] = 0.0
    figure = funds.figure(result.venues, RunContext.of(result))
    assert len(figure.axes) == 1
    assert "in brackets: equity at the start; no venue has an insurance fund" in texts_of(figure)


def test_kinds_that_did_not_happen_have_no_panel() -> None:
    result = synthetic.world(2, 1, 300, 10, orders=400)
    table = result.liquidations
    market = table[table["kind"] == "market"]
    figure = forced.figure(market, RunContext.of(result))
    assert len(figure.axes) == 1
    text = "nothing was taken over by a backstop or closed by auto-deleveraging in this run"
    assert text in texts_of(figure)
    figure = forced.figure(table[table["kind"] != "backstop"], RunContext.of(result))
    titles = [ax.get_title(loc="left").split(":")[0] for ax in figure.axes]
    assert titles == ["Liquidated to the market", "Closed by auto-deleveraging"]


def test_files_are_byte_stable(tmp_path: Path, flagship: synthetic.Result) -> None:
    first = save_all(flagship, tmp_path / "one")
    mpl.rcParams["font.size"] = 31.0  # what a caller sets must not reach the figures
    try:
        second = save_all(flagship, tmp_path / "two")
    finally:
        mpl.rcdefaults()
    names = [*NAMES, "adl"]
    assert [path.name for path in first] == [f"{n}.{e}" for n in names for e in ("svg", "png")]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert first[0].read_bytes().startswith(b"<?xml")
    assert first[1].read_bytes().startswith(PNG)


def test_the_house_style_does_not_leak(flagship: synthetic.Result) -> None:
    before = dict(mpl.rcParams)
    funds.figure(flagship.venues)
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["calm", "empty", "one tick", "one tick calm", "thirty shocks"])
def test_unusual_runs_give_every_figure(name: str, tmp_path: Path) -> None:
    result = {
        "calm": synthetic.calm,
        "empty": synthetic.empty,
        "one tick": lambda: synthetic.world(2, 2, 1, 1, orders=30),
        "one tick calm": lambda: synthetic.world(1, 1, 1, 1, orders=0, shocks=[]),
        "thirty shocks": lambda: synthetic.world(orders=200, shocks=synthetic.thirty_shocks()),
    }[name]()
    with np.errstate(all="raise"):
        written = save_all(result, tmp_path)
    closed = bool((result.liquidations["kind"] == "adl").any())
    assert len(written) == 10 + 2 * closed
    assert all(path.stat().st_size > 1000 for path in written)


def test_no_forced_trades_is_a_sentence() -> None:
    figures = all_figures(synthetic.calm())
    for name in ("forced_notional", "generations"):
        assert texts_of(figures[name]) == [NOTHING]
        assert NOTHING == "No forced trades in this run"


def test_one_tick_shows_markers_and_bars() -> None:
    result = synthetic.world(2, 1, 1, 1, orders=50, shocks=[])
    figures = all_figures(result)
    (panel,) = figures["prices"].axes
    assert all(line.get_marker() not in ("", "None") for line in panel.lines)
    low, high = panel.get_xlim()
    assert low < 0.0 < high
    market = result.liquidations[result.liquidations["kind"] == "market"]
    assert _bars(figures["forced_notional"].axes[0]) == pytest.approx(market["notional"].sum())


def test_a_caller_may_give_the_axes(flagship: synthetic.Result, context: RunContext) -> None:
    with house_style():
        mine = new_figure(6.0)
        axes = list(mine.subplots(3, 1))
    assert forced.figure(flagship.liquidations, context, ax=axes) is mine
    assert axes[0].patches
    with pytest.raises(ValueError, match="3 panels"):
        forced.figure(flagship.liquidations, context, ax=axes[:2])
    alone = new_figure(3.0).subplots()
    only = synthetic.world(1, 1, 50, 1, orders=0)
    assert prices.figure(only.prices, ax=alone).axes == [alone]


@pytest.mark.parametrize("count", [3, 8, 9, 12])
def test_legends_hold_at_most_eight_entries(count: int) -> None:
    result = synthetic.world(count, 1, 300, 10, orders=900)
    for name, figure in all_figures(result).items():
        if name == "adl":
            assert not figure.legends  # its bars are named
            continue
        (legend,) = figure.legends
        labels = [text.get_text() for text in legend.get_texts()]
        assert len(labels) == len(set(labels)), name
        assert len(labels) <= 9, name  # causes and their total make nine
        if name != "price_causes":
            assert len(labels) <= 8, name


def test_bars_of_many_venues_sum_with_other() -> None:
    result = synthetic.world(12, 1, 300, 10, orders=900)
    data = forced.binned(result.liquidations, RunContext.of(result))
    assert data.venues[-1] == "other"
    assert len(data.venues) == 8
    market = result.liquidations[result.liquidations["kind"] == "market"]
    assert data.notional["market"].sum() == pytest.approx(market["notional"].sum())


def test_texts_do_not_overlap(flagship: synthetic.Result) -> None:
    shocked = synthetic.world(orders=300, shocks=synthetic.thirty_shocks())
    named = synthetic.world(orders=300, shocks=synthetic.named_shocks())
    for result in (flagship, shocked, named, synthetic.world(12, 11, 600, 10, orders=500)):
        for name, figure in all_figures(result).items():
            assert_no_overlap(figure, name)
