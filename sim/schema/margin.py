"""Margin: rates, tiers of notional, calls."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Discriminator, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.lending import Loan
from sim.schema.risk_model import RiskModel, StressMargin
from sim.schema.units import Duration, Fraction, Number, Symbol

CONTINUITY = 1e-6
"""Largest relative jump of the maintenance margin at the floor of a tier."""

ROUNDING = 1e-9
"""Share by which the inverse of a leverage may stand below a rate: 1 / 3 is no decimal number."""


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
    for number, tier in enumerate(tiers):
        if tier.max_leverage is not None and tier.rate * tier.max_leverage > 1.0 + ROUNDING:
            found = f"{tier.max_leverage:g}, an initial rate of {1.0 / tier.max_leverage:g}"
            allowed = f"at most {1.0 / tier.rate:g}, the inverse of the maintenance rate"
            findings.append(Finding((*path, number, "max_leverage"), found, allowed))
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


class OpenInterestScaling(Model):
    """Open interest between which the initial margin rate rises to 1."""

    lower: Number = attribute("Open interest up to which nothing is added.", "quote", ge=0)
    upper: Number = attribute("Open interest from which the rate is 1.", "quote", gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> OpenInterestScaling:
        if self.upper <= self.lower:
            found, allowed = f"{self.upper:g}", f"more than lower, {self.lower:g}"
            refuse("open_interest_scaling", [Finding(("upper",), found, allowed)])
        return self


BySize = Annotated[
    Annotated[Number, Tag("<one>")] | Annotated[dict[Symbol, Number], Tag("<map>")],
    Discriminator(by_shape),
]
"""One number for all markets, or one per base asset or symbol."""

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
    risk_model: RiskModel | None = attribute(
        "Model that sets the rates anew as volatility changes, instead of rates and tiers.",
        "-",
        None,
    )
    stress: StressMargin | None = attribute(
        "Multipliers on margin while volatility is high. Left out: none.", "-", None
    )
    size_rate: BySize = attribute(
        "Added to both margin rates per unit of base that a position holds: a number, or a "
        "mapping from base asset or symbol to a number.",
        "1/base",
        0.0,
    )
    size_root: BySize = attribute(
        "Both margin rates become max(rate, 0.8 rate + size_root * sqrt(position in base)): a "
        "number, or a mapping from base asset or symbol to a number.",
        "1/sqrt(base)",
        0.0,
    )
    liquidation_ratio: Number = attribute(
        "Equity over maintenance margin below which an account is liquidated.", "1", 1.0, ge=1
    )
    open_interest_scaling: dict[Symbol, OpenInterestScaling] = attribute(
        "Initial margin that rises with the open interest of a market, by base asset or symbol.",
        "-",
        factory=dict,
    )

    @model_validator(mode="after")
    def _coherent(self) -> Margin:
        findings: list[Finding] = []
        if self.risk_model is not None:
            findings += self._beside_the_model()
        elif self.maintenance_rate is None and self.tiers is None and self.loans is None:
            findings.append(
                Finding(
                    (),
                    "neither maintenance_rate nor tiers",
                    "maintenance_rate, tiers, or both; a risk_model; loans for a lending protocol",
                )
            )
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
        findings += _size_findings("size_rate", self.size_rate)
        findings += _size_findings("size_root", self.size_root)
        if self.call is not None and self.call.level <= self.liquidation_ratio:
            findings.append(
                Finding(
                    ("call", "level"),
                    f"{self.call.level:g}",
                    f"more than the liquidation_ratio, {self.liquidation_ratio:g}",
                )
            )
        refuse("margin", findings)
        return self

    def _beside_the_model(self) -> list[Finding]:
        """Return the rates that stand beside a risk model."""
        keys = ("initial_rate", "maintenance_rate", "tiers")
        allowed = (
            "either a risk_model, which sets all rates (initial ones by its initial_multiple), or "
            "rates and tiers; null for what a preset states"
        )
        return [
            Finding((key,), f"{key} beside a risk_model", allowed)
            for key in keys
            if getattr(self, key) is not None
        ]

    def covers(self, base: str, symbol: str) -> bool:
        """Return whether there is a rule for a market."""
        return self.risk_model is not None or self.ladder(base, symbol) is not None

    def size_terms(self, base: str, symbol: str) -> tuple[float, float]:
        """Return size_rate [1/base] and size_root [1/sqrt(base)] of a market, 0 where it has none.

        A key that is the symbol takes precedence over one that is the base.
        """
        return _of_market(self.size_rate, base, symbol), _of_market(self.size_root, base, symbol)

    def scaling(self, base: str, symbol: str) -> OpenInterestScaling | None:
        """Return how the initial rate of a market scales (by symbol, then base), or None."""
        given = self.open_interest_scaling
        return given.get(symbol, given.get(base))

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

    def loan(self, base: str, symbol: str) -> Loan | None:
        """Return the terms of a loan against a market (by symbol, then base), or None."""
        loans = self.loans or {}
        return loans.get(symbol) or loans.get(base)

    def ladder(self, base: str, symbol: str) -> list[Tier] | None:
        """Return the tiers of a market (by symbol, then base), or None if it has none.

        A ladder of one tier is returned for a loan, whose maintenance rate is 1 less its
        liquidation threshold, and for the flat `maintenance_rate`. Rates of a risk model are no
        ladder.
        """
        loan = self.loan(base, symbol)
        if loan is not None:
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


def _size_findings(key: str, given: float | dict[str, float]) -> list[Finding]:
    """Return the numbers below 0 of a term that depends on size."""
    values: dict[tuple[str, ...], float] = (
        {(key, name): value for name, value in given.items()}
        if isinstance(given, dict)
        else {(key,): given}
    )
    return [
        Finding(path, f"{value:g}", "a number of at least 0")
        for path, value in values.items()
        if value < 0.0
    ]


def _of_market(given: float | dict[str, float], base: str, symbol: str) -> float:
    return given.get(symbol, given.get(base, 0.0)) if isinstance(given, dict) else given
