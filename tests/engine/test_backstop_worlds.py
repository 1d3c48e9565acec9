"""Backstops in random worlds: limits, conservation, and the scheduler that must not matter."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import sim
from sim.engine.stretch import Stretches
from sim.engine.takeover import Backstop
from tests.engine.agreement import assert_same, both_ways, examples, play
from tests.engine.backstop_worlds import backstopped

LOSSES = ("insurance_fund_used", "socialised_loss", "uncovered_shortfall")


def check_agreement(world, folder):
    """Run a world with either scheduler; what is lost is borne, and causes add up."""
    full, due = both_ways(world, folder)
    assert_same(full, due)
    summary, rows = due.summary, due.liquidations
    assert summary["conservation_error"] < 1e-9
    for part in (summary, *summary["venues"].values()):
        borne = sum(part[name] for name in LOSSES)
        assert borne == pytest.approx(part["shortfall"], rel=1e-9, abs=1e-9)
    assert rows["shortfall"].sum() == pytest.approx(summary["shortfall"], abs=1e-9)
    assert (rows[["close_out_price", "notional", "shortfall"]].to_numpy() >= 0.0).all()
    for market, figures in summary["markets"].items():
        place, symbol = market.split("/")
        table = due.price_causes
        moved = table.loc[(table["venue"] == place) & (table["symbol"] == symbol), "price_move"]
        growth = np.log(figures["final_price"] / figures["initial_price"])
        assert moved.sum() == pytest.approx(growth, abs=1e-12)


@examples(max_examples=25)
@given(world=backstopped())
def test_due_and_full_agree_and_what_is_lost_is_borne(folder, world):
    check_agreement(world, folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@examples(max_examples=300)
@given(world=backstopped())
def test_due_and_full_agree_on_many_worlds(folder, world):
    check_agreement(world, folder)


CALM = """
schema_version: 1
name: calm
seed: 1
clock: {{tick: 1s, horizon: 30min}}
record: {{every: 60s}}
engine: {{margin_check: {mode}}}
assets: {{USDT: {{price: 1}}, BTC: {{price: 100, volatility: 0.6}}}}
venues:
  a:
    margin: {{kind: cross, maintenance_rate: 0.01}}
    waterfall: [{{kind: backstop, capital: 1e6, unwind: 90s}}, {{kind: adl}}]
markets:
  - {{venue: a, symbol: BTC-PERP, kind: perpetual, base: BTC, quote: USDT,
     impact: {{kind: linear, depth: 1e7, resilience_half_life: 20s}}}}
traders:
  - {{cohort: c, count: 300, venues: {{a: 1}}, long_share: 0.7,
     equity: {{dist: constant, value: 1000}}, leverage: {{dist: uniform, min: 2, max: 40}}}}
shocks:
  - {{kind: gbm, assets: [BTC]}}
  - {{kind: jump, at: 10min, asset: BTC, return: -0.03}}
"""


def test_ticks_are_calm_but_for_those_in_which_it_holds_something(monkeypatch):
    stepped, advance = [], Stretches.advance

    def noting(self, tick):
        holding = any(desk.holding for desk in self.world.mechanisms[0].desks)
        reached, phase = advance(self, tick)
        stepped.append((tick, reached - tick, holding))
        return reached, phase

    monkeypatch.setattr(Stretches, "advance", noting)
    full, due = (
        sim.run(sim.load_text(CALM.format(mode=mode), file="<t>")) for mode in ("full", "due")
    )
    assert_same(full, due)
    assert full.summary["backstop_notional"] > 1e5
    taken = full.liquidations.query("kind == 'backstop'")["tick"]
    late = [ticks for tick, ticks, _ in stepped if tick > taken.max() + 90]
    assert sum(late) > 300
    assert sum(ticks for tick, ticks, _ in stepped if tick < taken.min()) > 300
    assert sum(holding for _, _, holding in stepped) > 90
    assert not any(ticks for _, ticks, holding in stepped if holding)


@pytest.fixture
def takeovers(monkeypatch):
    """Return a list to which every takeover is added: state before and after, and its backstop."""
    seen, take = [], Backstop.take

    def watched(self, rows):
        world, before = self.world, self.equity()
        brought = float(world.out.equity[rows].sum())
        take(self, rows)
        slots, _ = world.ledger.slots(rows)
        price = world.asset_price[world.columns]
        left = np.abs(world.ledger.balance[rows]) * price
        assert not world.ledger.quantity[slots].any()
        seen.append((self, before, brought, self.equity(), self.inventory(), left.max()))

    monkeypatch.setattr(Backstop, "take", watched)
    return seen


@examples(max_examples=25)
@given(world=backstopped())
def test_no_takeover_goes_beyond_the_limits(folder, takeovers, world):
    for asset in world["assets"].values():
        asset.pop("haircut", None)
    takeovers.clear()
    play(world, folder)
    for desk, before, brought, equity, inventory, left in takeovers:
        most = desk.limits.most_leverage * equity, desk.limits.most_notional
        assert before > 0.0
        assert equity > 0.0
        assert inventory <= min(most) * (1 + 1e-9)
        assert not desk.failed or before > 0.0
        # All that the accounts had is the backstop's, and nothing is left of them. A price at
        # which nothing is left may be out of reach for who owes more than all positions are worth.
        if desk.layer.price == "mark" or brought > 0.0:
            assert equity == pytest.approx(before + brought, rel=1e-9, abs=1e-6)
            assert left <= 1e-6
