"""Breakers, withdrawals and caps that must be refused, and what the message says."""

from __future__ import annotations

import pytest

from sim.schema import load_text, resolved
from tests.schema.base import problems

HEAD = """\
schema_version: 1
name: halts
clock: {tick: 1s, horizon: 1h}
assets: {USD: {price: 1}, SPX: {price: 5000}}
markets:
  - {venue: a, symbol: FUT, kind: future, base: SPX, quote: USD, impact: {kind: none}}
  - {venue: a, symbol: SPOT, kind: spot, base: SPX, quote: USD, impact: {kind: none}}
venues:
  empty: {margin: {kind: cross, maintenance_rate: 0.05}}
  a:
    margin: {kind: cross, maintenance_rate: 0.05}
"""
WIDE = "    breakers: [{kind: market_wide, %s}]"
LEVELS = "levels: [{fall: 7%, pause: 15min}, {fall: 20%, pause: rest}]"
BAND = "    breakers: [{kind: limit_band, %s}]"

CASES = {
    "no levels": (WIDE % "levels: []", "breakers.0.levels", "at least 1 entry"),
    "levels that descend": (
        WIDE % "levels: [{fall: 13%, pause: 1s}, {fall: 7%, pause: 1s}]",
        "breakers.0.levels.1.fall",
        "found 0.07; allowed: more than the fall before it, 0.13",
    ),
    "a fall of everything": (
        WIDE % "levels: [{fall: 100%, pause: 1s}]", "levels.0.fall", "a number below 1",
    ),
    "no fall": (WIDE % "levels: [{fall: 0, pause: 1s}]", "levels.0.fall", "a number above 0"),
    "a pause of no time": (
        WIDE % "levels: [{fall: 7%, pause: 0s}]", "levels.0.pause", "above 0, or 'rest'",
    ),
    "a pause misspelt": (
        WIDE % "levels: [{fall: 7%, pause: rset}]", "levels.0.pause", "found 'rset'; allowed: a",
    ),
    "a pause beyond the run": (
        WIDE % "levels: [{fall: 7%, pause: 60min}]",
        "levels.0.pause",
        "found 3600 s; allowed: less than the horizon, 3600 s, or the market never re-opens; "
        "'rest' says so",
    ),
    "a pause beyond the window": (
        WIDE % "reference: {window: 10min}, levels: [{fall: 7%, pause: 10min}]",
        "levels.0.pause",
        "less than the window, 600 s, or 'rest'",
    ),
    "an auction longer than the run": (
        WIDE % (LEVELS + ", reopening: {auction: 2h}"),
        "reopening.auction",
        "less than the horizon, 3600 s, or the market never re-opens",
    ),
    "an auction of no time": (
        WIDE % (LEVELS + ", reopening: {auction: 0s}"), "reopening.auction", "a number above 0",
    ),
    "an unknown market": (
        WIDE % (LEVELS + ", of: SPY"), "breakers.0.of", "of this venue 'SPY'",
    ),
    "an unknown market in a list": (
        WIDE % (LEVELS + ", of: [FUT, FUTT]"), "breakers.0.of.1", "did you mean 'FUT'",
    ),
    "a market twice": (WIDE % (LEVELS + ", of: [FUT, FUT]"), "breakers.0.of.1", "each name once"),
    "no market": (WIDE % (LEVELS + ", of: []"), "breakers.0.of", "at least one symbol"),
    "a window off the ticks": (
        WIDE % (LEVELS + ", reference: {window: 1234.5s}"),
        "reference.window",
        "a multiple of 1 s",
    ),
    "a reference of another name": (WIDE % (LEVELS + ", reference: close"), "reference", "start"),
    "late beyond the window": (
        WIDE % "reference: {window: 20min}, not_after: 20min, levels: [{fall: 7%, pause: 1s}]",
        "not_after",
        "less than the window, 1200 s",
    ),
    "a band of nothing": (BAND % "band: 0", "breakers.0.band", "a number above 0"),
    "a band of everything": (BAND % "band: 100%", "breakers.0.band", "a number below 1"),
    "a band without width": (BAND % "window: 1s", "breakers.0.band", "'band' is required"),
    "a band without a pause": (BAND % "band: 5%, pause: 0s", "breakers.0.pause", "above 0"),
    "a band's pause beyond the run": (
        BAND % "band: 5%, pause: 1h", "breakers.0.pause", "or the market never re-opens",
    ),
    "a band widened to everything": (
        BAND % "band: 60%, widened: [{at: 0s, duration: 1min, factor: 2}]",
        "widened.0.factor",
        "found 2, a band of 1.2; allowed: a band below 1",
    ),
    "two bands for one market": (
        "    breakers: [{kind: limit_band, band: 5%, of: FUT}, {kind: limit_band, band: 9%}]",
        "breakers.1.of",
        "a second band for FUT, which breakers.0 holds already",
    ),
    "an unknown breaker": (
        "    breakers: [{kind: halt}]", "breakers.0.kind", "market_wide, limit_band",
    ),
    "a share of more than all": (
        "    withdrawals: {keep_share: 120%}", "withdrawals.keep_share", "of at most 1",
    ),
    "a gate before the event": (
        "    withdrawals: {gate_after_negative: -1s}", "gate_after_negative", "of at least 0",
    ),
    "something else to keep": (
        "    withdrawals: {keep: all}", "withdrawals.keep", "maintenance, initial_margin",
    ),
    "a cap below nothing": (
        "    open_interest_caps: {FUT: -1}", "open_interest_caps.FUT", "a notional of 0 or more",
    ),
    "a cap of an unknown market": (
        "    open_interest_caps: {PERP: 1}", "open_interest_caps.PERP", "unknown symbol or base",
    ),
    "a cap of a spot market": (
        "    open_interest_caps: {SPOT: 1}", "open_interest_caps.SPOT", "perpetuals and futures",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "path", "message"), CASES.values(), ids=CASES.keys())
def test_is_refused(text, path, message):
    found = problems(HEAD + text + "\n")
    assert len(found) == 1, found
    assert found[0].path.endswith(path)
    assert message in str(found[0])
    assert found[0].line == HEAD.count("\n") + 1


def test_a_breaker_without_markets_is_refused():
    bare, breaker = "maintenance_rate: 0.05}", ", breakers: [{kind: limit_band, band: 5%}]"
    text = HEAD.replace(bare + "}", bare + breaker + "}")
    assert "a venue that has some" in str(problems(text)[0])


def test_written_with_its_defaults_it_is_the_same_scenario():
    text = HEAD + (
        "    breakers:\n"
        f"      - {{kind: market_wide, of: FUT, {LEVELS}, reference: {{window: 30min}}}}\n"
        "      - {kind: limit_band, of: [SPX], band: 5%, reopening: {auction: 1min}}\n"
        "    withdrawals: {keep: initial_margin, gate_after_outage: 5min}\n"
        "    open_interest_caps: {SPX: 1e6}\n"
    )
    scenario = load_text(text, "case.yaml")
    plain = resolved(scenario)
    assert plain["venues"]["a"]["breakers"][0]["levels"][1]["pause"] == "rest"
    again = type(scenario).model_validate(plain)
    assert again.venues["a"].breakers == scenario.venues["a"].breakers
    assert resolved(again) == plain
