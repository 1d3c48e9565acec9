"""Numbers as people read them: money, prices and the time axis."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, Formatter, FuncFormatter

DOLLARS = frozenset({
    "USD", "USDT", "USDC", "USDE", "USDD", "USDP", "BUSD", "FDUSD", "TUSD", "PYUSD", "GUSD",
    "DAI", "USDS", "USDB", "RLUSD",
})  # fmt: skip
_SCALES = ((1e12, "tn"), (1e9, "bn"), (1e6, "m"), (1e3, "k"))
_MINUS = "\N{MINUS SIGN}"
_STEPS = (
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400,
    2 * 86400, 7 * 86400, 14 * 86400, 28 * 86400, 91 * 86400, 182 * 86400, 364 * 86400,
)  # fmt: skip
_UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"))


def money(value: float, currency: str = "", digits: int = 3) -> str:
    """Return an amount in short form: ``1.23bn``, ``-45.6m``, ``$780k``.

    Parameters
    ----------
    value : float
        Amount [quote].
    currency : str
        ``$`` stands before the number, any other unit after it; empty for none.
    digits : int
        Significant digits, >= 1.
    """
    if not math.isfinite(value):
        return "n/a" if math.isnan(value) else f"{'-' if value < 0 else ''}\N{INFINITY}"
    number = _short(abs(value), digits)
    sign = "-" if value < 0 and number != "0" else ""
    if currency == "$":
        return f"{sign}${number}"
    return f"{sign}{number} {currency}".rstrip()


def _short(size: float, digits: int) -> str:
    rounded = float(f"{size:.{digits - 1}e}")
    for scale, suffix in _SCALES:
        if rounded >= scale:
            return _trimmed(rounded / scale, digits) + suffix
    return _trimmed(rounded, digits) if rounded >= 0.01 or rounded == 0 else f"{rounded:.1e}"


def _trimmed(size: float, digits: int) -> str:
    places = max(0, digits - 1 - math.floor(math.log10(size))) if size > 0 else 0
    text = f"{size:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: float, currency: str) -> str:
    """Return an amount of money as a text of a figure, without a unit where none is known.

    Parameters
    ----------
    value : float
        Amount [quote].
    currency : str
        Unit of money as ``RunContext.currency`` gives it.
    """
    return safe(money(value, "" if currency == "quote" else currency))


def safe(text: str) -> str:
    """Return a text that Matplotlib draws as it stands, dollars included."""
    return text.replace("$", r"\$")


def money_unit(quotes: Iterable[str]) -> str:
    """Return ``$`` where every quote is the dollar or a coin pegged to it.

    Else the one quote's own name, or ``quote`` where several are mixed or none is known.
    """
    names = set(quotes)
    if names and {name.upper() for name in names} <= DOLLARS:
        return "$"
    return names.pop() if len(names) == 1 else "quote"


def money_axis(ax: Axes, label: str, unit: str) -> None:
    """Label the y axis with short amounts and the unit in brackets."""

    def write(value: float, _: int | None = None) -> str:
        text = money(value).replace("-", _MINUS)
        return text if "e" not in text else f"{value:g}"

    ax.yaxis.set_major_formatter(FuncFormatter(write))
    ax.set_ylabel(f"{label} [{unit}]".replace("$", r"\$"))


class PriceFormatter(Formatter):
    """Write prices with a scale, its suffix, and as many decimals as the ticks need."""

    def __init__(self, scale: float = 1.0, suffix: str = "") -> None:
        self.scale = scale
        self.suffix = suffix
        self.places = 0

    def set_locs(self, locs: Sequence[float]) -> None:
        """Choose the fewest decimals that write every tick exactly."""
        super().set_locs(list(locs))
        scaled = np.asarray(locs, dtype=np.float64) / self.scale
        size = float(np.ptp(scaled)) if len(scaled) > 1 else 0.0
        exact = (
            n for n in range(8) if np.allclose(scaled.round(n), scaled, rtol=0, atol=1e-4 * size)
        )
        self.places = next(exact, 8) if size > 0.0 else 3

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the text of one tick."""
        number = f"{x / self.scale:,.{self.places}f}".replace("-", _MINUS)
        return number + self.suffix


def price_axis(ax: Axes, low: float, high: float, unit: str, label: str = "price") -> None:
    """Label the y axis with prices: thousands as k, tiny ones by a power of ten in the unit."""
    top = max(abs(low), abs(high))
    unit = unit.replace("$", r"\$")
    scale, suffix = 1.0, ""
    if top >= 1e4:
        scale, suffix = next((s, x) for s, x in _SCALES if top >= 10 * s)
    elif 0 < top < 1e-2:
        power = 3 * math.floor(math.log10(top) / 3)
        scale = 10.0**power
        unit = f"$10^{{{power}}}$ {unit}"
    ax.yaxis.set_major_formatter(PriceFormatter(scale, suffix))
    ax.set_ylabel(f"{label} [{unit}]")


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """The time axis of a run: UTC clock time where the scenario has a start, else elapsed time.

    Parameters
    ----------
    first, last : float
        Range shown [s since start].
    start : datetime or None
        Instant of second 0, UTC.
    """

    first: float
    last: float
    start: datetime | None = None

    @property
    def single(self) -> bool:
        """Whether the axis holds one instant only."""
        return self.last <= self.first

    def apply(self, ax: Axes, most: int = 8, labelled: bool = True) -> None:
        """Set limits, ticks and label of the x axis; data stay in seconds since start."""
        low, high = self.limits()
        ax.set_xlim(low, high)
        step = self._step(most)
        phase = self._seconds_of_day()
        first = math.ceil((self.first + phase) / step - 1e-9) * step - phase
        ticks = np.arange(first, self.last + 1e-9 * step, step)
        ticks = np.array([self.first]) if self.single or not len(ticks) else ticks
        ax.xaxis.set_major_locator(FixedLocator([float(tick) for tick in ticks]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _=None: self._text(x, step)))
        if labelled:
            ax.set_xlabel(self.label())

    def limits(self) -> tuple[float, float]:
        """Return the shown range [s]; a single instant stands in the middle of one second."""
        return (self.first - 0.5, self.first + 0.5) if self.single else (self.first, self.last)

    def label(self) -> str:
        """Return the label with its unit."""
        if self.start is None:
            return f"time since start [{self._unit()[1]}]"
        first = self.start + timedelta(seconds=self.first)
        last = max(first, self.start + timedelta(seconds=self.last - 1e-6))
        begin, end = f"{first.day}", f"{last.day} {last:%B %Y}"
        if first.date() == last.date():
            return f"time [UTC, {end}]"
        begin += f" {first:%B}" if (first.year, first.month) != (last.year, last.month) else ""
        begin += f" {first.year}" if first.year != last.year else ""
        return f"time [UTC, {begin} to {end}]"

    def _step(self, most: int) -> float:
        span = max(self.last - self.first, 0.0)
        step = next((float(s) for s in _STEPS if span / s <= most), span or 1.0)
        if span < 1.0 and span > 0.0:
            step = 10.0 ** math.floor(math.log10(span))
        if self.start is None and step > 1:  # nice in the unit shown
            unit = self._unit()[0]
            nice = [unit * n * 10.0**e for e in (0, 1, 2, 3) for n in (0.5, 1, 2, 5)]
            step = next((s for s in nice if span / s <= most), step)
        return step

    def _seconds_of_day(self) -> float:
        if self.start is None:
            return 0.0
        midnight = self.start.replace(hour=0, minute=0, second=0, microsecond=0)
        return (self.start - midnight).total_seconds()

    def _unit(self) -> tuple[float, str]:
        span = max(abs(self.first), abs(self.last))
        return next((u for u in _UNITS if span >= 3 * u[0]), _UNITS[3])

    def _text(self, seconds: float, step: float) -> str:
        if self.start is None:
            return f"{seconds / self._unit()[0]:g}".replace("-", _MINUS)
        moment = self.start + timedelta(seconds=seconds)
        days = self.last - self.first > 86400.0
        if step >= 86400:
            return f"{moment:%d %b}"
        text = f"{moment:%H:%M:%S}" if step < 60 else f"{moment:%H:%M}"
        return f"{moment:%d %b} {text}" if days and step >= 43200 else text


def instant(text: str | None) -> datetime | None:
    """Return an ISO-8601 instant as UTC; one without a zone is taken as UTC."""
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
