"""What is recorded of accounts, against a sum over all of them at every recorded tick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import sim
from sim.engine import recorder as recording
from sim.engine.cells import ROUNDING, Cells
from sim.engine.growing import GrowingArray
from sim.engine.recorder import Recorder
from sim.engine.world import World
from sim.kernels.margin import MarginOutputs, account_margin
from tests.engine.agreement import examples
from tests.engine.agreement import play as play_random
from tests.engine.random_worlds import worlds
from tests.engine.small_worlds import build, jump, linear, longs, perp, play, venue

MODES = ("due", "full")


def by_account(world):
    """Return the accounts alive, equity, notional and gross money by cell, one by one."""
    rows, out = np.arange(world.accounts), MarginOutputs.empty(world.accounts)
    account_margin(world.margin_inputs(), rows, world.required, out)
    cells = len(world.rosters), len(world.venue_names)
    alive, equity, notional, scale = (np.zeros(cells) for _ in range(4))
    place = world.cohort, world.clearer[: world.accounts]
    price = world.asset_price[world.columns]
    money = (np.abs(world.ledger.balance[: world.accounts]) * price).sum(axis=1)
    np.add.at(alive, place, ~world.closed & (out.equity > ROUNDING * out.notional))
    np.add.at(equity, place, out.equity)
    np.add.at(notional, place, out.notional)
    np.add.at(scale, place, money + out.notional)
    present = np.zeros(cells, dtype=bool)
    present[place] = True
    return alive, equity, notional, scale, present


class Oracle:
    """Notes at every row of a run what a pass over all accounts would have written."""

    def __init__(self, patch):
        self.ticks, self.found = [], []
        row = Recorder.row

        def noted(recorder):
            self.ticks.append(recorder.world.tick)
            self.found.append(by_account(recorder.world))
            row(recorder)

        patch.setattr(Recorder, "row", noted)

    def compare(self, result):
        alive, equity, notional, scale, present = map(np.array, zip(*self.found, strict=True))
        # Rounding is judged by the largest that went through.
        scale = np.maximum.accumulate(scale)
        table = result.cohorts
        assert table["tick"].tolist() == np.repeat(self.ticks, present[0].sum()).tolist()
        assert table["accounts_alive"].tolist() == alive[present].tolist()
        for column, expected in (("equity", equity), ("gross_notional", notional)):
            error = np.abs(table[column].to_numpy() - expected[present])
            assert (error <= 1e-9 * scale[present]).all(), column
        error = np.abs(result.venues["equity"].to_numpy() - equity.sum(axis=1).ravel())
        assert (error <= 1e-9 * scale.sum(axis=1).ravel()).all()
        ends = [part["equity"] for part in result.summary["venues"].values()]
        assert ends == result.venues["equity"].tolist()[-len(ends) :]


@pytest.fixture
def oracle(monkeypatch):
    return Oracle(monkeypatch)


@examples(max_examples=20)
@given(world=worlds())
def test_recorded_accounts_are_those_of_a_pass_over_all(folder, world):
    for mode in MODES:
        with pytest.MonkeyPatch.context() as patch:
            oracle = Oracle(patch)
            result = play_random(world, folder, margin_check=mode)
        oracle.compare(result)


def mixed(key, coins, money):
    """Return an account without positions that holds coins and owes money, or the reverse."""
    return key, f"t{key}", "one", {"BTC": coins, "USDT": money}, []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("every", [1, 3])
def test_accounts_without_positions_come_and_go_with_prices(mode, every, oracle, tmp_path):
    book = [mixed("a", 1, -90), mixed("b", -1, 110), mixed("c", 1, 0), mixed("d", 0, 0)]
    book += longs((1, 400))
    result = play(
        tmp_path,
        book,
        assets={"USDT": {"price": 1}, "BTC": {"price": 100, "haircut": 0}},
        shocks=[jump(-0.2, at=2), jump(0.5, at=6), jump(-0.2, at=10)],
        horizon=13,
        record={"every": every},
        engine={"margin_check": mode},
    )
    # a lives above 90, b below 110; c and the long always, d never.
    price = [100] * 2 + [80] * 4 + [120] * 4 + [96] * 3
    living = [2 + (p > 90) + (p < 110) for p in price]
    ticks = sorted({*range(0, 13, every), 12})
    assert result.cohorts["accounts_alive"].tolist() == [living[t] for t in ticks]
    oracle.compare(result)


@pytest.mark.parametrize("mode", MODES)
def test_the_insolvent_that_nobody_can_sell_may_recover(mode, oracle, tmp_path):
    # An outage keeps them open through the fall; a3 is whole again when the venue returns.
    outage = {"kind": "outage", "venue": "one", "at": 1, "duration": 4}
    result = play(
        tmp_path,
        longs((1, 20), (1, 35), (2, 70), (1, 95)),
        venues={"one": venue(), "two": venue()},
        markets=[perp(impact=linear(0.01)), perp("two")],
        shocks=[outage, jump(-0.97, at=2, venue="one"), jump(25, at=8, venue="one")],
        horizon=12,
        record={"every": 2},
        engine={"margin_check": mode},
    )
    oracle.compare(result)
    alive = result.cohorts["accounts_alive"].tolist()
    assert alive[0] == 4
    assert alive[-1] < 4


@pytest.mark.parametrize("mode", MODES)
def test_a_trader_who_trades_is_followed(mode, oracle, tmp_path):
    result = play(
        tmp_path,
        longs((1, 20), (1, 35), (2, 70)),
        source={"behaviour": {"kind": "stop_loss", "trigger": 0.05}},
        shocks=[jump(-0.1), jump(-0.3, at=3)],
        horizon=8,
        engine={"margin_check": mode},
    )
    oracle.compare(result)
    assert result.cohorts["gross_notional"].iloc[-1] == 0.0


def calm(folder, ticks, **fields):
    noise = {"kind": "gbm", "assets": ["BTC"]}
    cohort = {
        "cohort": "c",
        "count": 300,
        "venues": {"one": 1.0},
        "equity": {"dist": "constant", "value": 1000},
        "leverage": {"dist": "uniform", "min": 1, "max": 3},
        "long_share": 0.5,
    }
    assets = {"USDT": {"price": 1}, "BTC": {"price": 100, "volatility": 0.2}}
    shape = {"traders": [cohort], "shocks": [noise], "assets": assets, "horizon": ticks}
    return sim.run(build(folder, **shape, **fields))


def test_a_row_looks_at_few_accounts(monkeypatch, tmp_path):
    looked, alive = [], Cells.alive

    def counted(cells):
        revalue = World.revalue

        def noted(world, rows):
            looked.append(len(rows))
            return revalue(world, rows)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(World, "revalue", noted)
            return alive(cells)

    monkeypatch.setattr(Cells, "alive", counted)
    result = calm(tmp_path, 50)
    assert result.cohorts["accounts_alive"].tolist() == [300] * 50
    # The first row looks at everybody; with at most 3x leverage nobody is near the edge later.
    assert looked[0] == 300
    assert sum(looked[1:]) < 300


@pytest.mark.parametrize(("ticks", "every", "least"), [(10, 1, 10), (200, 1, 16), (200, 5, 14)])
def test_the_whole_ledger_is_checked_now_and_then(ticks, every, least, monkeypatch, tmp_path):
    at, rows = [], [t for t in range(ticks) if t % every == 0 or t == ticks - 1]
    row = Recorder.row

    def noted(recorder):
        found = recording.conservation_error
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                recording,
                "conservation_error",
                lambda ledger: at.append(recorder.world.tick) or found(ledger),
            )
            row(recorder)

    monkeypatch.setattr(Recorder, "row", noted)
    monkeypatch.setenv("LIQSIM_CHECK", "0")
    calm(tmp_path, ticks, record={"every": every})
    assert least <= len(at) <= 17
    assert at[0] == 0
    assert at[-1] == ticks - 1
    step = rows.index(at[1]) - rows.index(at[0])
    assert at[:-1] == rows[:-1:step]


def test_an_array_grows_as_rows_are_added():
    array, expected = GrowingArray((2,), np.float64, room=1), []
    for k in range(7):
        array.append((k, -k))
        array.extend(k)[:] = k
        expected += [[k, -k], *([[k, k]] * k)]
    assert array.values.tolist() == expected
    assert array.values.dtype == np.float64


@pytest.mark.parametrize("mode", MODES)
def test_who_waits_without_equity_and_regains_it_is_alive_again(tmp_path, monkeypatch, mode):
    oracle = Oracle(monkeypatch)
    result = play(
        tmp_path,
        longs((10, 150), (10, 900)),
        venues={"one": venue(liquidation={"kind": "full", "latency": 30})},
        shocks=[jump(-0.2, at=2), jump(0.3, at=6)],
        horizon=12,
        engine={"margin_check": mode},
    )
    oracle.compare(result)
    assert result.cohorts["accounts_alive"].tolist() == [2] * 2 + [1] * 4 + [2] * 6
    assert result.liquidations.empty
