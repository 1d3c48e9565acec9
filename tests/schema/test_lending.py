"""Lending venues: what is refused, with its place, and what terms a loan gives."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from sim.core.errors import BookError
from sim.engine.build import draw_population
from sim.models.lending.bands import effective_value
from sim.models.margin import MarginTables
from sim.schema import Venue, load_text
from sim.schema.lending import BandsLiquidation
from tests.engine.small_worlds import write_book
from tests.schema.base import problems

GOOD = """\
schema_version: 1
name: lending
clock: {tick: 12s, horizon: 10min}
assets:
  USDC: {price: 1}
  WETH: {price: 3000}
  WBTC: {price: 60000}
venues:
  pool:
    margin:
      kind: cross
      loans:
        WETH: {loan_to_value: 80.5%, liquidation_threshold: 83%}
        WBTC-USDC: {loan_to_value: 0.73, liquidation_threshold: 0.78}
    liquidation:
      kind: fixed_spread
      bonus: {WETH: 5%, WBTC: 6.5%}
      keepers: {gas: 20, capital: 1e6, flash_loan: false}
    waterfall:
      - {kind: insurance_fund, size: 1e6}
      - {kind: clearer}
markets:
  - {venue: pool, symbol: WETH-USDC, kind: collateral, base: WETH, quote: USDC,
     impact: {kind: none}}
  - {venue: pool, symbol: WBTC-USDC, kind: collateral, base: WBTC, quote: USDC,
     impact: {kind: none}}
"""

WETH = "WETH: {loan_to_value: 80.5%, liquidation_threshold: 83%}"
TERMS = GOOD[GOOD.index("      loans:") : GOOD.index("    liquidation")]
SPREAD = "bonus: {WETH: 5%, WBTC: 6.5%}"
RULE = GOOD[GOOD.index("      kind: fixed_spread") : GOOD.index("    waterfall")]
BANDS = "      {kind: bands, loan_discount: 5%, liquidation_discount: 6%}\n"

ABSORB = "    liquidation: {kind: absorb, factor: {WETH: 0.83, WBTC: 0.9}, reserves: 0}\n"

CASES = {
    "threshold below the loan": (
        (WETH, WETH.replace("83%", "80%")),
        "venues.pool.margin.loans.WETH.liquidation_threshold",
        ("0.8", "at least the loan_to_value, 0.805"),
    ),
    "threshold of all": (
        (WETH, WETH.replace("83%", "1")),
        "venues.pool.margin.loans.WETH.liquidation_threshold",
        ("a number below 1",),
    ),
    "no terms for a collateral": (
        (f"        {WETH}\n", ""),
        "venues.pool.margin.loans",
        ("no loan terms for WETH-USDC (base WETH)", "'WETH' or 'WETH-USDC'"),
    ),
    "terms of nothing known": (
        ("WBTC-USDC: {loan", "WBTX: {loan"),
        "venues.pool.margin.loans.WBTX",
        ("unknown base or symbol 'WBTX'",),
    ),
    "terms of no loan": (
        (TERMS, "      loans: {}\n"),
        "venues.pool.margin.loans",
        ("an empty mapping", "terms of at least one loan"),
    ),
    "initial rate beside loans": (
        ("      kind: cross\n", "      kind: cross\n      initial_rate: 0.2\n"),
        "venues.pool.margin.initial_rate",
        ("no initial_rate beside loans",),
    ),
    "margin call beside loans": (
        ("      kind: cross\n", "      kind: cross\n      call: {level: 1.5, grace: 1h}\n"),
        "venues.pool.margin.call",
        ("no call beside loans",),
    ),
    "perpetual with terms of a loan": (
        ("symbol: WETH-USDC, kind: collateral", "symbol: WETH-USDC, kind: perpetual"),
        "venues.pool.margin.loans.WETH",
        ("terms of WETH-USDC, a perpetual", "kind collateral"),
    ),
    "perpetual at a lending protocol": (
        ("symbol: WETH-USDC, kind: collateral", "symbol: WETH-USDC, kind: perpetual"),
        "venues.pool.liquidation.kind",
        ("'fixed_spread' on a venue that lists WETH-USDC", "full, partial or to_target"),
    ),
    "ADL against deposits": (
        ("      - {kind: insurance_fund, size: 1e6}", "      - {kind: adl}"),
        "venues.pool.waterfall.0.kind",
        ("'adl' beside liquidation 'fixed_spread'", "no counterparty"),
    ),
    "deposits torn up": (
        ("      - {kind: clearer}", "      - {kind: tear_up}"),
        "venues.pool.waterfall.1.kind",
        ("'tear_up' beside liquidation 'fixed_spread'", "no counterparty"),
    ),
    "counterparties of deposits": (
        (
            "      - {kind: insurance_fund, size: 1e6}",
            "      - {kind: socialise, basis: counterparties}",
        ),
        "venues.pool.waterfall.0.basis",
        ("'counterparties' beside liquidation 'fixed_spread'", "nobody is opposite"),
    ),
    "no bonus for a collateral": (
        (SPREAD, "bonus: {WETH: 5%}"),
        "venues.pool.liquidation.bonus",
        ("no entry for WBTC", "a bonus for WBTC"),
    ),
    "bonus of nothing known": (
        (SPREAD, "bonus: {WETH: 5%, WBTC: 6.5%, XRP: 1%}"),
        "venues.pool.liquidation.bonus.XRP",
        ("unknown asset 'XRP'",),
    ),
    "bonus below 0": (
        (SPREAD, "bonus: {WETH: -5%, WBTC: 6.5%}"),
        "venues.pool.liquidation.bonus.WETH",
        ("-0.05", "a fraction from 0 to 1"),
    ),
    "empty bonus": (
        (SPREAD, "bonus: {}"),
        "venues.pool.liquidation.bonus",
        ("an empty mapping",),
    ),
    "negative gas": (
        ("gas: 20", "gas: -20"),
        "venues.pool.liquidation.keepers.gas",
        ("-20", "at least 0"),
    ),
    "bonus above 1 in one number": (
        (SPREAD, "bonus: 150%"),
        "venues.pool.liquidation.bonus",
        ("1.5", "a fraction from 0 to 1"),
    ),
    "bonus that the collateral cannot pay": (
        (SPREAD, "bonus: {WETH: 5%, WBTC: 30%}"),
        "venues.pool.liquidation.bonus.WBTC",
        ("0.3", "below 0.2821", "WBTC-USDC has a liquidation_threshold of 0.78"),
    ),
    "one bonus that one collateral cannot pay": (
        (SPREAD, "bonus: 25%"),
        "venues.pool.liquidation.bonus",
        ("0.25", "below 0.2048", "WETH-USDC has a liquidation_threshold of 0.83"),
    ),
    "factor below the threshold": (
        (f"    liquidation:\n{RULE}", ABSORB.replace("0.83", "0.82")),
        "venues.pool.liquidation.factor.WETH",
        ("0.82", "at least 0.83", "credited less than it owes"),
    ),
    "discounts the wrong way round": (
        (f"    liquidation:\n{RULE}", f"    liquidation:\n{BANDS}"),
        "venues.pool.liquidation.liquidation_discount",
        ("0.06", "less than the loan_discount, 0.05"),
    ),
    "auction that does not fall": (
        (f"    liquidation:\n{RULE}", "    liquidation: {kind: auction, cut: 1}\n"),
        "venues.pool.liquidation.cut",
        ("a number below 1",),
    ),
    "kind misspelt": (
        ("kind: collateral, base: WBTC", "kind: colateral, base: WBTC"),
        "markets.1.kind",
        ("colateral", "perpetual, future, spot, collateral"),
    ),
}


@pytest.mark.parametrize(("change", "path", "parts"), CASES.values(), ids=CASES.keys())
def test_mistake_is_told_with_its_place(change, path, parts):
    assert change[0] in GOOD
    found = {problem.path: problem for problem in problems(GOOD.replace(*change, 1))}
    assert path in found, sorted(map(str, found.values()))
    problem = found[path]
    assert problem.line is not None
    for part in parts:
        assert part in str(problem), str(problem)


def test_a_good_lending_venue_has_no_problem():
    assert load_text(GOOD, file="good.yaml").venues["pool"].liquidation.kind == "fixed_spread"


def test_a_factor_at_the_threshold_is_the_least_there_may_be():
    text = GOOD.replace(f"    liquidation:\n{RULE}", ABSORB)
    assert load_text(text, file="good.yaml").venues["pool"].liquidation.kind == "absorb"


def test_a_loan_is_margin_of_what_its_threshold_leaves():
    scenario = load_text(GOOD, file="good.yaml")
    tables = MarginTables.from_scenario(scenario)
    assert tables.rate[0, :, 0] == pytest.approx([0.17, 0.22])
    assert tables.initial_rate[0, :, 0] == pytest.approx([0.195, 0.27])


def book(folder, quantity, entry):
    files = write_book(
        folder, [("a", "t", "pool", {"USDC": -1000.0}, [("pool/WETH-USDC", quantity, entry)])]
    )
    listed = "".join(f"      {table}: {name}\n" for table, name in files.items())
    return load_text(GOOD + "traders:\n  - book:\n" + listed, file="good.yaml", base_dir=folder)


def drafts(scenario):
    return draw_population(scenario, MarginTables.from_scenario(scenario), None)


def test_a_book_may_hold_collateral_without_an_entry_price(tmp_path):
    (draft,) = drafts(book(tmp_path, 2.0, 0.0))
    assert draft.quantity.tolist() == [2.0]
    assert draft.entry_price.tolist() == [0.0]


@pytest.mark.parametrize(
    ("quantity", "entry", "column", "allowed"),
    [(-1.0, 10.0, "quantity", "can only be deposited"), (1.0, -1.0, "entry_price", "finite")],
)
def test_a_book_with_short_or_negative_collateral_is_refused(
    tmp_path, quantity, entry, column, allowed
):
    with pytest.raises(BookError) as caught:
        drafts(book(tmp_path, quantity, entry))
    problem = next(p for p in caught.value.problems if p.path == column)
    assert allowed in problem.allowed
    assert problem.line == 2


@pytest.mark.parametrize(
    ("preset", "does"),
    [
        ("compound-v3", "absorb, which takes accounts over itself"),
        ("aave-v3", "fixed_spread, which sells the collateral of loans itself"),
        ("maker-sky", "auction, which sells"),
        ("crvusd", "bands, which sells"),
    ],
)
def test_a_lending_protocol_has_no_backstop_beside(preset, does):
    rules = {
        "preset": preset,
        "waterfall": [{"kind": "backstop", "capital": 1e6}, {"kind": "clearer"}],
    }
    with pytest.raises(ValidationError, match=does):
        Venue.model_validate(rules)


def test_a_threshold_below_the_edge_of_the_bands_is_refused():
    bands = "    liquidation: {kind: bands}\n"
    text = GOOD.replace(f"    liquidation:\n{RULE}", bands)
    found = {problem.path: str(problem) for problem in problems(text)}
    assert list(found) == [
        "venues.pool.margin.loans.WETH.liquidation_threshold",
        "venues.pool.margin.loans.WBTC-USDC.liquidation_threshold",
    ]
    assert "above 0.8658, what a loan may be at the highest edge" in next(iter(found.values()))


@pytest.mark.parametrize(("amplification", "bands"), [(100, 10), (20, 1), (83, 50)])
def test_a_loan_at_the_edge_of_its_bands_is_what_they_raise_less_the_discount(amplification, bands):
    rule = BandsLiquidation(amplification=amplification, bands=bands, loan_discount=0.14)
    worth = effective_value(1.0, 1.0, amplification, bands)
    assert rule.largest_loan() == pytest.approx(worth * 0.86)
