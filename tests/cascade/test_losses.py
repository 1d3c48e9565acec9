"""Losses by cause from tables written by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from sim.cascade import Cascade
from sim.cascade.losses import LOSS_COLUMNS, SELLER_COLUMNS, losses

ABOUT = {"time": 0.0, "clearer": "one", "cohort": "c", "equity": 1.0, "maintenance_margin": 2.0,
         "in_transit": 0.0, "transfer_delay": 0.0}  # fmt: skip


def broken(*rows):
    """Return breaks of (account, tick, generation, first window, window, loss)."""
    columns = ["account_id", "tick", "generation", "first_window", "window", "loss"]
    table = pd.DataFrame(rows, columns=columns).assign(**ABOUT)
    return table.assign(break_id=range(len(rows)), trader_id=table["account_id"])


def held(*rows):
    return pd.DataFrame(rows, columns=["break_id", "through", "value", "exposure"])


def flowed(*rows):
    return pd.DataFrame(rows, columns=["break_id", "through", "cause", "loss"])


def moved(*rows):
    columns = ["window", "tick", "value", "venue", "symbol", "cause", "generation", "move"]
    return pd.DataFrame(rows, columns=columns)


def orders(*rows):
    """Return liquidations of (tick, generation, account, quantity)."""
    table = pd.DataFrame(rows, columns=["tick", "generation", "account_id", "quantity"])
    return table.assign(
        kind="market", clearer="one", venue="one", symbol="X", trader_id=table["account_id"],
        cohort="c", notional=table["quantity"].abs(),
    )  # fmt: skip


BREAKS = broken(("a", 3, 0, 4, 4, 10.0), ("b", 3, 1, 3, 5, 7.0))
EXPOSURES = held((0, "one/X", "one/X", 2.0), (1, "one/X", "one/X", -1.0),
                 (1, "collateral:E", "asset:E", 3.0))  # fmt: skip
FLOWS = flowed((1, "", "fees", 0.5))
MOVES = moved(
    (2, -1, "one/X", "one", "X", "exogenous", -1, -100.0),
    (3, -1, "one/X", "one", "X", "exogenous", -1, 1.0),
    (4, -1, "one/X", "one", "X", "exogenous", -1, -2.0),
    (4, 3, "one/X", "one", "X", "liquidation:one", 0, -3.0),
    (5, -1, "one/X", "two", "X", "arbitrage:two", -1, 4.0),
    (5, -1, "asset:E", "", "", "exogenous", -1, -0.5),
    (6, -1, "one/X", "one", "X", "exogenous", -1, -100.0),
)
PRICES = pd.DataFrame({"tick": [0], "venue": ["one"], "symbol": ["X"], "last_price": [1.0]})
CAUSES = pd.DataFrame(
    [(3, 0, "one", "X", "liquidation:one", -0.03)],
    columns=["tick", "generation", "venue", "symbol", "cause", "price_move"],
)
VENUES = pd.DataFrame({"tick": [0], "venue": ["one"]})


def of(found, number):
    mine = found[found["break_id"] == number]
    keys = zip(mine["through"], mine["cause"], mine["source"], mine["source_tick"], strict=True)
    return dict(zip(keys, mine["loss"], strict=True))


def test_only_the_windows_of_a_break_count():
    found = losses(BREAKS, EXPOSURES, FLOWS, MOVES)
    assert tuple(found.columns) == LOSS_COLUMNS
    assert of(found, 0) == {
        ("one/X", "exogenous", "one/X", -1): 4.0,
        ("one/X", "liquidation:one", "one/X", 3): 6.0,
    }
    assert of(found, 1) == {
        ("", "fees", "", -1): 0.5,
        ("collateral:E", "exogenous", "", -1): 1.5,
        ("one/X", "arbitrage:two", "two/X", -1): 4.0,
        ("one/X", "exogenous", "one/X", -1): -1.0,
        ("one/X", "liquidation:one", "one/X", 3): -3.0,
    }


@pytest.mark.parametrize("table", [0, 1, 2, 3])
def test_the_order_of_rows_is_nothing(table):
    tables = [BREAKS, EXPOSURES, FLOWS, MOVES]
    expected = losses(*tables)
    tables[table] = tables[table].iloc[::-1]
    pd.testing.assert_frame_equal(losses(*tables), expected, check_exact=True)


def cascade(liquidations):
    return Cascade(liquidations, CAUSES, PRICES, VENUES, breaks=BREAKS, break_exposures=EXPOSURES,
                   break_flows=FLOWS, value_moves=MOVES)  # fmt: skip


def test_sellers_share_by_what_they_sold_on_the_side_of_the_net():
    sold = orders((3, 0, "s", -3.0), (3, 0, "t", -1.0), (3, 0, "u", 2.0), (2, 0, "v", -9.0))
    found = cascade(sold).seller_losses()
    assert tuple(found.columns) == SELLER_COLUMNS
    mine = found[found["break_id"] == 0].set_index("seller_account")["loss"]
    assert mine.to_dict() == pytest.approx({"s": 4.5, "t": 1.5})
    assert found["seller_clearer"].unique().tolist() == ["one"]
    assert found.groupby("break_id")["loss"].sum().to_dict() == pytest.approx({0: 6.0, 1: -3.0})


def test_a_move_without_an_order_has_no_seller_but_counts():
    found = cascade(orders((2, 0, "v", -9.0))).seller_losses()
    assert found["seller_account"].tolist() == ["", ""]
    assert found["loss"].tolist() == [6.0, -3.0]


def test_nothing_gives_frames_with_columns_and_types():
    empty = Cascade(orders((2, 0, "v", -9.0)), CAUSES, PRICES, VENUES)
    full = cascade(orders((3, 0, "s", -3.0)))
    for none, some in (
        (empty.losses(), full.losses()),
        (empty.seller_losses(), full.seller_losses()),
    ):
        assert none.empty
        assert none.dtypes.to_dict() == some.dtypes.to_dict()


def test_a_break_without_any_loss_has_no_rows():
    found = losses(broken(("a", 0, 0, 0, 0, 0.0)), held(), flowed(), moved())
    assert found.empty
    assert tuple(found.columns) == LOSS_COLUMNS
