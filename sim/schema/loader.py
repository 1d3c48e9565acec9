"""Loading scenarios: file to checked `Scenario`, every mistake with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from sim.core.errors import Problem, ScenarioError
from sim.schema.base import show
from sim.schema.experiment import Experiment
from sim.schema.experiment_calibrate import Scorecard
from sim.schema.locator import Source
from sim.schema.overrides import apply_overrides
from sim.schema.problems import problems_of
from sim.schema.scenario import Scenario
from sim.schema.yamlfile import parse_yaml, plain, read_text


def load(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Scenario:
    """Load a scenario file.

    Parameters
    ----------
    path : str or Path
        YAML file.
    overrides : mapping, optional
        Values by dotted path, such as ``{"shocks.0.return": "-0.2"}``; text is read as YAML.

    Raises
    ------
    ScenarioError
        With every mistake found: file, line, column, path, what was found and is allowed.
    """
    path = Path(path)
    return load_text(read_text(path, str(path)), str(path), path.parent, overrides)


def load_text(
    text: str,
    file: str = "<string>",
    base_dir: str | Path = ".",
    overrides: Mapping[str, Any] | None = None,
) -> Scenario:
    """Load a scenario from YAML text; paths in it are relative to `base_dir`.

    Raises
    ------
    ScenarioError
        As :func:`load`.
    """
    data, places = plain(parse_yaml(text, file), file)
    return load_mapping(data, base_dir, overrides, Source(file, Path(base_dir), places))


def load_mapping(
    data: Any,
    base_dir: str | Path = ".",
    overrides: Mapping[str, Any] | None = None,
    source: Source | None = None,
) -> Scenario:
    """Load a scenario from plain values, such as those of a manifest.

    Raises
    ------
    ScenarioError
        As :func:`load`, without line and column.
    """
    source = source or Source("<mapping>", Path(base_dir))
    _need_mapping(data, source, Scenario)
    changed = source.overridden
    if overrides:
        data, changed = apply_overrides(data, overrides)
    source = Source(source.file, source.base_dir, source.places, changed)
    try:
        scenario = Scenario.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ScenarioError(problems_of(error, data, source)) from None
    scenario._source = source
    return scenario


def load_experiment(path: str | Path) -> Experiment:
    """Load an experiment file; the scenario it names is not read yet.

    Raises
    ------
    ScenarioError
        As :func:`load`.
    """
    path = Path(path)
    data, places = plain(parse_yaml(read_text(path, str(path)), str(path)), str(path))
    source = Source(str(path), path.parent, places)
    _need_mapping(data, source, Experiment)
    try:
        experiment = Experiment.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ScenarioError(problems_of(error, data, source, Experiment)) from None
    experiment._source = source
    return experiment


def load_scorecard(path: str | Path, file: str | None = None) -> Scorecard:
    """Load the targets of a calibration; `file` is how messages name the file.

    Raises
    ------
    ScenarioError
        As :func:`load`.
    """
    path, file = Path(path), file or str(path)
    data, places = plain(parse_yaml(read_text(path, file), file), file)
    source = Source(file, path.parent, places)
    _need_mapping(data, source, Scorecard)
    try:
        scorecard = Scorecard.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        raise ScenarioError(problems_of(error, data, source, Scorecard)) from None
    scorecard._source = source
    return scorecard


def _need_mapping(data: Any, source: Source, root: type[BaseModel]) -> None:
    if not isinstance(data, dict):
        line, column = source.place(())
        found = "an empty file" if data is None else show(data)
        allowed = "a mapping with keys " + ", ".join(root.model_fields)
        raise ScenarioError(Problem(source.file, line, column, "file", found, allowed))
    if root is not Scorecard:
        _need_kind(data, source, root)


MARKS: dict[type[BaseModel], tuple[str, str, str]] = {
    Scenario: ("markets", "a scenario", "run"),
    Experiment: ("metrics", "an experiment", "sweep"),
}
"""Key that one kind of file needs and the other has not; its kind; the verb for it."""


def _need_kind(data: dict[str, Any], source: Source, root: type[BaseModel]) -> None:
    """Refuse a scenario in place of an experiment, and the other way round."""
    for other, (key, found, verb) in MARKS.items():
        if other is not root and key in data and MARKS[root][0] not in data:
            line, column = source.place((key,))
            allowed = f"{MARKS[root][1]}; '{source.file}' is for 'liqsim {verb}'"
            raise ScenarioError(Problem(source.file, line, column, "file", found, allowed))
