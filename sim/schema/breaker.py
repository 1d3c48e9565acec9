"""Breakers: what halts markets or holds prices in a band, and how trading begins again.

Beside them what a venue refuses at other times: withdrawals that leave too little behind, and
orders that would raise open interest beyond a cap.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StrictBool, Tag, model_validator
from pydantic_core import PydanticCustomError

from sim.schema.base import Finding, Model, attribute, finding_error, refuse, show
from sim.schema.units import (
    DURATION_ALLOWED,
    Duration,
    Fraction,
    Number,
    Symbol,
    Written,
    parse_duration,
)

REST = "rest"
"""A pause until the reference price is taken anew, or to the end of the run."""


def parse_pause(value: Any) -> float:
    """Return how long a pause lasts [s], which must be above 0."""
    allowed = f"{DURATION_ALLOWED} above 0, or '{REST}'"
    try:
        seconds = parse_duration(value)
    except PydanticCustomError:
        raise finding_error(show(value), allowed) from None
    if seconds <= 0:
        raise finding_error(show(value), allowed)
    return seconds


Pause = Annotated[
    Annotated[Literal["rest"], Tag("<rest>")]
    | Annotated[float, Written(parse_pause, "DurationText"), Tag("<time>")],
    Discriminator(lambda value: "<rest>" if value == REST else "<time>"),
]
"""How long a halt lasts."""


def _by_list(value: Any) -> str:
    return "<list>" if isinstance(value, list) else "<one>"


Members = Annotated[
    Annotated[Symbol, Tag("<one>")] | Annotated[list[Symbol], Tag("<list>")],
    Discriminator(_by_list),
]
"""One or several symbols or base assets of a venue's markets."""


def member_names(of: str | list[str] | None) -> list[str] | None:
    """Return symbols and base assets as a list; None where all markets are meant."""
    return [of] if isinstance(of, str) else of


class Reopening(Model):
    """How a market begins to trade again."""

    auction: Duration = attribute(
        "Time after the pause for which orders wait, to fill in one batch at one price.", "s", gt=0
    )


class Window(Model):
    """Stretches of time that follow one another from time 0, such as days."""

    window: Duration = attribute("Length of a stretch; a multiple of the tick.", "s", gt=0)


class Level(Model):
    """A fall that halts the market, once for each reference price."""

    fall: Fraction = attribute("Fall below the reference.", "1", gt=0, lt=1)
    pause: Pause = attribute(
        "How long markets are halted; `rest` is until the reference is taken anew.", "s"
    )

    @property
    def seconds(self) -> float | None:
        """How long the pause lasts [s]; None for the rest of the time."""
        return None if isinstance(self.pause, str) else self.pause


Reference = Annotated[
    Annotated[Literal["start"], Tag("<one>")] | Annotated[Window, Tag("<map>")],
    Discriminator(lambda value: "<map>" if isinstance(value, dict | Window) else "<one>"),
]
"""Which price a fall is measured from."""


class MarketWide(Model):
    """Halts all markets of a venue when prices have fallen by a level."""

    kind: Literal["market_wide"] = attribute("Breaker.", "-", "market_wide")
    of: Members | None = attribute(
        "Symbols or base assets whose mean fall counts. Left out: all markets of the venue.",
        "-",
        None,
    )
    reference: Reference = attribute(
        "Prices that falls are measured from: of the start, or of the start of each window.",
        "-",
        "start",
    )
    levels: list[Level] = attribute("Falls that halt, ascending.", "-", min_length=1)
    not_after: Duration | None = attribute(
        "Time since the reference from which only levels with the pause `rest` halt.",
        "s",
        None,
        gt=0,
    )
    reopening: Reopening | None = attribute(
        "Call phase after the pause. Left out: markets trade at once.", "-", None
    )
    margin_stops: StrictBool = attribute(
        "Whether the venue makes no calls and liquidates nobody during a halt.", "-", False
    )

    @model_validator(mode="after")
    def _coherent(self) -> MarketWide:
        findings = _of_findings(self.of)
        for number, level in enumerate(self.levels[1:], start=1):
            before = self.levels[number - 1].fall
            if level.fall <= before:
                found, allowed = f"{level.fall:g}", f"more than the fall before it, {before:g}"
                findings.append(Finding(("levels", number, "fall"), found, allowed))
        if isinstance(self.reference, Window):
            findings += self._window_findings(self.reference.window)
        refuse("market_wide", findings)
        return self

    def _window_findings(self, window: float) -> list[Finding]:
        findings = []
        if self.not_after is not None and self.not_after >= window:
            allowed = f"less than the window, {window:g} s; later, every level would halt anyway"
            findings.append(Finding(("not_after",), f"{self.not_after:g} s", allowed))
        for number, level in enumerate(self.levels):
            if level.seconds is not None and level.seconds >= window:
                found = f"{level.seconds:g} s"
                allowed = f"less than the window, {window:g} s, or '{REST}'"
                findings.append(Finding(("levels", number, "pause"), found, allowed))
        return findings


class Widened(Model):
    """A time in which a band is wider."""

    at: Duration = attribute("When it begins.", "s", ge=0)
    duration: Duration = attribute("How long it lasts.", "s", gt=0)
    factor: Number = attribute("Multiple of the band.", "1", gt=1)


class LimitBand(Model):
    """Holds each market's price in a band around its recent mean; halts it when it stays there."""

    kind: Literal["limit_band"] = attribute("Breaker.", "-", "limit_band")
    of: Members | None = attribute(
        "Symbols or base assets it holds for. Left out: all markets of the venue.", "-", None
    )
    band: Fraction = attribute("Distance of the limits from the mean price.", "1", gt=0, lt=1)
    window: Duration = attribute("Time over which the mean is taken.", "s", 300.0, gt=0)
    limit_time: Duration = attribute(
        "Time for which a price may stand at a limit before the market is halted.", "s", 15.0, ge=0
    )
    pause: Duration = attribute("How long the market is halted.", "s", 300.0, gt=0)
    widened: list[Widened] = attribute("Times in which the band is wider.", "-", factory=list)
    reopening: Reopening | None = attribute(
        "Call phase after the pause. Left out: the market trades at once.", "-", None
    )
    margin_stops: StrictBool = attribute(
        "Whether the venue makes no calls and liquidates nobody during a halt.", "-", False
    )

    @model_validator(mode="after")
    def _coherent(self) -> LimitBand:
        findings = _of_findings(self.of)
        for number, wide in enumerate(self.widened):
            if self.band * wide.factor >= 1:
                found = f"{wide.factor:g}, a band of {self.band * wide.factor:g}"
                findings.append(Finding(("widened", number, "factor"), found, "a band below 1"))
        refuse("limit_band", findings)
        return self


def _of_findings(of: str | list[str] | None) -> list[Finding]:
    if not isinstance(of, list):
        return []
    if not of:
        return [Finding(("of",), "an empty list", "at least one symbol or base asset")]
    return [
        Finding(("of", number), f"'{name}' again", "each name once")
        for number, name in enumerate(of)
        if name in of[:number]
    ]


Breaker = Annotated[MarketWide | LimitBand, Field(discriminator="kind")]
"""Any breaker."""


class Withdrawals(Model):
    """What a venue lets its traders take out of an account, such as for a margin call elsewhere."""

    keep: Literal["maintenance", "initial_margin"] = attribute(
        "Margin that must stay behind; more where a margin call asks for more.", "-", "maintenance"
    )
    keep_share: Fraction = attribute(
        "Share of gross notional that must stay behind at least.", "1", 0.0, ge=0, le=1
    )
    gate_after_negative: Duration = attribute(
        "Time for which nothing leaves after equity of an account of the venue was negative.",
        "s",
        0.0,
        ge=0,
    )
    gate_after_outage: Duration = attribute(
        "Time for which nothing leaves after an outage.", "s", 0.0, ge=0
    )
