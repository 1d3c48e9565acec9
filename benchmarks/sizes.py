"""The scenarios of the benchmarks in the sizes that they are asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import sim
from benchmarks.places import DAY
from sim.schema import Cohort, Scenario

DAY_SECONDS = 86_400
CRASH_AT = 14 / 24
"""Where in the day the crash begins, as a share of it."""

CRASH_SECONDS = 300
"""Length of the crash, but at most a sixth of a shorter day."""


class Crash(NamedTuple):
    """Ticks ``first .. stop - 1`` at which the crash moves prices."""

    first: int
    stop: int


def crash_of(seconds: int) -> Crash:
    """Return the ticks of the crash in a day of so many seconds and ticks."""
    begin = round(seconds * CRASH_AT)
    return Crash(begin + 1, begin + 1 + min(CRASH_SECONDS, seconds // 6))


def day(accounts: int, seconds: int = DAY_SECONDS, *, crash: bool = True) -> Scenario:
    """Return the day with another number of accounts and another length.

    Depth and funds grow with the number of accounts, so that the cascade is the same at every
    size. A shorter day has the same noise per tick and the same crash in proportion.
    """
    return sim.load(DAY, overrides(accounts, seconds, crash=crash))


def overrides(accounts: int, seconds: int, *, crash: bool = True) -> dict[str, Any]:
    """Return the values by path that make the file of the day one of another size."""
    full = sim.load(DAY)
    cohorts = _cohorts(full)
    share = accounts / sum(cohort.count for cohort in cohorts)
    found: dict[str, Any] = {"clock.horizon": f"{seconds}s"}
    found |= {f"traders.{k}.count": round(cohort.count * share) for k, cohort in enumerate(cohorts)}
    for k, market in enumerate(full.markets):
        found[f"markets.{k}.impact.adv"] = market.impact.model_dump()["adv"] * share
    for name, venue in full.venues.items():
        found[f"venues.{name}.waterfall.0.size"] = venue.waterfall[0].model_dump()["size"] * share
    first, stop = crash_of(seconds)
    for k, shock in enumerate(full.shocks):
        if shock.kind == "ramp":
            found[f"shocks.{k}.at"] = f"{first - 1}s"
            found[f"shocks.{k}.duration"] = f"{stop - first}s"
            if not crash:
                found[f"shocks.{k}.return"] = 0.0
    return found


def positions(scenario: Scenario) -> int:
    """Return the number of positions of the traders of a `day`."""
    return sum(cohort.count * (cohort.positions_per_account or 0) for cohort in _cohorts(scenario))


def _cohorts(scenario: Scenario) -> list[Cohort]:
    return [source for source in scenario.traders if isinstance(source, Cohort)]
