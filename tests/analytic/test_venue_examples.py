"""Worked examples of real venues, through the bundled presets and whole runs.

The rules (tiers, rates, fees, orders, marks) come from the presets; only what an example states
about the trader and the market stands here. Numbers on the right were computed by hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import sim
from sim.models.lending.auction import price_left, starting_price, tab
from sim.models.liquidation.per_block import bankruptcy_share, block_notional, fillable_price
from sim.models.waterfall.scores import SCORES, Opposite
from sim.schema import Venue, preset
from tests.engine.lending import borrower
from tests.engine.small_worlds import FLAT, build, events, jump, perp, play, sold, venue_at

Book = list[tuple[Any, ...]]


def listed(price: float, base: str = "BTC", **fields: Any) -> dict[str, Any]:
    """Return assets and one market of a venue `one`, for `build`."""
    return {
        "assets": {"USDT": {"price": 1}, base: {"price": price}},
        "markets": [perp(base=base, **fields)],
    }


def position(
    folder: Path, name: str, size: float, money: float, price: float, **venue: Any
) -> pd.Series:
    """Return the row of `liqsim margin` of one BTC position entered at `price`."""
    book: Book = [("a!", "a", "one", {"USDT": money}, [("one/BTC-PERP", size, price)])]
    scenario = build(folder, book, venues={"one": {"preset": name, **venue}}, **listed(price))
    _, positions = sim.margin_table(scenario)
    return positions.iloc[0]


# -- Binance


@pytest.mark.parametrize(("filled", "fund"), [(95_300.0, 3_000.0), (94_800.0, -2_000.0)])
def test_binance_fund_gains_or_pays(filled: float, fund: float, tmp_path: Path) -> None:
    """10 BTC isolated at 100,000, 20x: what is left, or lacks, at 95,000 is the fund's."""
    book: Book = [("a!", "a", "one", {"USDT": 50_000}, [("one/BTC-PERP", 10, 100_000)])]
    layers = [{"kind": "insurance_fund", "size": 1e6}, {"kind": "clearer"}]
    result = play(
        tmp_path,
        book,
        venues={"one": {"preset": "binance-usdm", "waterfall": layers}},
        shocks=[jump(filled / 100_000 - 1)],
        **listed(100_000.0),
    )
    assert venue_at(result, "one", 4, "insurance_fund") == pytest.approx(1e6 + fund)
    assert sum(q for (q,) in sold(result, "quantity")) == pytest.approx(-10.0)


def test_binance_mark_with_funding_and_basis() -> None:
    """Index 100,000 with 0.01 % funding, 4 h left: 100,005; basis -35: 99,965; last 99,800."""
    from sim.models.mark import build_mark

    rule = build_mark(Venue(preset="binance-usdm").mark)
    index = np.array([100_000.0])
    rule.start(index - 35.0, index)
    for part in rule.components:  # type: ignore[attr-defined]
        if hasattr(part, "set_carry"):
            part.set_carry(np.array([0.0001 * 4 / 8]))
    rule.begin_tick(0.0, 0)
    assert rule.mark(np.array([99_800.0]), index) == pytest.approx([99_965.0])


@pytest.mark.parametrize(("premium", "rate"), [(0.0012, 0.0007), (0.0003, 0.0001)])
def test_binance_funding(premium: float, rate: float) -> None:
    """F = P + clamp(interest - P): half of it where it is paid every four hours."""
    from sim.models.funding.rate import funding_rate

    rules = Venue(preset="binance-usdm").funding
    assert rules is not None
    for intervals in (1.0, 2.0):
        found = funding_rate(
            np.array([premium]),
            interest=rules.interest,
            clamp=rules.clamp,
            intervals_per_period=intervals,
            cap=rules.cap,
        )
        assert found == pytest.approx([rate / intervals])


# -- Hyperliquid


def test_hyperliquid_hourly_funding(tmp_path: Path) -> None:
    """A premium of 1 % costs a long of 10 BTC at an oracle price of 10,000 118.75 an hour."""
    rules = Venue(preset="hyperliquid").funding
    assert rules is not None
    from sim.models.funding.rate import funding_payments, funding_rate

    hourly = funding_rate(
        np.array([0.01]),
        interest=rules.interest,
        clamp=rules.clamp,
        intervals_per_period=rules.period / rules.interval,
        cap=rules.cap,
    )
    paid = funding_payments(np.array([10.0]), 1.0, 10_000.0, float(hourly[0]))
    assert paid == pytest.approx([118.75])


@pytest.mark.parametrize(
    ("price", "kind", "size"),
    [(95_189.88, None, 0), (95_189.86, "market", -10), (94_789.93, "market", -10),
     (94_789.91, "backstop", -50)],
)  # fmt: skip
def test_hyperliquid_lines(price: float, kind: str | None, size: float, tmp_path: Path) -> None:
    """50 BTC long at 100,000, 300,000 USDC: orders from 95,189.87, the vault from 94,789.92."""
    book: Book = [("a", "a", "one", {"USDT": 300_000}, [("one/BTC-PERP", 50, 100_000)])]
    result = play(
        tmp_path,
        book,
        venues={"one": {"preset": "hyperliquid", "mark": {"kind": "last"}}},
        shocks=[jump(price / 100_000 - 1)],
        horizon=2,
        **listed(100_000.0, impact={"kind": "linear", "coefficient": 1e-9}),
    )
    if kind is None:
        assert result.liquidations.empty
    else:
        assert events(result, kind, "quantity")[0] == (pytest.approx(size),)


@pytest.mark.parametrize(
    ("base", "notional", "margin"), [("BTC", 200e6, 3_125_000.0), ("ETH", 150e6, 3_666_666.67)]
)
def test_hyperliquid_tiers(base: str, notional: float, margin: float, tmp_path: Path) -> None:
    """Above the first tier the deduction keeps the margin continuous."""
    size = notional / 1_000.0
    book: Book = [("a", "a", "one", {"USDT": 1e9}, [(f"one/{base}-PERP", size, 1_000)])]
    venues = {"one": {"preset": "hyperliquid"}}
    scenario = build(tmp_path, book, venues=venues, **listed(1_000.0, base))
    accounts, _ = sim.margin_table(scenario)
    assert accounts["maintenance_margin"].item() == pytest.approx(margin, abs=0.005)


# -- orders of auto-deleveraging

NAMES = "ABCDE"
ENTRY = np.array([100.0, 105.0, 80.0, 108.0, 112.0])
SIZE = np.array([1_000.0, 2_000.0, 200.0, 5_000.0, 1_000.0])
WALLET = np.array([11_000.0, 10_500.0, 20_000.0, 60_000.0, 12_000.0])


@pytest.mark.parametrize(
    ("name", "order", "scores"),
    [
        ("binance-usdm", "BADC", [0.0476, 0.1022, 0.0025, 0.0131]),
        ("bitmex", "ABCD", [0.524, 0.511, 0.317, 0.146]),
        ("hyperliquid", "BDAC", [5.76, 11.24, 1.16, 8.00]),
    ],
)
def test_three_venues_rank_five_longs_in_three_ways(
    name: str, order: str, scores: list[float]
) -> None:
    """Mark 110, margin 1 %: the same five traders; E is not in profit."""
    mark, profit = 110.0, SIZE * (110.0 - ENTRY)
    found = Opposite(
        side=np.ones(5),
        entry_price=ENTRY,
        mark=np.full(5, mark),
        profit=profit,
        entry_notional=SIZE * ENTRY,
        notional=SIZE * mark,
        gross_notional=SIZE * mark,
        equity=WALLET + profit,
        wallet=WALLET,
        maintenance=0.01 * SIZE * mark,
    )
    layer = next(layer for layer in Venue(preset=name).waterfall if layer.kind == "adl")
    score = SCORES[layer.order](found)
    ranked = [NAMES[k] for k in np.argsort(-score, kind="stable") if score[k] > 0.0]
    assert "".join(ranked) == order
    digits = {"binance-usdm": 5e-5, "bitmex": 5e-4, "hyperliquid": 5e-3}[name]
    assert score[:4] == pytest.approx(scores, abs=digits)


# -- dYdX


def test_dydx_block_and_fillable_price() -> None:
    """10 ETH long, oracle 3,000, account worth 240, margin 360: 2,982, at most 3,000 a block."""
    rules: Any = Venue(preset="dydx-v4").liquidation
    one = np.ones(1)
    gone = bankruptcy_share(240 * one, 360 * one, rules.bankruptcy_adjustment)
    rate = np.array([360.0 / 30_000.0])
    price = fillable_price(3_000 * one, one, rate, gone, rules.spread_to_maintenance)
    assert price == pytest.approx([2_982.0])
    assert block_notional(
        30_000 * one, rules.share, rules.least, rules.most_account
    ) == pytest.approx([3_000.0])
    fill_2990 = (2_990.0 - 2_976.0) * 10.0
    assert min(rules.most_fee * 29_900.0, fill_2990) == pytest.approx(140.0)


def test_dydx_margin_rises_with_open_interest(tmp_path: Path) -> None:
    """A small-cap market with 35 million open: the initial rate is 55 %."""
    caps = preset("dydx-v4")["figures"]["small_cap"]
    scaling = {"SOL": {"lower": caps["lower"], "upper": caps["upper"]}}
    size = 35e6 / 100.0
    book: Book = [
        ("a", "a", "one", {"USDT": 1e9}, [("one/SOL-PERP", size, 100)]),
        ("b", "b", "one", {"USDT": 1e9}, [("one/SOL-PERP", -size, 100)]),
    ]
    margin = {"open_interest_scaling": scaling, "initial_rate": caps["initial_rate"]}
    venues = {"one": {"preset": "dydx-v4", "margin": margin}}
    accounts, _ = sim.margin_table(build(tmp_path, book, venues=venues, **listed(100.0, "SOL")))
    assert accounts["initial_margin"].tolist() == pytest.approx([0.55 * 35e6] * 2)


# -- margin by size


@pytest.mark.parametrize(
    ("coins", "initial", "needed"), [(25, 53_125, 28_125), (350, 1_312_500, 962_500)]
)
def test_deribit_futures(coins: float, initial: float, needed: float, tmp_path: Path) -> None:
    """25 BTC at 100,000: 53,125 and 28,125 USD; 350 BTC: 13.125 BTC."""
    book: Book = [("a", "a", "one", {"USDT": 1e9}, [("one/BTC-PERP", coins, 100_000)])]
    scenario = build(tmp_path, book, venues={"one": {"preset": "deribit"}}, **listed(100_000.0))
    accounts, _ = sim.margin_table(scenario)
    assert accounts["initial_margin"].item() == pytest.approx(initial)
    assert accounts["maintenance_margin"].item() == pytest.approx(needed)


@pytest.mark.parametrize(("coins", "rate"), [(10_000, 0.085), (100, 0.05)])
def test_drift_weight(coins: float, rate: float, tmp_path: Path) -> None:
    """10,000 SOL weigh 8.5 %, 100 SOL the plain 5 %."""
    book: Book = [("a", "a", "one", {"USDT": 1e9}, [("one/SOL-PERP", coins, 150)])]
    scenario = build(tmp_path, book, venues={"one": {"preset": "drift"}}, **listed(150.0, "SOL"))
    _, positions = sim.margin_table(scenario)
    assert positions["maintenance_margin"].item() == pytest.approx(rate * coins * 150.0)


def test_bitmex_risk_limit() -> None:
    """230 XBT lie one step above the base limit: 1 %."""
    limit = preset("bitmex")["figures"]["risk_limit"]
    steps = int(np.ceil((230.0 - limit["base"]) / limit["step"]))
    assert limit["maintenance"] + steps * limit["per_step"] == pytest.approx(0.01)


# -- lending


def loan(
    folder: Path, name: str, accounts: Book, price: float, to: float, **fields: Any
) -> sim.Result:
    """Play borrowers of ether at `price` under a preset, marked at the last price."""
    keepers = fields.pop("keepers", {})
    rules: dict[str, Any] = {"preset": name, "mark": {"kind": "last"}}
    if keepers:
        rules["liquidation"] = {"keepers": keepers}
    scenario = build(
        folder,
        accounts,
        assets={"USDC": {"price": 1}, "WETH": {"price": price}},
        venues={"pool": rules},
        markets=[{"venue": "pool", "symbol": "WETH-USDC", "kind": "collateral", "base": "WETH",
                  "quote": "USDC", "impact": FLAT}],
        shocks=[jump(to / price - 1, asset="WETH")],
        **fields,
    )  # fmt: skip
    return sim.run(scenario, check=True)


def test_aave_health_and_price(tmp_path: Path) -> None:
    """10 ETH, debt 24,000: health 1.0375 at 3,000, liquidated below 2,891.57."""
    scenario = build(
        tmp_path,
        [borrower(24_000.0)],
        assets={"USDC": {"price": 1}, "WETH": {"price": 3_000}},
        venues={"pool": {"preset": "aave-v3"}},
        markets=[{"venue": "pool", "symbol": "WETH-USDC", "kind": "collateral", "base": "WETH",
                  "quote": "USDC", "impact": FLAT}],
    )  # fmt: skip
    accounts, positions = sim.margin_table(scenario)
    value, debt = 30_000.0, 24_000.0
    excess = accounts["equity"].item() - accounts["maintenance_margin"].item()
    assert (excess + debt) / debt == pytest.approx(1.0375)
    assert value == accounts["gross_notional"].item()
    assert positions["liquidation_price"].item() == pytest.approx(2_891.57, abs=0.005)


@pytest.mark.parametrize(("price", "seized"), [(2_800.0, 4.5), (2_700.0, 9.3333)])
def test_aave_liquidation(price: float, seized: float, tmp_path: Path) -> None:
    """At 2,800 half of the debt for 4.5 ETH; at 2,700 all of it for 9.3333 ETH."""
    result = loan(tmp_path, "aave-v3", [borrower(24_000.0)], 3_000.0, price, keepers={"gas": 0},
                  horizon=2)  # fmt: skip
    assert sold(result, "quantity")[0] == (pytest.approx(-seized, abs=5e-5),)


def test_aave_bad_debt_begins_at_2520(tmp_path: Path) -> None:
    """Where the collateral is worth less than the debt with its bonus: 24,000 * 1.05 / 10."""
    for price, bad in ((2_521.0, False), (2_519.0, True)):
        result = loan(tmp_path, "aave-v3", [borrower(24_000.0)], 3_000.0, price,
                      keepers={"gas": 0}, horizon=3)  # fmt: skip
        assert (result.summary["shortfall"] > 1.0) == bad


def test_compound_absorbs(tmp_path: Path) -> None:
    """10 WETH at 2,600 against 24,000: credit 24,700; sold at 2,535; reserves grow by 650."""
    result = loan(tmp_path, "compound-v3", [borrower(24_000.0)], 3_000.0, 2_600.0, horizon=4)
    table = result.cohorts
    left = table.loc[table["tick"] == 3, "equity"].sum()
    assert left == pytest.approx(24_700.0 - 24_000.0)
    assert venue_at(result, "pool", 3, "insurance_fund") == pytest.approx(650.0)


def test_maker_auction() -> None:
    """Oracle 2,000, debt 140,000: tab 158,200, top 2,200, 1,989.64 after 900 s, cusp at step 80."""
    rules: Any = Venue(preset="maker-sky").liquidation
    owed = tab(np.array([140_000.0]), rules.penalty)
    assert owed == pytest.approx([158_200.0])
    assert rules.tip + rules.chip * float(owed[0]) == pytest.approx(408.2)
    top = starting_price(np.array([2_000.0]), rules.buffer)
    assert top == pytest.approx([2_200.0])
    left = price_left(np.array([900.0]), rules.cut, rules.step)
    assert top * left == pytest.approx([1_989.64], abs=0.005)
    age = np.arange(0.0, 8_000.0, rules.step)
    below = price_left(age, rules.cut, rules.step) < rules.cusp
    assert int(np.argmax(below)) == 80
    assert age[80] == rules.tail


def test_morpho_incentive() -> None:
    """The incentive of each level; that of 86 % is the bonus of the preset."""
    rules = preset("morpho-blue")["figures"]
    cap, slope = rules["incentive"]["cap"], rules["incentive"]["slope"]
    found = {level: min(cap, 1 / (1 - slope * (1 - level))) for level in rules["levels"]}
    expected = {0.945: 1.01678, 0.915: 1.02617, 0.86: 1.04384, 0.77: 1.07411, 0.625: 1.12676,
                0.385: 1.15}  # fmt: skip
    for level, factor in expected.items():
        assert found[level] == pytest.approx(factor, abs=5e-6)
    bonus: Any = Venue(preset="morpho-blue").liquidation
    assert 1.0 + bonus.bonus == pytest.approx(found[0.86], abs=1e-9)
    assert 1.0 / found[0.86] == pytest.approx(0.958, abs=5e-5)


def test_llamma() -> None:
    """A 100, 10 bands, 10 ETH, top band 3,000: worth 28,541.6, debt up to 25,972.8, 3.297 %."""
    from sim.models.lending.bands import edges, effective_value, health

    rules: Any = Venue(preset="crvusd").liquidation
    worth = effective_value(10.0, 3_000.0, rules.amplification, rules.bands)
    assert worth == pytest.approx(28_541.6, abs=0.05)
    most = worth * (1.0 - rules.loan_discount)
    assert most == pytest.approx(25_972.8, abs=0.05)
    assert health(worth, most, rules.liquidation_discount) == pytest.approx(0.03297, abs=5e-6)
    bottom = edges(3_000.0, rules.amplification, rules.bands)[-1]
    assert bottom == pytest.approx(2_713.15, abs=0.005)


# -- GMX, price limits, halts


def test_gmx() -> None:
    """1 million of BTC at 100,000 with 20,000: liquidatable below 98,560, fee 2,000."""
    from sim.models.lending.pooled import liquidation_fee, liquidation_price

    rules = preset("gmx-v2")["figures"]["BTC"]
    price = liquidation_price(
        1e6, 1e5, 2e4, factor=rules["minimum_collateral"],
        close_fee=rules["close_fees"][1],
    )  # fmt: skip
    assert price == pytest.approx(98_560.0)
    assert liquidation_fee(1e6, rules["liquidation_fee"]) == pytest.approx(2_000.0)


def test_market_wide_levels() -> None:
    """From 5,000: 4,650, 4,350 and 4,000."""
    from sim.models.breaker import trigger_prices

    rules: Any = Venue(preset="us-equities").breakers[0]
    levels = np.array([level.fall for level in rules.levels])
    assert trigger_prices(5_000.0, levels) == pytest.approx([4_650.0, 4_350.0, 4_000.0])


def test_ccp_layers() -> None:
    """Margin 500, share 40, CCP 100, pool 460: losses of 1,200 and 2,600, gains of 2,000."""
    from sim.models.waterfall.ccp import pay_in_order

    layer: Any = next(x for x in Venue(preset="cme-futures").waterfall if x.kind == "assessments")
    sizes = [500.0, 40.0, 100.0, 460.0, layer.multiple * 460.0]
    paid, left = pay_in_order(1_200.0, sizes)
    assert (paid[-1], left) == (pytest.approx(100.0), 0.0)
    paid, left = pay_in_order(2_600.0, sizes)
    assert paid[-1] == pytest.approx(1_265.0)
    assert left == pytest.approx(235.0)
    assert left / 2_000.0 == pytest.approx(0.1175)


def test_okx_price_limits() -> None:
    """Index 100,000, premium 1,500: buys up to 103,500, sells down to 99,500."""
    from sim.models.breaker.price_limits import price_limits

    shares = preset("okx")["figures"]["price_limit"]
    assert price_limits(100_000.0, 1_500.0, shares["y"], shares["z"]) == (
        pytest.approx(103_500.0),
        pytest.approx(99_500.0),
    )
    assert price_limits(100_000.0, 9_000.0, shares["y"], shares["z"]).buy == 105_000.0


def test_adl_paper_ledger(tmp_path: Path) -> None:
    """Five traders from 1 with a margin of 10 %: where they break, and where they are bankrupt.

    (pluriholonomic/autodeleveraging-analysis aae0be8, portfolio P5.)
    """
    held = {"a": (1, 2), "b": (1, 2 / 3), "c": (-4, 8 / 3), "d": (1, 2 / 19), "e": (-1, 10 / 99)}
    book: Book = [
        (f"{k}!", k, "one", {"USDT": cash}, [("one/BTC-PERP", size, 1)])
        for k, (size, cash) in held.items()
    ]
    rules = {"margin": {"kind": "cross", "maintenance_rate": 0.1}}
    _, found = sim.margin_table(build(tmp_path, book, venues={"one": rules}, **listed(1.0)))
    found = found.set_index("account_id")
    bankrupt = {"b": 1 / 3, "c": 5 / 3, "d": 0.894737, "e": 1.101010}
    broken = {"b": 0.370370, "c": 1.515152, "d": 0.994152, "e": 1.000918}
    assert np.isnan(found.loc["a", ["liquidation_price", "bankruptcy_price"]].astype(float)).all()
    assert found["bankruptcy_price"].dropna().to_dict() == pytest.approx(bankrupt, abs=5e-7)
    assert found["liquidation_price"].dropna().to_dict() == pytest.approx(broken, abs=5e-7)
