"""The pages of the bundled experiments show commands, runs and figures of the files there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import sim
from sim.experiments.plan import prepare
from sim.experiments.task import Task, perform
from tests.docs.pages import ROOT, block, page

SHIPPED = {
    "margin-frontier": ("margin-frontier",),
    "cross-or-isolated": ("cross-or-isolated", "local-or-shared"),
    "flagship-reverse": ("flagship-reverse",),
    "flagship-sensitivity": ("flagship-sensitivity",),
}
"""Experiments that each page shows."""

LARGEST = 200_000
"""Bytes of a figure."""


def experiment(name: str) -> Path:
    return ROOT / "scenarios" / "experiments" / f"{name}.yaml"


def rows(name: str, mark: str) -> list[list[str]]:
    """Return the cells of the table that follows the comment on a page, without its head."""
    found = re.search(rf"<!-- {mark} -->\n((?:\|.*\n)+)", page(f"docs/experiments/{name}.md"))
    assert found is not None
    lines = found[1].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_is_linked_and_shows_the_command_of_its_file(name: str) -> None:
    text = page(f"docs/experiments/{name}.md")
    for file in SHIPPED[name]:
        assert f"{file}.yaml" in text
        (command,) = re.findall(
            rf"^#     (liqsim .*{file}.*)$", experiment(file).read_text("utf-8"), re.MULTILINE
        )
        assert f"\n{command}" in text
    assert f"(experiments/{name}.md)" in page("docs/experiments.md")
    assert f"docs/experiments/{name}.md" in page("README.md")


@pytest.mark.parametrize("name", SHIPPED)
def test_its_figures_are_there_and_small(name: str) -> None:
    figures = re.findall(r"!\[.+\]\(\.\./(figures/.+\.png)\)", page(f"docs/experiments/{name}.md"))
    assert figures
    assert all(0 < (ROOT / "docs" / path).stat().st_size <= LARGEST for path in figures)


@pytest.mark.parametrize("name", ["cross-or-isolated", "local-or-shared", "flagship-sensitivity"])
def test_the_runs_that_a_page_states_are_those_of_the_plan(name: str) -> None:
    plan = prepare(experiment(name))
    pages = [file for file, shown in SHIPPED.items() if name in shown]
    assert f"{plan.runs:,} runs" in page(f"docs/experiments/{pages[0]}.md")


def test_money_per_position_is_that_of_the_flagship() -> None:
    scenario = sim.load(ROOT / "scenarios" / "october-2025.yaml")
    for venue, fund, used, share, _ in rows("flagship-reverse", "money"):
        interest = sum(m.open_interest or 0.0 for m in scenario.markets if m.venue == venue)
        first = scenario.venues[venue].waterfall[0]
        if first.kind != "insurance_fund":
            assert (fund, share) == ("none", "0")
            continue
        assert fund == f"{first.size / 1e6:,.0f}"
        part = 1.0 if used == "all" else float(used.split()[0]) / 100.0
        assert share == f"{100.0 * part * first.size / interest:.1f}"


def test_capital_of_the_frontier_is_the_fund_and_margin_on_both_sides() -> None:
    found = rows("margin-frontier", "front")
    assert len(found) >= 5
    for rate, _, fund, capital, *_ in found:
        tied = float(fund) + 2.0 * float(rate) / 100.0 * 5e8 / 1e6
        assert float(capital) == pytest.approx(tied, abs=0.06)


@pytest.fixture
def as_a_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """No invariants after every phase: they take minutes."""
    monkeypatch.delenv("LIQSIM_CHECK", raising=False)


@pytest.mark.slow
@pytest.mark.usefixtures("as_a_reader")
def test_a_row_of_the_comparison_is_what_its_runs_give() -> None:
    plan = prepare(experiment("cross-or-isolated"))
    metrics = tuple((metric.name, metric.value) for metric in plan.experiment.metrics)
    shown = {(row[0], row[1]): row for row in rows("cross-or-isolated", "one-to-one")}
    cells = [c for c in plan.cells if c.values["fall"] == -0.2 and c.values["btc_per_eth"] == 1]
    for cell in cells:
        runs = [
            perform(Task(plan.base, cell.overrides, cell.number, r, plan.seed + r, metrics))
            for r in range(plan.experiment.replications)
        ]
        sold = sum(run["metrics"]["sold"] for run in runs) / len(runs)
        column = ["cross", "isolated", "shared"].index(cell.values["variant"])
        assert shown["sold, m", "-20 %"][2 + column] == f"{sold / 1e6:.1f}"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("as_a_reader")
def test_the_first_venue_fails_where_the_page_says() -> None:
    """The answer for Hyperliquid and the point before it, on the first draw."""
    plan = prepare(experiment("flagship-reverse"))
    (line,) = (
        line
        for line in block("docs/experiments/flagship-reverse.md", "answers", "text").splitlines()
        if line.split()[:1] == ["hyperliquid"]
    )
    gaps = [float(word) for word in re.findall(r"-0\.\d+", line)]
    for gap, holds in ((gaps[0], True), (gaps[3], False)):
        overrides = dict(plan.cells[0].overrides)
        overrides |= {path: gap for path in plan.experiment.factors[0].path}
        metric = (("adl", "venues.hyperliquid.adl_notional > 0"),)
        row = perform(Task(plan.base, overrides, 0, 0, plan.seed, metric))
        assert bool(row["metrics"]["adl"]) is holds
