"""Backstops that must be refused: each names its path, what is found and what is allowed."""

from __future__ import annotations

import pytest

from sim.schema import load_text
from tests.schema.base import GOOD, Broken, problems

FUND = "- {kind: insurance_fund, size: 5e7}"


def rule(fields: str = "") -> str:
    """Return a fund, and a backstop after it, as lines of the waterfall."""
    return f"{FUND}\n      - {{kind: backstop, capital: 1e7{fields}}}"


PLACE = "venues.beta.waterfall.1"

CASES = {
    "no capital": Broken(
        FUND,
        rule().replace(", capital: 1e7", ""),
        f"{PLACE}.capital",
        "{kind: backstop",
        ("nothing", "'capital' is required"),
    ),
    "capital of nothing": Broken(
        FUND, rule().replace("1e7", "0"), f"{PLACE}.capital", "0}", ("0", "above 0")
    ),
    "ratio above 1": Broken(
        FUND, rule(", trigger_ratio: 1.1"), f"{PLACE}.trigger_ratio", "1.1", ("1.1", "at most 1")
    ),
    "ratio below 0": Broken(
        FUND,
        rule(", trigger_ratio: -0.1"),
        f"{PLACE}.trigger_ratio",
        "-0.1",
        ("-0.1", "at least 0"),
    ),
    "ratio that nobody is below": Broken(
        FUND,
        rule(", trigger_ratio: 0"),
        f"{PLACE}.trigger_ratio",
        "0}",
        ("0, which no account of positive equity is below", "takes_negative: true"),
    ),
    "no leverage": Broken(
        FUND, rule(", most_leverage: 0"), f"{PLACE}.most_leverage", "0}", ("0", "above 0")
    ),
    "no room": Broken(
        FUND, rule(", most_notional: 0"), f"{PLACE}.most_notional", "0}", ("0", "above 0")
    ),
    "sold within a tick": Broken(
        FUND, rule(", unwind: 500ms"), f"{PLACE}.unwind", "500ms", ("0.5 s", "at least a tick, 1 s")
    ),
    "never sold": Broken(FUND, rule(", unwind: 0"), f"{PLACE}.unwind", "0}", ("0", "above 0")),
    "unknown price": Broken(
        FUND, rule(", price: index"), f"{PLACE}.price", "index", ("'index'", "mark, bankruptcy")
    ),
    "unknown key": Broken(
        FUND, rule(", provider: vault"), f"{PLACE}.provider", "provider", ("unknown key",)
    ),
    "two backstops": Broken(
        FUND,
        rule() + "\n      - {kind: backstop, capital: 1}",
        "venues.beta.waterfall.2.kind",
        "backstop, capital: 1}",
        ("a second 'backstop'", "each kind of layer once"),
    ),
    "backstop after ADL": Broken(
        "- {kind: adl}",
        "- {kind: adl}\n      - {kind: backstop, capital: 1}",
        "venues.beta.waterfall.2.kind",
        "backstop, capital: 1}",
        ("'backstop' after 'adl'", "a backstop first, or directly after insurance_fund"),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_it_is_refused_with_place_and_reason(case: Broken) -> None:
    found = {problem.path: problem for problem in problems(case.text())}
    assert case.path in found, sorted(map(str, found.values()))
    problem = found[case.path]
    for part in case.parts:
        assert part in str(problem)
    assert (problem.line, problem.column) == case.place(), str(problem)


@pytest.mark.parametrize("first", [True, False])
def test_a_backstop_stands_first_or_after_the_fund(first: bool) -> None:
    lines = rule().split("\n      ")
    text = "\n      ".join(reversed(lines) if first else lines)
    kinds = [layer.kind for layer in load_text(GOOD.replace(FUND, text)).venues["beta"].waterfall]
    assert kinds[:2] == (
        ["backstop", "insurance_fund"] if first else ["insurance_fund", "backstop"]
    )
