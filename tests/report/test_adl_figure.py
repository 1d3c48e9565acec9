"""The figure of deleveraged accounts: who is shown, in which order, and by how much."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.patches import Rectangle

from sim.report import adl
from tests.report import synthetic


def events(*trades: tuple[int, str, str, float, float]) -> pd.DataFrame:
    """Return rows of kind `adl` from tick, clearer, account, quantity and notional."""
    rows = [
        (n, tick, float(tick), 0, "adl", clearer, clearer, "X-PERP", account, account, "book",
         quantity, 100.0, 100.0, 100.0, notional, 0.0, 0.0)
        for n, (tick, clearer, account, quantity, notional) in enumerate(trades)
    ]  # fmt: skip
    return synthetic.frame(synthetic.LIQUIDATION, rows)


QUEUE = events(
    (5, "one", "short", 3.0, 300.0),
    (5, "one", "B", -2.0, 200.0),
    (5, "one", "A", -1.0, 100.0),
    (5, "one", "long", -1.0, 100.0),
    (5, "one", "C", 1.0, 100.0),
    (6, "one", "other", 0.5, 50.0),
    (6, "one", "A", -0.5, 50.0),
    (6, "two", "short-2", 4.0, 400.0),
    (6, "two", "D", -4.0, 400.0),
)


def test_both_sides_of_a_market_are_told_apart() -> None:
    """The bankrupt of each match come first; the next match begins when it is even."""
    found = adl.bankrupt_side(QUEUE["quantity"].iloc[:5])
    assert found.tolist() == [True, False, False, True, False]


def test_a_queue_is_who_was_closed_against_the_bankrupt_in_order() -> None:
    """Amounts of an account add up; clearers stand by size."""
    one, two = adl.queues(QUEUE)
    assert (one.clearer, one.bankrupt, list(one.closed.items())) == (
        "one", 3, [("B", 200.0), ("A", 150.0), ("C", 100.0)],
    )  # fmt: skip
    assert (two.clearer, two.bankrupt, list(two.closed.items())) == ("two", 1, [("D", 400.0)])


def test_a_panel_per_clearer_with_a_bar_per_account() -> None:
    """The first reached stands on top."""
    drawn = adl.figure(QUEUE)
    bars = [patch for patch in drawn.axes[0].patches if isinstance(patch, Rectangle)]
    assert [bar.get_width() for bar in bars] == [200.0, 150.0, 100.0]
    assert [text.get_text() for text in drawn.axes[0].get_yticklabels()] == ["B", "A", "C"]
    low, high = drawn.axes[0].get_ylim()
    assert low > high
    assert "3 accounts closed against 3 bankrupt" in drawn.axes[0].get_title(loc="left")
    assert len(drawn.axes) == 2


@pytest.mark.parametrize("count", [adl.MAX_BARS, adl.MAX_BARS + 3])
def test_the_title_counts_accounts_beyond_the_bars(count: int) -> None:
    winners = [(5, "one", f"w{n}", -1.0, 10.0) for n in range(count)]
    drawn = adl.figure(events((5, "one", "short", float(count), 10.0 * count), *winners))
    title = drawn.axes[0].get_title(loc="left")
    assert f"{count} accounts closed" in title
    assert ("the first 12" in title) is (count > adl.MAX_BARS)
    assert len(drawn.axes[0].patches) == adl.MAX_BARS


def test_a_run_without_deleveraging_says_so() -> None:
    drawn = adl.figure(events())
    assert drawn.axes[0].texts[0].get_text() == adl.NOTHING
