"""Margin that changes during a run: recalibrated from volatility, or multiplied in stress."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.units import Duration, Fraction, Name, Number
from sim.schema.world import Asset, is_multiple

MOST_SAMPLES = 10_000
"""Samples of the longest window of a stress index."""

Volatility = Annotated[
    Annotated[Fraction, Tag("<one>")] | Annotated[dict[Name, Fraction], Tag("<map>")],
    Discriminator(by_shape),
]
"""One volatility for all markets, or one per base asset."""


def _of(volatility: float | dict[str, float] | None, base: str) -> float | None:
    """Return the volatility of a base asset, or None where it has none."""
    return volatility.get(base) if isinstance(volatility, dict) else volatility


class RiskModel(Model):
    """Margin that a clearer sets anew from the volatility of each market."""

    kind: Literal["ewma"] = attribute("How volatility is estimated.", "-")
    decay: Number = attribute(
        "Weight that past samples keep at every new one.", "1", 0.97, gt=0, lt=1
    )
    sample: Duration = attribute(
        "Time from one sample of the index prices to the next; a multiple of the tick.",
        "s",
        86_400.0,
        gt=0,
    )
    every: Duration = attribute(
        "Time after which margins are set anew; a multiple of the tick, at least the sample.",
        "s",
        86_400.0,
        gt=0,
    )
    quantile: Fraction = attribute(
        "Share of the moves that the margin covers.", "1", 0.99, gt=0.5, lt=1
    )
    period_of_risk: Duration = attribute(
        "Time over which moves are covered.", "s", 2 * 86_400.0, gt=0
    )
    start_volatility: Volatility | None = attribute(
        "Annualised volatility at the start, one or by base asset. Left out: the asset's own.",
        "1/sqrt(year)",
        None,
    )
    initial_multiple: Number = attribute("Initial over maintenance rate.", "1", 1.0, ge=1)
    buffer: Fraction = attribute(
        "Share added to the margin while volatility is as at the start, and used up as it rises.",
        "1",
        0.0,
        ge=0,
    )
    stressed_weight: Fraction = attribute(
        "Weight of the margin at `stressed_volatility`.", "1", 0.0, ge=0, le=1
    )
    stressed_volatility: Volatility | None = attribute(
        "Annualised volatility of stressed observations, one or by base asset.",
        "1/sqrt(year)",
        None,
    )
    floor_volatility: Volatility | None = attribute(
        "Annualised volatility below which none is counted, one or by base asset.",
        "1/sqrt(year)",
        None,
    )

    def start_volatility_of(self, base: str, asset: Asset) -> float:
        """Return the volatility a base asset starts with [1/sqrt(year)]."""
        given = _of(self.start_volatility, base)
        return asset.volatility if given is None else given

    def stressed_volatility_of(self, base: str) -> float:
        """Return the stressed volatility of a base asset [1/sqrt(year)]; 0 for none."""
        return _of(self.stressed_volatility, base) or 0.0

    def floor_volatility_of(self, base: str) -> float:
        """Return the least volatility of a base asset [1/sqrt(year)]; 0 for none."""
        return _of(self.floor_volatility, base) or 0.0

    @model_validator(mode="after")
    def _coherent(self) -> RiskModel:
        findings = self._volatility_findings()
        if self.sample > self.every:
            allowed = f"at most `every`, {self.every:g} s"
            findings.append(Finding(("sample",), f"{self.sample:g} s", allowed))
        refuse("risk_model", findings)
        return self

    def _volatility_findings(self) -> list[Finding]:
        findings = []
        for key in ("start_volatility", "stressed_volatility", "floor_volatility"):
            given = getattr(self, key)
            each = given.items() if isinstance(given, dict) else [("", given)]
            for base, value in each:
                if value is not None and value <= 0.0:
                    place = (key, base) if base else (key,)
                    findings.append(Finding(place, f"{value:g}", "a volatility above 0"))
        if self.stressed_weight > 0.0 and self.stressed_volatility is None:
            found = f"a weight of {self.stressed_weight:g} and no stressed_volatility"
            findings.append(Finding(("stressed_weight",), found, "both, or neither"))
        if self.stressed_volatility is not None and self.stressed_weight == 0.0:
            found = "a stressed_volatility and no stressed_weight"
            findings.append(Finding(("stressed_volatility",), found, "both, or neither"))
        return findings


class StressStep(Model):
    """A step of a stress index."""

    volatility: Fraction = attribute(
        "Annualised realised volatility from which the step holds.", "1/sqrt(year)", gt=0
    )
    multiplier: Number = attribute("What margins are multiplied by.", "1", ge=1)


class StressMargin(Model):
    """Multipliers on margin while realised volatility is high."""

    window: Duration = attribute(
        "Time over which volatility is measured; a multiple of the sample.", "s", 3600.0, gt=0
    )
    sample: Duration = attribute(
        "Time from one sample of the index prices to the next; a multiple of the tick.",
        "s",
        60.0,
        gt=0,
    )
    steps: list[StressStep] = attribute(
        "Steps with ascending volatility; below the first margins stand as they are.",
        "-",
        min_length=1,
    )

    @model_validator(mode="after")
    def _coherent(self) -> StressMargin:
        findings = []
        if not is_multiple(self.window, self.sample):
            allowed = f"a multiple of the sample, {self.sample:g} s"
            findings.append(Finding(("window",), f"{self.window:g} s", allowed))
        elif self.window / self.sample > MOST_SAMPLES + 0.5:
            found = f"{self.window:g} s, which is {self.window / self.sample:,.0f} samples"
            findings.append(Finding(("window",), found, f"at most {MOST_SAMPLES:,} samples"))
        for number in range(1, len(self.steps)):
            step, before, here = self.steps[number], self.steps[number - 1], ("steps", number)
            if step.volatility <= before.volatility:
                allowed = f"more than the step before it, {before.volatility:g}"
                findings.append(Finding((*here, "volatility"), f"{step.volatility:g}", allowed))
            if step.multiplier < before.multiplier:
                allowed = f"at least that of the step before it, {before.multiplier:g}"
                findings.append(Finding((*here, "multiplier"), f"{step.multiplier:g}", allowed))
        refuse("stress", findings)
        return self
