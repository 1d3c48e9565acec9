"""All figures of a cascade: which are drawn, the same bytes, texts clear of each other."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd
import pytest

from sim.report import RunContext
from sim.report.cascade_figures import (
    CascadeFrames,
    cascade_figures,
    missing,
    save_cascade_figures,
)
from tests.report import synthetic, synthetic_cascade
from tests.report.overlap import assert_no_overlap

EVERY = [
    "timeline", "decomposition", "losses", "network", "spillover_venue", "flows_venue",
    "ladder_BTC", "critical_surface_BTC_ETH",
]  # fmt: skip


def frames(venues: int) -> CascadeFrames:
    run = synthetic.world(venues, 2, 600, 10, orders=400)
    return CascadeFrames(
        run.liquidations,
        run.price_causes,
        losses=synthetic_cascade.losses(venues),
        spillover={"venue": synthetic_cascade.matrix(venues)},
        graph=synthetic_cascade.graph(60, venues),
        ladders={"BTC": synthetic_cascade.ladder(venues)},
        surfaces={"BTC/ETH": synthetic_cascade.surface()},
    )


def nothing() -> CascadeFrames:
    run = synthetic.empty()
    return CascadeFrames(run.liquidations, run.price_causes)


@pytest.mark.parametrize("venues", [1, 2, 7, 12])
def test_texts_lie_on_paper_and_clear_of_each_other(venues: int) -> None:
    """Also where names are long and venues many."""
    context = synthetic_cascade.context(venues)
    names = []
    for name, figure in cascade_figures(frames(venues), context):
        assert_no_overlap(figure, name, least=7)
        names.append(name)
    assert names == EVERY


def test_files_are_byte_stable(tmp_path: Path) -> None:
    """What a caller set in Matplotlib does not reach the figures."""
    context = synthetic_cascade.context(3)
    first = save_cascade_figures(frames(3), tmp_path / "one", context)
    mpl.rcParams["font.size"] = 31.0
    try:
        second = save_cascade_figures(frames(3), tmp_path / "two", context)
    finally:
        mpl.rcdefaults()
    assert [path.name for path in first] == [f"{n}.{e}" for n in EVERY for e in ("svg", "png")]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()


def test_what_has_nothing_to_show_is_left_out_with_a_word(tmp_path: Path) -> None:
    """A calm run and an old run folder draw what they can."""
    assert save_cascade_figures(nothing(), tmp_path) == []
    assert set(missing(nothing())) == {
        "timeline", "decomposition", "losses", "spillover", "network", "ladder",
        "critical_surface",
    }  # fmt: skip
    run = synthetic.world(2, 1, 300, 10, orders=50)
    old = CascadeFrames(run.liquidations, run.price_causes)
    assert [name for name, _ in cascade_figures(old)] == ["timeline", "decomposition"]
    assert missing(old)["losses"] == "no losses of broken accounts are recorded"
    assert missing(frames(2)) == {}


def test_money_and_moves_have_units() -> None:
    """Each axis of numbers names its unit in brackets."""
    drawn = dict(cascade_figures(frames(2), synthetic_cascade.context(2)))
    labels = {
        name: [text for ax in figure.axes for text in (ax.get_xlabel(), ax.get_ylabel()) if text]
        for name, figure in drawn.items()
    }
    assert labels["timeline"] == ["time since start [min]", "generation [1]"]
    assert "cumulative log move [1]" in labels["decomposition"]
    assert r"loss [\$]" in labels["losses"]
    assert "share of what hurt [%]" in labels["losses"]
    assert labels["spillover_venue"][0] == r"venue of the broken accounts; loss [\$]"
    assert r"closed by force [\$]" in labels["ladder_BTC"]
    assert labels["critical_surface_BTC_ETH"] == ["fall of BTC [%]", "fall of ETH [%]"]


def test_the_context_of_a_run_read_back_is_that_of_the_run() -> None:
    """An old folder without a manifest shows what its tables say."""
    run = synthetic.world(3, 2, 300, 10, orders=30)
    tables = {
        "prices": run.prices, "venues": run.venues, "liquidations": run.liquidations,
        "price_causes": run.price_causes,
    }  # fmt: skip
    assert RunContext.of_run(run.manifest, run.summary, **tables) == RunContext.of(run)
    bare = RunContext.of_run({}, {}, **tables)
    assert bare.currency == "quote"
    assert bare.last == max(float(table["tick"].max()) for table in tables.values())


@pytest.mark.parametrize("name", ["losses", "ladder", "surface"])
def test_a_frame_without_its_columns_is_refused(name: str) -> None:
    """The message names the column."""
    table = pd.DataFrame({"nonsense": [1.0]})
    run = synthetic.empty()
    given = {
        "losses": {"losses": table}, "ladder": {"ladders": {"BTC": table}},
        "surface": {"surfaces": {"x": table}},
    }[name]  # fmt: skip
    wrong = CascadeFrames(run.liquidations, run.price_causes, **given)  # type: ignore[arg-type]
    column = {"losses": "generation", "ladder": "move", "surface": "asset_a"}[name]
    with pytest.raises(ValueError, match=column):
        list(cascade_figures(wrong))
