"""Reading YAML 1.2 into plain values, with the place of every key."""

from __future__ import annotations

import io
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean

from sim.core.errors import Problem, ScenarioError
from sim.schema.base import show
from sim.schema.locator import KeyPath, Place

MOST_VALUES = 300_000
"""Values a file may expand to through its anchors."""

REMEMBERED = range(200, 100_000)
"""Characters of a text whose tree is kept, in case it is read again: no single value, no book."""


def _fail(
    file: str,
    found: str,
    allowed: str,
    line: int | None = None,
    column: int | None = None,
    path: str = "file",
) -> NoReturn:
    raise ScenarioError(Problem(file, line, column, path, found, allowed))


def read_text(path: Path, file: str) -> str:
    """Return the text of a file.

    Raises
    ------
    ScenarioError
        If it is missing, a folder, unreadable or not UTF-8.
    """
    if path.is_dir():
        _fail(file, "a folder", "a YAML file")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        _fail(file, "no such file", "an existing YAML file")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        _fail(file, f"a file that cannot be read ({reason})", "a readable YAML file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        _fail(
            file,
            f"the byte 0x{data[error.start]:02x}, which is not UTF-8",
            "text in UTF-8",
            line,
            column,
        )


def parse_yaml(text: str, file: str) -> Any:
    """Return ruamel's round-trip value of a YAML document, to be read and not changed.

    The last few are remembered: a scenario is often read again with other values set.

    Raises
    ------
    ScenarioError
        For text that is not one YAML document, with line and column.
    """
    try:
        return _recent_tree(text) if len(text) in REMEMBERED else _tree(text)
    except DuplicateKeyError as error:
        mark = error.problem_mark
        key = str(error.problem).split('"')[1] if '"' in str(error.problem) else "?"
        _fail(
            file,
            f"the key '{key}' a second time",
            "each key once in a mapping",
            mark.line + 1,
            mark.column + 1,
            key,
        )
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(str(error.problem or error.context or "unreadable text").split())
        line = mark.line + 1 if mark is not None else None
        column = mark.column + 1 if mark is not None else None
        _fail(file, f"text that is not YAML: {what}", "a YAML 1.2 document", line, column)
    except (YAMLError, ValueError) as error:
        first = " ".join(str(error).split())
        _fail(file, f"text that is not YAML: {first}", "a YAML 1.2 document")
    except RecursionError:
        _fail(file, "values nested too deeply", "a document of less depth")


def _tree(text: str) -> Any:
    return YAML(typ="rt", pure=True).load(io.StringIO(text))


_recent_tree = lru_cache(maxsize=16)(_tree)


def plain(value: Any, file: str) -> tuple[Any, dict[tuple[str, ...], Place]]:
    """Return plain Python values and the place of each key path.

    Raises
    ------
    ScenarioError
        For an anchor that contains itself, or anchors that expand without measure.
    """
    walker = _Plain(file)
    result = walker.walk(value, (), ())
    return result, walker.places


class _Plain:
    """One walk over a round-trip value."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[tuple[str, ...], Place] = {}
        self.count = 0

    def walk(self, value: Any, path: KeyPath, open_ids: tuple[int, ...]) -> Any:
        self.count += 1
        if self.count > MOST_VALUES:
            _fail(
                self.file,
                "anchors that expand to a very large file",
                f"at most {MOST_VALUES} values",
            )
        if isinstance(value, (CommentedMap, CommentedSeq)):
            if id(value) in open_ids:
                _fail(
                    self.file,
                    "an anchor that contains itself",
                    "anchors without cycles",
                    path=dotted(path),
                )
            if not path:
                self.places[()] = Place(*_start(value), *_start(value))
            open_ids = (*open_ids, id(value))
            if isinstance(value, CommentedMap):
                return self._mapping(value, path, open_ids)
            return self._sequence(value, path, open_ids)
        if isinstance(value, TaggedScalar) and str(value.tag.value).endswith(":str"):
            return str(value.value)
        scalar = _scalar(value)
        if scalar is not None and not isinstance(scalar, (bool, int, float, str, date)):
            _fail(self.file, "a value with a tag", "values without tags", path=dotted(path))
        return scalar

    def _mapping(self, value: CommentedMap, path: KeyPath, open_ids: tuple[int, ...]) -> Any:
        result = {}
        marks = value.lc.data or {}
        for raw, item in value.items():
            key = _key(raw, self.file, path)
            here = (*path, key)
            if raw in marks:
                line, column, value_line, value_column = marks[raw][:4]
                self.places[tuple(map(str, here))] = Place(
                    line + 1, column + 1, value_line + 1, value_column + 1
                )
            result[key] = self.walk(item, here, open_ids)
        return result

    def _sequence(self, value: CommentedSeq, path: KeyPath, open_ids: tuple[int, ...]) -> Any:
        marks = value.lc.data or {}
        result = []
        for number, item in enumerate(value):
            here = (*path, number)
            if number in marks:
                line, column = marks[number][:2]
                self.places[tuple(map(str, here))] = Place(
                    line + 1, column + 1, line + 1, column + 1
                )
            result.append(self.walk(item, here, open_ids))
        return result


def _start(value: CommentedMap | CommentedSeq) -> tuple[int, int]:
    line, column = value.lc.line, value.lc.col
    return (line or 0) + 1, (column or 0) + 1


def _key(raw: Any, file: str, path: KeyPath) -> str | int | float:
    key = _scalar(raw)
    if isinstance(key, (str, int, float)) and not isinstance(key, bool):
        return str(key) if isinstance(key, str) else key
    _fail(file, f"the key {show(key)}", "text as a key (put it in quotes)", path=dotted(path))


def _scalar(value: Any) -> Any:
    """Return a scalar without ruamel's formatting."""
    if isinstance(value, (bool, ScalarBoolean)):
        return bool(value)
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return value


def dotted(path: KeyPath) -> str:
    """Return a key path as text, such as ``shocks.0.return``."""
    return ".".join(str(part) for part in path) or "file"
