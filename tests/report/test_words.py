"""Money, time axes and the summary table."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from matplotlib.figure import Figure

from sim.report import Row, RunContext, money, summary_table
from sim.report.units import PriceFormatter, TimeAxis, instant, money_unit, price_axis
from tests.report import synthetic


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (999.4, "999"),
        (999.6, "1k"),
        (1234.0, "1.23k"),
        (-45_600_000.0, "-45.6m"),
        (999_999_999.0, "1bn"),
        (1.234e9, "1.23bn"),
        (1.5e12, "1.5tn"),
        (2.5e16, "25000tn"),
        (0.5, "0.5"),
        (3.2e-7, "3.2e-07"),
        (float("nan"), "n/a"),
        (float("-inf"), "-\N{INFINITY}"),
    ],
)
def test_money(value: float, text: str) -> None:
    assert money(value) == text


def test_money_with_its_unit() -> None:
    assert money(-2.5e6, "$") == "-$2.5m"
    assert money(2.5e6, "EUR") == "2.5m EUR"
    assert money(123_456.0, digits=5) == "123.46k"


@pytest.mark.parametrize(
    ("quotes", "unit"),
    [
        (["USDT", "USDC"], "$"),
        (["usdt"], "$"),
        (["EUR"], "EUR"),
        (["BTC", "BTC"], "BTC"),
        (["EUR", "USD"], "quote"),
        ([], "quote"),
    ],
)
def test_the_dollar_sign_is_for_dollars(quotes: list[str], unit: str) -> None:
    assert money_unit(quotes) == unit


def _ticks(axis: TimeAxis) -> tuple[list[str], str]:
    ax = Figure().subplots()
    axis.apply(ax)
    formatter = ax.xaxis.get_major_formatter()
    return [formatter(x) for x in ax.get_xticks()], ax.get_xlabel()


def test_clock_time_is_on_whole_steps() -> None:
    start = datetime(2025, 10, 10, 20, 50, 7, tzinfo=UTC)
    ticks, label = _ticks(TimeAxis(0.0, 4800.0, start))
    assert ticks == ["21:00", "21:10", "21:20", "21:30", "21:40", "21:50", "22:00", "22:10"]
    assert label == "time [UTC, 10 October 2025]"


@pytest.mark.parametrize(
    ("last", "label", "end"),
    [
        (60.0, "time since start [s]", "60"),
        (1800.0, "time since start [min]", "30"),
        (36_000.0, "time since start [h]", "10"),
        (864_000.0, "time since start [d]", "10"),
    ],
)
def test_elapsed_time_takes_a_sensible_unit(last: float, label: str, end: str) -> None:
    ticks, found = _ticks(TimeAxis(0.0, last))
    assert found == label
    assert ticks[0] == "0"
    assert ticks[-1] == end
    assert len(ticks) <= 9


def test_days_are_named() -> None:
    start = datetime(2025, 12, 30, tzinfo=UTC)
    ticks, label = _ticks(TimeAxis(0.0, 4 * 86400.0, start))
    assert label == "time [UTC, 30 December 2025 to 2 January 2026]"
    assert ticks[:2] == ["30 Dec 00:00", "30 Dec 12:00"]


def test_one_instant_stands_in_the_middle() -> None:
    assert TimeAxis(0.0, 0.0).limits() == (-0.5, 0.5)
    assert _ticks(TimeAxis(0.0, 0.0))[0] == ["0"]


def test_instants_are_utc() -> None:
    assert instant("2025-10-10T22:50:00+02:00") == datetime(2025, 10, 10, 20, 50, tzinfo=UTC)
    assert instant("2025-10-10T20:50:00") == datetime(2025, 10, 10, 20, 50, tzinfo=UTC)
    assert instant(None) is None


@pytest.mark.parametrize(
    ("ticks", "texts"),
    [
        ([8.75, 9.0, 9.25], ["8.75", "9.00", "9.25"]),
        ([212.5, 215.0, 217.5], ["212.5", "215.0", "217.5"]),
        ([4000.0, 4100.0], ["4,000", "4,100"]),
    ],
)
def test_prices_are_written_exactly(ticks: list[float], texts: list[str]) -> None:
    formatter = PriceFormatter()
    formatter.set_locs(ticks)
    assert [formatter(x) for x in ticks] == texts


def test_price_axes_scale() -> None:
    ax = Figure().subplots()
    ax.set_ylim(8e-6, 9.6e-6)
    price_axis(ax, 8e-6, 9.6e-6, "$/PEPE")
    assert ax.get_ylabel() == r"price [$10^{-6}$ \$/PEPE]"
    price_axis(ax, 1e5, 1.2e5, "EUR/BTC")
    formatter = ax.yaxis.get_major_formatter()
    formatter.set_locs([110_000.0, 112_500.0])
    assert formatter(112_500.0) == "112.5k"


def test_context_without_a_manifest_reads_the_tables() -> None:
    result = synthetic.world(2, 1, 300, 10, orders=5)
    result.manifest.clear()
    context = RunContext.of(result)
    assert (context.tick, context.currency, context.shocks) == (1.0, "quote", ())
    assert context.last >= 290.0
    assert context.listing("binance", "BTC-PERP").base == "BTC"


def test_summary_table() -> None:
    summary = synthetic.world(2, 1, 100, 10, orders=50).summary
    groups = {group.title: group.rows for group in summary_table(summary)}
    assert list(groups) == ["Run", "Forced trades", "Losses", "Contagion", "Markets", "Venues"]
    notional = money(summary["liquidated_notional"])
    assert groups["Forced trades"][0] == Row("liquidated to the market", notional, "$")
    assert Row("accounts", "1,200,000", "") in groups["Run"]
    assert Row("branching ratio", "0.430", "") in groups["Contagion"]
    assert groups["Venues"][0] == Row("binance", "insurance fund used $100k", "")
    assert "amplification 1.70" in groups["Markets"][0].value


def test_summary_table_leaves_out_what_is_not_known() -> None:
    assert summary_table({}) == []
    (group,) = summary_table({"seed": 3, "run_id": None})
    assert group.rows == [Row("seed", "3", "")]
    market = {"amplification": float("nan"), "max_drawdown": 0.0, "liquidated_notional": 0.0}
    (markets,) = summary_table({"markets": {"a/X": market}}, currency="EUR")
    assert markets.rows == [Row("a/X", "drawdown 0.0 %, liquidated 0 EUR", "")]
    (venues,) = summary_table({"venues": {"a": {"shortfall": 0.0}}})
    assert venues.rows == [Row("a", "untouched", "")]
