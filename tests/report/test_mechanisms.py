"""The figure of mechanisms: what is shown, and that nothing recorded is invented."""

from __future__ import annotations

import numpy as np
import pandas as pd

from sim.report import mechanisms
from sim.report.context import RunContext
from sim.report.style import looks
from tests.report import synthetic


def table(**series: list[float]) -> pd.DataFrame:
    """Return a recorded table with two venues that show the same series."""
    rows = [
        (tick, float(tick), venue, symbol, name, value)
        for name, values in series.items()
        for tick, value in enumerate(values)
        for venue, symbol in (("alpha", "BTC-PERP"), ("beta", ""))
    ]
    return synthetic.frame(synthetic.MECHANISM, rows)


def test_lines_are_the_recorded_values() -> None:
    """A panel per series, a line per venue or market, its points those of the table."""
    values = [0.01, 0.02, 0.015]
    drawn = mechanisms.figure(table(margin_rate=values, backstop_equity=[1e6, 5e5, 0.0]))
    assert len(drawn.axes) == 2
    lines = drawn.axes[0].get_lines()
    assert [np.asarray(one.get_ydata()).tolist() for one in lines[:2]] == [values, values]
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == ["alpha", "beta"]


def test_markets_are_named_where_a_venue_shows_several() -> None:
    """A venue with one market has one look for what is its own and what is its market's."""
    rows = [
        (tick, float(tick), venue, symbol, "margin_rate", float(tick))
        for tick in (0, 1)
        for venue, symbol in (("a", "X"), ("a", "Y"), ("a", ""), ("b", "X"), ("b", ""))
    ]
    (found,) = mechanisms.tracks(synthetic.frame(synthetic.MECHANISM, rows)).values()
    assert [track.label for track in found] == ["a X", "a Y", "a", "b", "b"]


def test_many_markets_are_told_apart_by_venue_alone() -> None:
    """Each venue has the look that it has in the other figures."""
    rows = [
        (tick, float(tick), venue, f"M{n}", "premium", float(tick * n))
        for n in range(1, 6)
        for venue in ("b", "a")
        for tick in (0, 1)
    ]
    drawn = mechanisms.figure(
        synthetic.frame(synthetic.MECHANISM, rows), RunContext(last=1.0, venues=("a", "b"))
    )
    assert [text.get_text() for text in drawn.legends[0].get_texts()] == ["b", "a"]
    colours = [line.get_color() for line in drawn.axes[0].get_lines()[:10]]
    assert len(set(colours)) == 2
    assert colours.count(looks(["a", "b"])["a"].colour) == 5


def test_series_that_stand_still_are_left_out() -> None:
    """Unless all do: then they are all there is to show."""
    still, moving = [1.0, 1.0], [0.0, 1.0]
    assert list(mechanisms.tracks(table(fund=still, halted=moving))) == ["halted"]
    assert list(mechanisms.tracks(table(fund=still))) == ["fund"]


def test_a_run_without_mechanisms_says_so() -> None:
    """One sentence instead of an empty panel."""
    drawn = mechanisms.figure(table())
    assert "No venue" in drawn.axes[0].texts[0].get_text()


def test_more_series_than_panels_are_counted() -> None:
    """The remark says how many are only in the table."""
    many = {f"series_{n}": [0.0, float(n)] for n in range(1, 13)}
    drawn = mechanisms.figure(table(**many))
    assert len(drawn.axes) == mechanisms.MAX_PANELS
    assert "3 more series" in drawn.legends[0].get_title().get_text()
