"""Lending protocols: terms of a loan, and the ways in which its collateral is sold."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Discriminator, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.units import Count, Duration, Fraction, Name, Number

PerBase = Annotated[
    Annotated[Fraction, Tag("<one>")] | Annotated[dict[Name, Fraction], Tag("<map>")],
    Discriminator(by_shape),
]
"""One fraction for all collateral, or one per base asset."""


def of_base(value: float | dict[str, float], base: str) -> float | None:
    """Return the entry of a base asset, or None where a mapping has none."""
    return value.get(base) if isinstance(value, dict) else value


class Loan(Model):
    """What may be borrowed against one kind of collateral, and when it is liquidated."""

    loan_to_value: Fraction = attribute(
        "Most debt per value of the collateral when a loan is opened.", "1", gt=0, lt=1
    )
    liquidation_threshold: Fraction = attribute(
        "Debt per value of the collateral above which the loan is liquidated.", "1", gt=0, lt=1
    )

    @model_validator(mode="after")
    def _room(self) -> Loan:
        if self.liquidation_threshold < self.loan_to_value:
            found = f"{self.liquidation_threshold:g}"
            allowed = f"at least the loan_to_value, {self.loan_to_value:g}"
            refuse("loan", [Finding(("liquidation_threshold",), found, allowed)])
        return self


class Keepers(Model):
    """Outsiders who liquidate the loans of a venue when that pays."""

    capital: Number | None = attribute(
        "Money they have at time 0 to repay debts with. Left out: without limit.",
        "numeraire",
        None,
        ge=0,
    )
    gas: Number = attribute("Cost of one liquidation.", "numeraire", 0.0, ge=0)


class SpreadKeepers(Keepers):
    """Keepers of loans with a fixed spread."""

    flash_loan: bool = attribute(
        "Whether they borrow what they repay, so that their capital does not limit them.",
        "-",
        True,
    )


class AuctionKeepers(Keepers):
    """Keepers who bid in auctions."""

    active: Fraction = attribute(
        "Chance per tick that their transactions get through.", "1", 1.0, ge=0, le=1
    )
    margin: Fraction = attribute("Profit they want per price paid, above gas.", "1", 0.0, ge=0)


class _Lending(Model):
    """What all ways of liquidating loans share."""

    fee_bps: ClassVar[float] = 0.0
    price_band: ClassVar[float | None] = None
    takes_remainder: ClassVar[bool] = False
    fee_to: Literal["insurance_fund", "venue"] = attribute(
        "Who receives what the protocol earns.", "-", "insurance_fund"
    )


class FixedSpreadLiquidation(_Lending):
    """Let keepers repay debt for collateral at a discount, where it pays them (Aave, Morpho)."""

    kind: Literal["fixed_spread"] = attribute("Way of liquidating.", "-", "fixed_spread")
    latency: Duration = attribute(
        "Time between two rounds of liquidations; 0 goes on within the tick.", "s", 0.0, ge=0
    )
    bonus: PerBase = attribute(
        "Collateral that a keeper gets beyond the debt repaid: a number, or one per base asset.",
        "1",
    )
    close_factor: Fraction = attribute(
        "Largest share of the debt repaid at once.", "1", 0.5, gt=0, le=1
    )
    full_below_health: Number = attribute(
        "Health factor below which all debt may be repaid at once.", "1", 0.95, ge=0, le=1
    )
    full_if_below: Number = attribute(
        "Debt or collateral below which all debt may be repaid at once.", "numeraire", 2000.0, ge=0
    )
    least_left: Number = attribute(
        "Debt and collateral that a partial liquidation leaves at least.",
        "numeraire",
        1000.0,
        ge=0,
    )
    protocol_share: Fraction = attribute(
        "Share of the bonus that goes to the protocol.", "1", 0.1, ge=0, le=1
    )
    keepers: SpreadKeepers = attribute("Who liquidates.", "-", factory=SpreadKeepers)

    @model_validator(mode="after")
    def _bonus(self) -> FixedSpreadLiquidation:
        refuse("liquidation", list_findings("bonus", self.bonus, 0.0, 1.0))
        return self


class AbsorbLiquidation(_Lending):
    """Take the whole account over at a factor of its value and sell it at a discount (Compound)."""

    latency: ClassVar[float] = 0.0
    kind: Literal["absorb"] = attribute("Way of liquidating.", "-", "absorb")
    factor: PerBase = attribute(
        "What an account is credited per value of its collateral: a number, or one per base asset.",
        "1",
    )
    storefront: Fraction = attribute(
        "Share of the penalty that buyers of the collateral get as a discount.",
        "1",
        0.5,
        ge=0,
        le=1,
    )
    reserves: Number = attribute(
        "Reserves up to which the protocol sells collateral.", "numeraire", ge=0
    )
    keepers: Keepers = attribute("Who buys the collateral.", "-", factory=Keepers)

    @model_validator(mode="after")
    def _factor(self) -> AbsorbLiquidation:
        findings = list_findings("factor", self.factor, 0.0, 1.0)
        refuse("liquidation", findings)
        return self


class AuctionLiquidation(_Lending):
    """Sell the collateral of an account by a falling price (Maker)."""

    latency: ClassVar[float] = 0.0
    kind: Literal["auction"] = attribute("Way of liquidating.", "-", "auction")
    buffer: Number = attribute(
        "Starting price per mark price of the collateral.", "1", 1.1, gt=0, le=10
    )
    cut: Fraction = attribute("What is left of the price after each step.", "1", 0.99, gt=0, lt=1)
    step: Duration = attribute("Time between two steps of the price.", "s", 90.0, gt=0)
    tail: Duration = attribute("Age at which an auction has to start again.", "s", 7200.0, gt=0)
    cusp: Fraction = attribute(
        "Share of its starting price below which an auction has to start again.",
        "1",
        0.45,
        ge=0,
        lt=1,
    )
    penalty: Fraction = attribute("Penalty per debt, raised with it.", "1", 0.13, ge=0, le=1)
    chip: Fraction = attribute(
        "What keepers are paid for starting an auction, per amount to raise.",
        "1",
        0.001,
        ge=0,
        le=1,
    )
    tip: Number = attribute(
        "What keepers are paid for each start besides.", "numeraire", 250.0, ge=0
    )
    keepers: AuctionKeepers = attribute("Who bids.", "-", factory=AuctionKeepers)


class BandsLiquidation(_Lending):
    """Convert collateral little by little as its price falls through bands (LLAMMA)."""

    latency: ClassVar[float] = 0.0
    kind: Literal["bands"] = attribute("Way of liquidating.", "-", "bands")
    amplification: Number = attribute(
        "Inverse of the relative width of a band.", "1", 100.0, gt=1, le=10_000
    )
    bands: Count = attribute("Bands that the collateral is spread over.", "bands", 10, ge=1, le=100)
    loan_discount: Fraction = attribute(
        "What a new loan falls short of the worth of its collateral in the bands; places the "
        "highest band.",
        "1",
        0.09,
        ge=0,
        lt=1,
    )
    liquidation_discount: Fraction = attribute(
        "What is taken off the worth of the collateral in the bands; below the debt all is sold.",
        "1",
        0.06,
        ge=0,
        lt=1,
    )
    fee: Fraction = attribute("Fee per value converted.", "1", 0.0, ge=0, lt=0.1)

    @model_validator(mode="after")
    def _discounts(self) -> BandsLiquidation:
        if self.liquidation_discount >= self.loan_discount:
            found, most = f"{self.liquidation_discount:g}", f"{self.loan_discount:g}"
            allowed = f"less than the loan_discount, {most}"
            refuse("liquidation", [Finding(("liquidation_discount",), found, allowed)])
        return self

    def largest_loan(self) -> float:
        """Return the debt per value of collateral of a loan at the highest edge of its bands.

        All of it raises ``sqrt(r) (1 - r^N) / (N (1 - r))`` per value there, r = (A - 1) / A.
        """
        ratio = (self.amplification - 1.0) / self.amplification
        worth = ratio**0.5 * (1.0 - ratio**self.bands) / (self.bands * (1.0 - ratio))
        return float(worth * (1.0 - self.loan_discount))


LENDING_KINDS = ("fixed_spread", "absorb", "auction", "bands")
"""Ways of liquidating that sell the collateral of loans only."""


def list_findings(
    key: str, value: float | dict[str, float], low: float, high: float
) -> list[Finding]:
    """Return the fractions of a key that do not lie between two bounds."""
    entries = value.items() if isinstance(value, dict) else [("", value)]
    allowed = f"a fraction from {low:g} to {high:g}"
    findings = [
        Finding((key, base) if base else (key,), f"{number:g}", allowed)
        for base, number in entries
        if not low <= number <= high
    ]
    if isinstance(value, dict) and not value:
        findings.append(Finding((key,), "an empty mapping", "an entry for each base asset"))
    return findings
