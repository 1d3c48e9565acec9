"""Traders: drawn cohorts, or a book of the user's own accounts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Tag, model_validator

from sim.schema.base import Finding, Model, attribute, by_shape, refuse
from sim.schema.behaviour import Behaviour, Hold
from sim.schema.distributions import Distribution
from sim.schema.units import Count, Duration, FilePath, Fraction, Name, Number, Slug, Symbol

MOST_TRADERS = 100_000_000
"""Traders of one cohort that the arrays of a run can hold on a large machine."""

MarginMode = Literal["cross", "isolated"]
"""One pool, or one account per position."""


class TopUp(Model):
    """Where a called trader finds collateral."""

    sources: list[Literal["wallet", "accounts"]] = attribute(
        "Where it is taken from, in order: the outside wallet, own accounts elsewhere.",
        "-",
        factory=lambda: ["wallet"],
    )
    latency: Duration = attribute("Time until it arrives.", "s", 0.0, ge=0)

    @model_validator(mode="after")
    def _sources(self) -> TopUp:
        if not self.sources or len(set(self.sources)) < len(self.sources):
            refuse(
                "top_up",
                [
                    Finding(
                        ("sources",),
                        ", ".join(self.sources) or "an empty list",
                        "wallet, accounts, each at most once",
                    )
                ],
            )
        return self


VenuesPerTrader = Annotated[
    Annotated[Count, Tag("<one>")] | Annotated[dict[Count, Fraction], Tag("<map>")],
    Discriminator(by_shape),
]
"""A number, or shares of several numbers."""

MarginModes = Annotated[
    Annotated[MarginMode, Tag("<one>")] | Annotated[dict[MarginMode, Fraction], Tag("<map>")],
    Discriminator(by_shape),
]
"""A margin mode, or shares of both."""


class Cohort(Model):
    """Many traders of one kind, drawn from distributions."""

    cohort: Slug = attribute("Name of the cohort.", "-")
    count: Count = attribute("Number of traders.", "traders", ge=0, le=MOST_TRADERS)
    venues: dict[Name, Number] = attribute(
        "Share of traders at each venue; shares are normalised.", "1", min_length=1
    )
    venues_per_trader: VenuesPerTrader = attribute(
        "Number of venues a trader uses, or a mapping from number to share.", "venues", 1
    )
    portfolio: dict[Symbol, Number] | None = attribute(
        "Weight of each base asset or symbol in gross notional. Left out: equal over the "
        "venue's markets.",
        "1",
        None,
    )
    positions_per_account: Count | None = attribute(
        "Positions drawn per account. Left out: one in each market of the portfolio.",
        "positions",
        None,
        ge=1,
    )
    position_correlation: Fraction = attribute(
        "Correlation of the sides of all positions of a trader.", "1", 1.0, ge=0, le=1
    )
    behaviour: Behaviour = attribute("What the traders do.", "-", factory=Hold)
    margin_mode: MarginModes | None = attribute(
        "Margin mode, or a mapping from mode to share. Left out: the venue's.", "-", None
    )
    equity: Distribution = attribute(
        "Equity of a trader, split over the trader's venues.", "numeraire"
    )
    leverage: Distribution = attribute("Gross notional over equity.", "1")
    long_share: Fraction = attribute("Probability that a position is long.", "1", 0.5, ge=0, le=1)
    collateral: dict[Name, Number] | None = attribute(
        "Share of each asset in the collateral. Left out: the quote asset.", "1", None
    )
    wallet: Distribution | None = attribute(
        "Wealth outside all venues, as a multiple of equity. Left out: none.", "1", None
    )
    top_up: TopUp | None = attribute("How margin calls are met. Left out: they are not.", "-", None)

    @model_validator(mode="after")
    def _coherent(self) -> Cohort:
        findings = _share_findings(self)
        for name, distribution in (("equity", self.equity), ("leverage", self.leverage)):
            if distribution.lowest() <= 0:
                findings.append(
                    Finding(
                        (name,), f"values down to {distribution.lowest():g}", "only values above 0"
                    )
                )
        if self.wallet is not None and self.wallet.lowest() < 0:
            findings.append(
                Finding(
                    ("wallet",),
                    f"values down to {self.wallet.lowest():g}",
                    "only values of 0 or more",
                )
            )
        findings += _venue_count_findings(self)
        refuse("cohort", findings)
        return self


def _share_findings(cohort: Cohort) -> list[Finding]:
    """Return shares that are not positive."""
    findings = []
    modes = cohort.margin_mode if isinstance(cohort.margin_mode, dict) else {}
    counts = cohort.venues_per_trader if isinstance(cohort.venues_per_trader, dict) else {}
    groups: list[tuple[str, dict[Any, float] | None]] = [
        ("venues", cohort.venues),
        ("portfolio", cohort.portfolio),
        ("collateral", cohort.collateral),
        ("margin_mode", {**modes}),
        ("venues_per_trader", {**counts}),
    ]
    for name, shares in groups:
        if shares is None:
            continue
        if not shares and isinstance(getattr(cohort, name), dict):
            findings.append(Finding((name,), "an empty mapping", "at least one entry"))
        for key, share in shares.items():
            if share <= 0:
                findings.append(Finding((name, str(key)), f"{share:g}", "a share above 0"))
    return findings


def _venue_count_findings(cohort: Cohort) -> list[Finding]:
    """Return numbers of venues per trader that the cohort cannot have."""
    per_trader, most = cohort.venues_per_trader, len(cohort.venues)
    allowed = f"a number from 1 to {most}, the number of the cohort's venues"
    if isinstance(per_trader, dict):
        return [
            Finding(("venues_per_trader", str(number)), str(number), allowed)
            for number in per_trader
            if not 1 <= number <= most
        ]
    if 1 <= per_trader <= most:
        return []
    return [Finding(("venues_per_trader",), str(per_trader), allowed)]


class BookFiles(Model):
    """The three tables of a book, CSV or Parquet by file ending."""

    accounts: FilePath = attribute("Table of accounts.", "-")
    balances: FilePath = attribute("Table of balances.", "-")
    positions: FilePath = attribute("Table of positions.", "-")


class BookSource(Model):
    """Accounts read from the user's own files."""

    book: BookFiles = attribute("Files, relative to the scenario file.", "-")
    name: Slug = attribute("Name under which the book's accounts are reported.", "-", "book")
    behaviour: Behaviour = attribute("What the traders do.", "-", factory=Hold)
    top_up: TopUp | None = attribute("How margin calls are met. Left out: they are not.", "-", None)


def by_book(value: Any) -> str:
    """Tell a book from a cohort by its key."""
    is_book = "book" in value if isinstance(value, dict) else isinstance(value, BookSource)
    return "<book>" if is_book else "<cohort>"


Traders = Annotated[
    Annotated[Cohort, Tag("<cohort>")] | Annotated[BookSource, Tag("<book>")],
    Discriminator(by_book),
]
"""A cohort or a book."""
