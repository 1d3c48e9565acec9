"""Margin: rates, tiers of notional, calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.lending import Loan
from sim.schema.units import Duration, Fraction, Number, Symbol

CONTINUITY = 1e-6
"""Largest relative jump of the maintenance margin at the floor of a tier."""


class Tier(Model):
    """One bracket of notional with its maintenance rate."""

    floor: Number = attribute("Notional at which the tier begins.", "quote", ge=0)
    rate: Fraction = attribute("Maintenance margin per notional.", "1", ge=0, lt=1)
    deduction: Number | None = attribute(
        "Amount taken off rate * notional. Left out: what keeps the margin continuous.",
        "quote",
        None,
    )
    max_leverage: Number | None = attribute(
        "Highest leverage at opening; its inverse is the initial margin rate.", "1", None, gt=0
    )


def continuous_deductions(tiers: list[Tier]) -> list[float]:
    """Return the deduction of each tier [quote] that keeps the margin continuous.

    Notes
    -----
    ``deduction_n = deduction_{n-1} + floor_n * (rate_n - rate_{n-1})``, from 0 or from what
    the first tier states; a stated deduction is taken as it stands.
    """
    deductions: list[float] = []
    for number, tier in enumerate(tiers):
        if tier.deduction is not None:
            deductions.append(tier.deduction)
        elif number == 0:
            deductions.append(0.0)
        else:
            before = tiers[number - 1]
            deductions.append(deductions[-1] + tier.floor * (tier.rate - before.rate))
    return deductions


def tier_findings(tiers: list[Tier], path: tuple[str | int, ...]) -> list[Finding]:
    """Return what is wrong with a ladder of tiers: order, slope and continuity."""
    if not tiers:
        return [Finding(path, "an empty list", "at least one tier")]
    findings = []
    first = tiers[0]
    if first.floor != 0:
        findings.append(Finding((*path, 0, "floor"), f"{first.floor:g}", "0 for the first tier"))
    if first.deduction not in (None, 0.0):
        findings.append(
            Finding((*path, 0, "deduction"), f"{first.deduction:g}", "0 for the first tier")
        )
    deductions = continuous_deductions(tiers)
    for number in range(1, len(tiers)):
        findings += _step_findings(tiers, deductions, number, path)
    return findings


def _step_findings(
    tiers: list[Tier], deductions: list[float], number: int, path: tuple[str | int, ...]
) -> list[Finding]:
    tier, before, here = tiers[number], tiers[number - 1], (*path, number)
    if tier.floor <= before.floor:
        return [
            Finding(
                (*here, "floor"),
                f"{tier.floor:g}",
                f"more than the floor before it, {before.floor:g}",
            )
        ]
    findings = []
    if tier.rate < before.rate:
        findings.append(
            Finding(
                (*here, "rate"), f"{tier.rate:g}", f"at least the rate before it, {before.rate:g}"
            )
        )
    if (tier.max_leverage or 0) > (before.max_leverage or float("inf")):
        findings.append(
            Finding(
                (*here, "max_leverage"),
                f"{tier.max_leverage:g}",
                f"at most the leverage before it, {before.max_leverage:g}",
            )
        )
    jump = tier.floor * (tier.rate - before.rate) - (deductions[number] - deductions[number - 1])
    if abs(jump) > CONTINUITY * max(tier.floor * tier.rate, abs(deductions[number])):
        right = deductions[number - 1] + tier.floor * (tier.rate - before.rate)
        findings.append(
            Finding(
                (*here, "deduction"),
                f"{deductions[number]:g}",
                f"{right:.10g}, which keeps the margin continuous at the floor",
            )
        )
    return findings


class MarginCall(Model):
    """A call for collateral before liquidation."""

    level: Number = attribute(
        "Equity over maintenance margin below which a call is made.", "1", gt=1
    )
    grace: Duration = attribute("Time the trader has to meet the call.", "s", ge=0)
    target: Number | None = attribute(
        "Ratio a top-up restores. Left out: the level.", "1", None, gt=1
    )

    @model_validator(mode="after")
    def _target_reaches_level(self) -> MarginCall:
        if self.target is not None and self.target < self.level:
            refuse(
                "call",
                [Finding(("target",), f"{self.target:g}", f"at least the level, {self.level:g}")],
            )
        return self


Tiers = Annotated[
    Annotated[list[Tier], Tag("<one>")] | Annotated[dict[Symbol, list[Tier]], Tag("<map>")],
    Discriminator(by_shape),
]
"""One ladder for all markets, or one per base asset or symbol."""


class Margin(Model):
    """What a venue asks as margin."""

    kind: Literal["cross", "isolated"] = attribute(
        "Margin mode of accounts that do not choose: one pool, or one account per position.", "-"
    )
    initial_rate: Fraction | None = attribute(
        "Initial margin per notional. Left out: the inverse of the tier's highest leverage, "
        "or twice the maintenance rate.",
        "1",
        None,
        gt=0,
        le=1,
    )
    maintenance_rate: Fraction | None = attribute(
        "Maintenance margin per notional of markets without tiers.", "1", None, ge=0, lt=1
    )
    tiers: Tiers | None = attribute(
        "Maintenance tiers: a list, or a mapping from base asset or symbol to a list.", "-", None
    )
    loans: dict[Symbol, Loan] | None = attribute(
        "Terms of loans against collateral: a mapping from base asset or symbol.", "-", None
    )
    call: MarginCall | None = attribute("Margin calls. Left out: none are made.", "-", None)

    @model_validator(mode="after")
    def _coherent(self) -> Margin:
        findings: list[Finding] = []
        if self.maintenance_rate is None and self.tiers is None and self.loans is None:
            allowed = "maintenance_rate, tiers, or both; loans for a lending protocol"
            findings.append(Finding((), "neither maintenance_rate nor tiers", allowed))
        findings += self._loan_findings()
        if isinstance(self.tiers, list):
            findings += tier_findings(self.tiers, ("tiers",))
        elif self.tiers is not None:
            if not self.tiers:
                findings.append(Finding(("tiers",), "an empty mapping", "at least one ladder"))
            for key, ladder in self.tiers.items():
                findings += tier_findings(ladder, ("tiers", key))
        initial, maintenance = self.initial_rate, self.maintenance_rate
        if initial is not None and maintenance is not None and initial < maintenance:
            findings.append(
                Finding(
                    ("initial_rate",),
                    f"{initial:g}",
                    f"at least the maintenance_rate, {maintenance:g}",
                )
            )
        refuse("margin", findings)
        return self

    def _loan_findings(self) -> list[Finding]:
        """Return rules that do not go together with loans."""
        if self.loans is None:
            return []
        findings = []
        if not self.loans:
            findings.append(Finding(("loans",), "an empty mapping", "terms of at least one loan"))
        if self.initial_rate is not None:
            allowed = "no initial_rate beside loans, whose loan_to_value takes its place"
            findings.append(Finding(("initial_rate",), f"{self.initial_rate:g}", allowed))
        if self.call is not None:
            allowed = "no call beside loans, which are liquidated without one"
            findings.append(Finding(("call",), "a call", allowed))
        return findings

    def ladder(self, base: str, symbol: str) -> list[Tier] | None:
        """Return the tiers of a market (by symbol, then base), or None if it has none.

        A ladder of one tier is returned for a loan, whose maintenance rate is 1 less its
        liquidation threshold, and for the flat `maintenance_rate`.
        """
        for key in (symbol, base):
            if self.loans is not None and key in self.loans:
                loan = self.loans[key]
                leverage = 1.0 / (1.0 - loan.loan_to_value)
                rate = 1.0 - loan.liquidation_threshold
                return [Tier(floor=0.0, rate=rate, max_leverage=leverage)]
        if isinstance(self.tiers, list):
            return self.tiers
        if self.tiers is not None:
            for key in (symbol, base):
                if key in self.tiers:
                    return self.tiers[key]
        if self.maintenance_rate is None:
            return None
        return [Tier(floor=0.0, rate=self.maintenance_rate)]
