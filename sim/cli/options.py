"""Options that several verbs share, and the reading of their values."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
ScenarioFile = Annotated[
    str,
    typer.Argument(metavar="FILE", help="Scenario file, or the name of a bundled scenario."),
]


def pairs(texts: Iterable[str], option: str, example: str) -> dict[str, str]:
    """Return ``name=value`` options as a mapping; the last one of a name counts.

    Raises
    ------
    typer.BadParameter
        If a text has no ``=`` or nothing before it.
    """
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise typer.BadParameter(f"'{text}' is not {example}", param_hint=option)
        found[name.strip()] = value.strip()
    return found


def positive(name: str, text: str, option: str) -> float:
    """Return a number above zero, such as ``121000``, ``121_000`` or ``1.21e5``.

    Raises
    ------
    typer.BadParameter
        If the text is something else.
    """
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number > 0):
        message = f"'{text}' for {name} is not a price; allowed: a finite number above 0"
        raise typer.BadParameter(message, param_hint=option)
    return number


def result_folder(path: Path) -> Path:
    """Return a folder that results can go to, made or not.

    Raises
    ------
    typer.BadParameter
        If the path, or the nearest part of it that exists, is not a folder.
    """
    place = path
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise typer.BadParameter(f"'{place}' is a file, not a folder", param_hint="--out")
    return path


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word most like a misspelt one, or None if none is like it."""
    words = list(known)
    folded = {known_word.lower(): known_word for known_word in words}
    near = difflib.get_close_matches(word.lower(), folded, n=1, cutoff=0.5)
    return folded[near[0]] if near else None


def no_such(kind: str, word: str, known: Iterable[str]) -> str:
    """Return the message for an unknown name, with the nearest one or all there are."""
    words = list(known)
    near = nearest(word, words)
    if near is not None:
        return f"no {kind} '{word}'; did you mean '{near}'?"
    return f"no {kind} '{word}'; there are: {', '.join(words[:20]) or 'none'}"
