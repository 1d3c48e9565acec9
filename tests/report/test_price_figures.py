"""Figures of prices and of their causes show what the tables hold."""

from __future__ import annotations

import numpy as np
import pytest

from sim.report import RunContext, cause_looks, causes, prices
from sim.report.style import looks
from tests.report import synthetic
from tests.report.test_figures import texts_of

SPREAD = "last price against the mean of its markets"


def test_price_lines_are_the_recorded_prices(
    flagship: synthetic.Result, context: RunContext
) -> None:
    figure = prices.figure(flagship.prices, context)
    names = [ax.get_title(loc="left") for ax in figure.axes]
    assert names == ["BTC", "ETH", "SOL", "PEPE", f"PEPE: {SPREAD}"]
    drawn = {}
    for line in figure.axes[1].lines:
        key = (line.get_color(), line.get_linestyle() == "-")
        drawn[key] = np.asarray(line.get_ydata())
    look = looks(context.venues)
    for venue in context.venues:
        mine = flagship.prices[
            (flagship.prices["venue"] == venue) & (flagship.prices["symbol"] == "ETH-PERP")
        ]
        colour = look[venue].colour
        last, mark = mine["last_price"].to_numpy(), mine["mark_price"].to_numpy()
        np.testing.assert_array_equal(drawn[(colour, True)], last)
        dashes = drawn[(colour, False)]
        shown = ~np.isnan(dashes)
        np.testing.assert_array_equal(dashes[shown], mark[shown])
        assert shown[np.abs(mark - last) > 1e-3 * last].all()
        assert 0 < shown.sum() < len(shown)


def test_a_mark_on_its_last_price_is_not_drawn() -> None:
    result = synthetic.world(2, 1, 300, 10, orders=50)
    result.prices["mark_price"] = 1.0009 * result.prices["last_price"]
    figure = prices.figure(result.prices, RunContext.of(result))
    assert all(line.get_linestyle() == "-" for line in figure.axes[0].lines[:2])
    texts = texts_of(figure)
    assert "mark = last within 0.1 %" in texts
    assert not any("mark price" in text for text in texts)
    result.prices["mark_price"] = 1.0011 * result.prices["last_price"]
    assert "mark price" in texts_of(prices.figure(result.prices, RunContext.of(result)))


def test_spreads_are_against_the_mean_of_the_markets() -> None:
    result = synthetic.world(3, 2, 600, 10, orders=3000)
    panels = prices.price_panels(result.prices, RunContext.of(result))
    found = prices.widest_spread(panels)
    assert found is not None
    assert found.base == max(panels, key=lambda panel: panel.reach).base
    symbol = f"{found.base}-PERP"
    table = result.prices[result.prices["symbol"] == symbol]
    wide = table.pivot(index="time", columns="venue", values="last_price")[list(found.labels)]
    want = 1e4 * (wide.div(wide.mean(axis=1), axis=0) - 1.0)
    np.testing.assert_allclose(found.bps, want.to_numpy().T, atol=1e-9)
    result.prices["last_price"] = 100.0
    panels = prices.price_panels(result.prices, RunContext.of(result))
    assert prices.widest_spread(panels) is None


def test_prices_in_other_quotes_are_normalised() -> None:
    result = synthetic.world(2, 1, 50, 1, orders=0)
    result.manifest["scenario"]["markets"][1]["quote"] = "EUR"
    (panel,) = prices.price_panels(result.prices, RunContext.of(result))
    assert panel.unit == "1"
    assert all(line.last[0] == 1.0 for line in panel.lines)
    result.manifest["scenario"]["markets"][1]["quote"] = "USDC"
    (panel,) = prices.price_panels(result.prices, RunContext.of(result))
    assert panel.unit == "$/BTC"


def test_several_markets_of_one_venue_are_told_apart() -> None:
    result = synthetic.world(1, 2, 10, 1, orders=0)
    markets = result.manifest["scenario"]["markets"]
    result.prices["symbol"] = result.prices["symbol"].replace({"ETH-PERP": "BTC-SPOT"})
    result.prices.loc[result.prices["symbol"] == "BTC-SPOT", "last_price"] = 121_000.0
    markets[1] |= {"symbol": "BTC-SPOT", "base": "BTC"}
    (panel,) = prices.price_panels(result.prices, RunContext.of(result))
    assert [line.label for line in panel.lines] == ["binance PERP", "binance SPOT"]


def test_long_lines_keep_their_extremes() -> None:
    from sim.report.drawing import thin

    time = np.arange(50_000.0)
    values = np.sin(time / 900.0)
    values[31_234] = -7.0
    x, y = thin(time, values)
    assert len(x) <= 1502
    assert (y.min(), x[y.argmin()]) == (-7.0, 31_234.0)
    assert (x[0], x[-1]) == (0.0, 49_999.0)


def test_cause_areas_end_at_the_booked_moves(
    flagship: synthetic.Result, context: RunContext
) -> None:
    shown = causes.stacks(flagship.price_causes, context)
    figure = causes.figure(flagship.price_causes, context)
    assert len(shown) == 4
    booked = flagship.price_causes
    for ax, stack in zip(figure.axes, shown, strict=True):
        venue, symbol = stack.market.split("/")
        mine = booked[(booked["venue"] == venue) & (booked["symbol"] == symbol)]
        total = next(line for line in ax.lines if line.get_drawstyle() == "steps-post")
        end = float(np.asarray(total.get_ydata())[-1])
        assert end == pytest.approx(mine["price_move"].sum(), abs=1e-12)
        by_family = mine.groupby(mine["cause"].str.split(":").str[0])["price_move"].sum()
        for family in ("exogenous", "reversion", "arbitrage"):
            got = stack.move[stack.causes.index(family), -1]
            assert got == pytest.approx(by_family[family], abs=1e-12)
        low = min(p.vertices[:, 1].min() for c in ax.collections for p in c.get_paths())
        assert low == pytest.approx(np.minimum(stack.move, 0.0).sum(axis=0).min(), abs=1e-9)


def test_the_markets_that_moved_furthest_are_shown(
    flagship: synthetic.Result, context: RunContext
) -> None:
    shown = [stack.market for stack in causes.stacks(flagship.price_causes, context)]
    reach = {}
    for (venue, symbol), rows in flagship.price_causes.groupby(["venue", "symbol"]):
        ticks = rows.groupby("tick")["price_move"].sum()
        reach[f"{venue}/{symbol}"] = float(ticks.cumsum().abs().max())
    furthest = [
        max((m for m in reach if m.endswith(f"/{base}-PERP")), key=lambda m: reach[m])
        for base in ("BTC", "ETH", "SOL", "PEPE")
    ]
    assert shown == furthest
    two = synthetic.world(3, 2, 600, 10, orders=300)
    stacks = causes.stacks(two.price_causes, RunContext.of(two))
    bases = [stack.market.split("/")[1] for stack in stacks]
    assert len({stack.market for stack in stacks}) == 4  # then second ones of a base
    assert sorted(set(bases)) == ["BTC-PERP", "ETH-PERP"]
    assert bases == sorted(bases)  # in the order of the scenario


def test_many_causes_are_grouped(flagship: synthetic.Result, context: RunContext) -> None:
    shown = causes.stacks(flagship.price_causes, context)
    assert len(shown[0].causes) <= 8
    assert shown[0].causes[0] == "exogenous"
    assert "arbitrage" in shown[0].causes


def test_the_smallest_liquidations_are_summed_before_other_causes() -> None:
    result = synthetic.world(12, 1, 300, 10, orders=900)
    rows = result.price_causes
    one = rows["venue"].eq(rows["venue"].iloc[0])
    names = [f"liquidation:{name}" for name in synthetic.VENUES] + ["exogenous", "reversion"]
    sizes = np.linspace(0.10, 0.01, len(names))
    many = rows[one].head(len(names)).assign(cause=names, price_move=-sizes, tick=5)
    (stack,) = causes.stacks(many, RunContext.of(result))
    assert stack.causes[0] == "exogenous"
    assert stack.causes[-2:] == (cause_looks.OTHER_VENUES, "reversion")
    assert len(stack.causes) == 8
    assert stack.move[-2, -1] == pytest.approx(-sizes[5:12].sum())


def test_causes_of_no_market_shown_are_left_out() -> None:
    result = synthetic.world(2, 1, 300, 10, orders=100)
    result.price_causes.loc[result.price_causes["cause"] == "reversion", "price_move"] = 0.0
    (legend,) = causes.figure(result.price_causes, RunContext.of(result)).legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert "reversion" not in labels
    booked = result.price_causes[result.price_causes["price_move"] != 0.0]["cause"].unique()
    assert set(labels) == {cause.replace(":", ": ") for cause in booked} | {"total"}
    assert {"liquidation: binance", "arbitrage: binance", "arbitrage: bybit"} <= set(labels)
    swatches = [tuple(patch.get_facecolor()) for patch in legend.get_patches()]
    assert len(swatches) == len(set(swatches))
