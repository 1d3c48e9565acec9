from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.core.expression import parse_condition
from sim.core.figures import NotFiniteError, UnknownNameError
from sim.core.lexer import ExpressionError

SUMMARY = {
    "scenario": "a-name",
    "shortfall": 5.0,
    "generations": 3,
    "branching_ratio": None,
    "wild": math.inf,
    "venues": {"beta-2": {"insurance_fund_used": 3.0}, "alpha": {"shortfall": 4.0}},
    "markets": {"alpha/BTC-PERP": {"max_drawdown": 0.2}, "x.y z": {"max_drawdown": 0.5}},
}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("shortfall > 4", True),
        ("shortfall >= 5 and generations < 3", False),
        ("shortfall > 9 or generations == 3", True),
        ("not shortfall > 9", True),
        ("not (shortfall > 4 or generations > 1)", False),
        ("1 + 2 * 3 == 7", True),
        ("(1 + 2) * 3 == 9", True),
        ("2 - 1 - 1 == 0", True),
        ("8 / 2 / 2 == 2", True),
        ("-shortfall < 0", True),
        ("1 < 2 < 3", True),
        ("1 < 3 < 2", False),
        ("shortfall != 5", False),
        ("abs(-2) == 2 and min(3, 1, 2) == 1 and max(1, 2) == 2", True),
        ("venues.beta-2.insurance_fund_used == 3", True),
        ("venues.alpha.shortfall-shortfall == -1", True),
        ("shortfall/venues.alpha.shortfall == 1.25", True),
        ("markets.alpha/BTC-PERP.max_drawdown > 10%", True),
        ('markets["x.y z"].max_drawdown == 0.5', True),
        ("markets['alpha/BTC-PERP'].max_drawdown/2 == 0.1", True),
        ("shortfall > 1_000", False),
        ("0.2 > 40bps and .5 > 5e-1 - 1e-9", True),
    ],
)
def test_conditions_answer(text: str, answer: bool) -> None:
    assert parse_condition(text).holds(SUMMARY) is answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "found the end"),
        ("shortfall", "is a number, not a condition"),
        ("shortfall = 4", "write '=='"),
        ("shortfall > 1 && generations > 1", "write 'and'"),
        ("shortfall > 1 generations", "after a complete expression"),
        ("((1) > 0", "'(' of column 1 is not closed"),
        ("1 > 0)", "found ')'"),
        ("shortfall >", "column 12: found the end"),
        ("shortfall > 10min", "'10min'"),
        ("shortfall > 1e400", "too large"),
        ("abs(1, 2) > 0", "one argument"),
        ("max(1) > 0", "two or more"),
        ("sum(1, 2) > 0", "no function 'sum'"),
        ("__import__('os') > 0", "no function '__import__'"),
        ("().__class__ > 0", "found '.'"),
        ("lambda: 1", "column 7"),
        ("not shortfall", "must be a condition"),
        ("(shortfall > 1) + 1 > 0", "must be a number"),
        ("(shortfall > 1) > 0", "must be a number"),
        ("shortfall and generations", "must be a condition"),
        ("venues..shortfall > 1", "a key is expected"),
        ("venues[0] > 1", "a key is expected"),
        ("(" * 200 + "1" + ")" * 200 + " > 0", "nested more than"),
        ("-" * 200 + "1 > 0", "nested more than"),
        ("not " * 200 + "1 > 0", "nested more than"),
        ("1 > 0 or " * 1000 + "1 > 0", "longer than"),
        ("shortfall > ٣", "no meaning"),
    ],
)
def test_what_is_no_condition_is_refused(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_condition(text)
    assert says in str(caught.value)


def test_a_long_chain_needs_no_deep_stack() -> None:
    assert parse_condition("+".join(["1"] * 2000) + " == 2000").holds({})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shortfal > 1", "did you mean 'shortfall'?"),
        ("venues.beta.insurance_fund_used > 1", "did you mean 'venues.beta-2'?"),
        ("venues.alpha.shortfal > 1", "did you mean 'venues.alpha.shortfall'?"),
        ("markets.alpha/BTC-PERF.max_drawdown > 1", "did you mean 'markets.alpha/BTC-PERP'?"),
        ("qqq > 1", "there are: scenario, shortfall"),
        ("scenario > 1", "'a-name', not a number"),
        ("venues.alpha > 1", "is a table"),
        ("shortfall.total > 1", "is a figure"),
    ],
)
def test_unknown_names_are_named_with_the_nearest(text: str, says: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        parse_condition(text).holds(SUMMARY)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("branching_ratio > 1", "'branching_ratio' has no value"),
        ("wild > 1", "'wild' is not a finite number"),
        ("shortfall / (generations - 3) > 1", "column 11 divides by zero"),
        ("1e308 * 10 > 1", "overflows"),
    ],
)
def test_what_is_not_finite_has_no_answer(text: str, says: str) -> None:
    with pytest.raises(NotFiniteError) as caught:
        parse_condition(text).holds(SUMMARY)
    assert says in str(caught.value)


def test_a_side_that_does_not_matter_is_not_reached() -> None:
    assert parse_condition("shortfall > 1 or branching_ratio > 1").holds(SUMMARY)
    assert not parse_condition("shortfall < 1 and 1 / 0 > 1").holds(SUMMARY)


def test_names_are_checked_even_where_not_reached() -> None:
    condition = parse_condition("shortfall > 1 or nonsense > 1")
    assert condition.names == (("shortfall",), ("nonsense",))
    with pytest.raises(UnknownNameError):
        condition.check_names(SUMMARY)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert parse_condition(text).holds(SUMMARY) in (True, False)


@given(st.lists(st.integers(-99, 99), min_size=1, max_size=6), st.data())
def test_arithmetic_is_that_of_python(numbers: list[int], data: st.DataObject) -> None:
    """Whole numbers: Python's own parser is the oracle."""
    text = str(numbers[0])
    for number in numbers[1:]:
        text += f" {data.draw(st.sampled_from('+-*'))} {number}"
    answer = eval(text)  # noqa: S307  # made of the digits and signs above
    assert parse_condition(f"{text} == {answer}").holds({})
