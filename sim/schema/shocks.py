"""Shocks: what happens to the world from outside."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.units import Duration, FilePath, Fraction, Label, Name, Number, Symbol


class _Shock(Model):
    """What all shocks share."""

    label: Label | None = attribute(
        "Name of the event in figures, at most 40 characters. Left out: none is written.",
        "-",
        None,
    )


class Jump(_Shock):
    """One instant return of an asset."""

    kind: Literal["jump"] = attribute("Shock.", "-", "jump")
    at: Duration = attribute("When it strikes.", "s", ge=0)
    asset: Name = attribute("Asset that is shocked.", "-")
    return_: Fraction = attribute("Simple return.", "1", gt=-1, alias="return")
    venue: Name | None = attribute("Only on this venue. Left out: everywhere.", "-", None)


class Ramp(_Shock):
    """A return spread evenly, in log price, over a time."""

    kind: Literal["ramp"] = attribute("Shock.", "-", "ramp")
    at: Duration = attribute("When it begins.", "s", ge=0)
    duration: Duration = attribute("How long it lasts.", "s", gt=0)
    asset: Name = attribute("Asset that is shocked.", "-")
    return_: Fraction = attribute("Simple return in all.", "1", gt=-1, alias="return")
    venue: Name | None = attribute("Only on this venue. Left out: everywhere.", "-", None)


class PathShock(_Shock):
    """A given path of prices; only its returns are used."""

    kind: Literal["path"] = attribute("Shock.", "-", "path")
    asset: Name = attribute("Asset that is shocked.", "-")
    file: FilePath | None = attribute(
        "CSV file with columns time, price, relative to the scenario file; instead of points.",
        "-",
        None,
    )
    points: list[tuple[Duration, Number]] | None = attribute(
        "Pairs [time, price]; instead of file.", "[s, quote]", None
    )
    venue: Name | None = attribute("Only on this venue. Left out: everywhere.", "-", None)
    at: Duration = attribute("Time of the path's time 0.", "s", 0.0, ge=0)

    @model_validator(mode="after")
    def _one_source(self) -> PathShock:
        if (self.file is None) == (self.points is None):
            found = "neither" if self.file is None else "both"
            refuse(
                "path",
                [Finding((), f"{found} of file and points", "exactly one of file and points")],
            )
        if self.points is not None:
            refuse("path", _point_findings(self.points))
        return self


def _point_findings(points: list[tuple[float, float]]) -> list[Finding]:
    findings = []
    if len(points) < 2:
        findings.append(Finding(("points",), f"{len(points)} points", "at least two points"))
    for number, (time, price) in enumerate(points):
        if number and time <= points[number - 1][0]:
            findings.append(
                Finding(
                    ("points", number, 0),
                    f"{time:g} s",
                    f"more than the time before it, {points[number - 1][0]:g} s",
                )
            )
        if time < 0:
            findings.append(Finding(("points", number, 0), f"{time:g} s", "a time of 0 or more"))
        if price <= 0:
            findings.append(Finding(("points", number, 1), f"{price:g}", "a price above 0"))
    return findings


Correlation = Annotated[
    Annotated[Fraction, Tag("<one>")] | Annotated[dict[str, Fraction], Tag("<map>")],
    Discriminator(by_shape),
]
"""One correlation of all pairs, or a mapping from ``A,B`` to one (others are 0)."""


class _Diffusion(_Shock):
    """What shocks that run on share."""

    assets: list[Name] | None = attribute(
        "Assets that move. Left out: all with a volatility.", "-", None
    )
    drift: Number = attribute("Annual drift of the price.", "1/year", 0.0)
    volatility: Fraction | None = attribute(
        "Annualised volatility. Left out: each asset's own.", "1/sqrt(year)", None, ge=0
    )
    correlation: Correlation = attribute(
        "Correlation of all pairs, or a mapping such as {'BTC,ETH': 0.8}.", "1", 0.0
    )
    at: Duration = attribute("When it begins.", "s", 0.0, ge=0)
    until: Duration | None = attribute("When it ends. Left out: never.", "s", None)

    @model_validator(mode="after")
    def _coherent(self) -> _Diffusion:
        findings = until_findings(self.at, self.until)
        if self.assets is not None and not self.assets:
            findings.append(Finding(("assets",), "an empty list", "at least one asset"))
        if self.assets is not None and len(set(self.assets)) < len(self.assets):
            findings.append(Finding(("assets",), ", ".join(self.assets), "each asset once"))
        values: dict[str, float] = {}
        if isinstance(self.correlation, dict):
            values = self.correlation
            findings += _pair_findings(values)
        elif abs(self.correlation) > 1:
            findings.append(
                Finding(("correlation",), f"{self.correlation:g}", "a number from -1 to 1")
            )
        refuse("diffusion", findings)
        return self


def _pair_findings(pairs: dict[str, float]) -> list[Finding]:
    findings = []
    seen: set[frozenset[str]] = set()
    for key, value in pairs.items():
        names = [name.strip() for name in key.split(",")]
        place = ("correlation", key)
        if len(names) != 2 or not all(names) or names[0] == names[1]:
            findings.append(Finding(place, f"'{key}'", "two different assets, such as 'BTC,ETH'"))
        elif frozenset(names) in seen:
            findings.append(Finding(place, f"'{key}' again", "each pair of assets once"))
        seen.add(frozenset(names))
        if abs(value) > 1:
            findings.append(Finding(place, f"{value:g}", "a number from -1 to 1"))
    return findings


def until_findings(at: float, until: float | None) -> list[Finding]:
    """Return an end that is not after its beginning."""
    if until is None or until > at:
        return []
    return [Finding(("until",), f"{until:g} s", f"a time after 'at', {at:g} s")]


class Gbm(_Diffusion):
    """Geometric Brownian motion."""

    kind: Literal["gbm"] = attribute("Shock.", "-", "gbm")


class JumpDiffusion(_Diffusion):
    """Geometric Brownian motion with jumps of Poisson arrival and normal log size."""

    kind: Literal["jump_diffusion"] = attribute("Shock.", "-", "jump_diffusion")
    intensity: Number = attribute("Mean number of jumps.", "1/day", gt=0)
    jump_mean: Number = attribute("Mean of the log of a jump.", "1")
    jump_std: Number = attribute("Standard deviation of the log of a jump.", "1", ge=0)
    common: StrictBool = attribute("All assets jump together, or each by itself.", "-", True)


class DepthShock(_Shock):
    """Liquidity is withdrawn or added."""

    kind: Literal["depth"] = attribute("Shock.", "-", "depth")
    at: Duration = attribute("When it begins.", "s", ge=0)
    until: Duration | None = attribute("When it ends. Left out: never.", "s", None)
    factor: Number = attribute("Depth over its usual level.", "1", ge=0, le=1e6)
    asset: Name | None = attribute("Only markets of this base. Left out: all.", "-", None)
    venue: Name | None = attribute("Only on this venue. Left out: everywhere.", "-", None)
    symbol: Symbol | None = attribute("Only this symbol. Left out: all.", "-", None)
    recovery_half_life: Duration | None = attribute(
        "After 'until', time in which half of the change is undone. Left out: all at once.",
        "s",
        None,
        gt=0,
    )

    @model_validator(mode="after")
    def _coherent(self) -> DepthShock:
        findings = until_findings(self.at, self.until)
        if self.recovery_half_life is not None and self.until is None:
            findings.append(
                Finding(
                    ("recovery_half_life",),
                    "a recovery without an end",
                    "recovery_half_life only together with until",
                )
            )
        refuse("depth", findings)
        return self


class Outage(_Shock):
    """A venue does nothing for a time; prices elsewhere go on."""

    kind: Literal["outage"] = attribute("Shock.", "-", "outage")
    venue: Name = attribute("Venue that is down.", "-")
    at: Duration = attribute("When it begins.", "s", ge=0)
    duration: Duration = attribute("How long it lasts.", "s", gt=0)


Shock = Annotated[
    Jump | Ramp | PathShock | Gbm | JumpDiffusion | DepthShock | Outage,
    Field(discriminator="kind"),
]
"""Any shock."""

DAY = 86_400.0
"""Seconds of a day."""

YEAR = 365.0 * DAY
"""Seconds of a year of 365 days, the year of every annual figure here."""


def correlation_of(shock: Gbm | JumpDiffusion, first: str, second: str) -> float:
    """Return the correlation of two assets under a shock [1]."""
    if first == second:
        return 1.0
    if isinstance(shock.correlation, dict):
        for key, value in shock.correlation.items():
            if {name.strip() for name in key.split(",")} == {first, second}:
                return value
        return 0.0
    return shock.correlation


def log_return(simple: float) -> float:
    """Return the log return of a simple return [1]."""
    return math.log1p(simple)


def shock_start(shock: Any) -> float:
    """Return the time at which a shock begins [s]."""
    return float(shock.at)
