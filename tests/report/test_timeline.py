"""The cascade in time and by cause: marks, losses and troughs sum to their tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from sim.report import RunContext, decomposition, losses, timeline
from sim.report.forced import NOTHING
from sim.report.shocks import ShockMark, within
from sim.report.style import looks
from tests.report import synthetic, synthetic_cascade
from tests.report.test_figures import texts_of


def run(venues: int = 3, depth: int = 12) -> tuple[synthetic.Result, RunContext]:
    made = synthetic.world(venues, 2, 1200, 10, orders=800, depth=depth)
    return made, RunContext.of(made)


@pytest.mark.parametrize(("venues", "depth"), [(1, 3), (3, 12), (12, 70)])
def test_marks_sum_to_the_forced_trades(venues: int, depth: int) -> None:
    result, context = run(venues, depth)
    found = timeline.marks(result.liquidations, context)
    table = result.liquidations[result.liquidations["kind"].isin(["market", "backstop"])]
    assert found["notional"].sum() == pytest.approx(table["notional"].sum(), rel=1e-12)
    by_kind = found.groupby("kind")["notional"].sum()
    np.testing.assert_allclose(by_kind, table.groupby("kind")["notional"].sum(), rtol=1e-12)
    assert found["time"].nunique() <= timeline.MAX_BINS
    assert found["generation"].nunique() <= timeline.MAX_ROWS
    assert found["clearer"].nunique() <= 8


def test_marks_keep_their_moment_and_generation() -> None:
    result, context = run()
    table = result.liquidations
    one = table[(table["kind"] == "market") & (table["generation"] == 2)]
    found = timeline.marks(one, context)
    span = one["tick"].max() - one["tick"].min() + 1
    width = -(-int(span) // timeline.MAX_BINS)
    assert set(found["generation"]) == {2}
    for row in found.itertuples():
        near = one["time"].sub(row.time).abs() <= 0.5 * (width - 1) + 1e-9
        mine = one[near & (one["clearer"] == row.clearer)]
        assert row.notional == pytest.approx(mine["notional"].sum())


def test_areas_are_in_proportion_to_notional() -> None:
    result, context = run()
    data = timeline.marks(result.liquidations, context)
    (axis,) = timeline.figure(result.liquidations, context).axes
    drawn = [c for c in axis.collections if isinstance(c, PathCollection)]
    sizes = np.concatenate([np.asarray(c.get_sizes()) for c in drawn])
    want = data["notional"].to_numpy() / data["notional"].max() * timeline.LARGEST**2
    np.testing.assert_allclose(np.sort(sizes), np.sort(np.maximum(want, timeline.SMALLEST**2)))
    colours = {tuple(c) for part in drawn for c in np.asarray(part.get_facecolor())[:, :3]}
    assert len(colours) == 3
    look = looks(context.venues)["binance"].colour
    red, green, blue = (int(look[i : i + 2], 16) / 255 for i in (1, 3, 5))
    assert any(np.allclose(c, (red, green, blue)) for c in colours)


def test_nothing_liquidated_is_a_sentence() -> None:
    for result in (synthetic.calm(), synthetic.empty()):
        assert texts_of(timeline.figure(result.liquidations)) == [NOTHING]


def test_one_forced_trade_is_drawn() -> None:
    result, context = run()
    market = result.liquidations[result.liquidations["kind"] == "market"].iloc[:1]
    assert "generation [1]" in texts_of(timeline.figure(market, context))


def test_of_shocks_the_window_shows_events_inside_and_the_rest_of_strips() -> None:
    news = ShockMark("jump", 5.0, 5.0, "news")
    ramp = ShockMark("ramp", 5.0, 30.0, "ramp")
    thin = ShockMark("depth", 0.0, 15.0, None, factor=0.5)
    late = ShockMark("outage", 40.0, 50.0)
    assert within([news, ramp, thin, late], 0.0, 20.0) == [news, ramp, thin]
    (strip,) = within([news, ramp, thin, late], 10.0, 20.0)
    assert (strip.kind, strip.begin, strip.end) == ("depth", 10.0, 15.0)


@pytest.mark.parametrize("venues", [1, 2, 12])
def test_bars_of_losses_sum_to_the_frame(venues: int) -> None:
    frame = synthetic_cascade.losses(venues)
    found = losses.loss_bars(frame)
    assert len(found.causes) <= 8
    want = frame.groupby("generation")["loss"].sum()
    np.testing.assert_allclose(found.loss.sum(axis=0), want, rtol=1e-9)
    np.testing.assert_allclose(np.maximum(found.share, 0.0).sum(axis=0), 1.0)
    if venues == 2:
        assert {"exogenous", "liquidation:binance", "liquidation:bybit"} <= set(found.causes)


def test_losses_of_many_generations_share_bars() -> None:
    frame = synthetic_cascade.losses(2, generations=130)
    found = losses.loss_bars(frame)
    assert found.width == 3
    assert len(found.first) == 44
    assert found.loss.sum() == pytest.approx(frame["loss"].sum())


def test_losses_that_are_no_numbers_are_refused() -> None:
    frame = synthetic_cascade.losses(2)
    frame.loc[3, "loss"] = np.nan
    with pytest.raises(ValueError, match="not a finite number"):
        losses.figure(frame)
    with pytest.raises(ValueError, match="lacks the columns cause"):
        losses.figure(frame.drop(columns="cause"))
    assert len(texts_of(losses.figure(pd.DataFrame()))) == 1


def test_the_order_of_rows_does_not_matter() -> None:
    frame = synthetic_cascade.losses(3)
    one, two = losses.loss_bars(frame), losses.loss_bars(frame.sample(frac=1.0, random_state=1))
    assert one.causes == two.causes
    np.testing.assert_allclose(one.loss, two.loss, rtol=1e-12)
    as_categories = frame.astype({"cause": "category", "clearer": "category"})
    three = losses.loss_bars(as_categories[as_categories["cause"] != "fees"])
    assert set(three.causes) <= set(one.causes)
    assert three.loss.sum() == pytest.approx(frame.loc[frame["cause"] != "fees", "loss"].sum())


def test_troughs_are_where_prices_were_farthest() -> None:
    result, context = run()
    found = decomposition.decomposition(result.price_causes, context)
    assert found is not None
    causes = result.price_causes
    for place, market in enumerate(found.markets):
        venue, symbol = market.split("/")
        mine = causes[(causes["venue"] == venue) & (causes["symbol"] == symbol)]
        path = mine.groupby("tick")["price_move"].sum().cumsum()
        total = float(path[path.abs().idxmax()])
        assert found.move[:, place].sum() == pytest.approx(total, rel=1e-9)
    reach = np.abs(found.move.sum(axis=0))
    assert (np.diff(reach) <= 1e-12).all()
    at = int(np.argmin(np.abs(found.path.time - found.trough)))
    shown = float(found.path.move[:, at].sum())
    assert shown == pytest.approx(float(found.move[:, 0].sum()), abs=2e-3)


def test_the_market_shown_can_be_chosen() -> None:
    result, context = run()
    found = decomposition.decomposition(result.price_causes, context, "okx/ETH-PERP")
    assert found is not None
    assert found.markets[0] == found.path.market == "okx/ETH-PERP"
    with pytest.raises(ValueError, match="no price of 'okx/DOGE' moved; markets that did: bin"):
        decomposition.figure(result.price_causes, context, market="okx/DOGE")
    assert texts_of(decomposition.figure(synthetic.empty().price_causes)) == [decomposition.NOTHING]
