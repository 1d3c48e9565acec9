"""``liqsim schema``: the JSON Schema of the files a user writes."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from sim.cli.console import emit


class Kind(StrEnum):
    """Files that have a schema."""

    SCENARIO = "scenario"
    EXPERIMENT = "experiment"
    SCORECARD = "scorecard"


def schema(
    of: Annotated[
        Kind, typer.Argument(metavar="[scenario|experiment|scorecard]", help="Which files.")
    ] = Kind.SCENARIO,
) -> None:
    """Print the JSON Schema of a kind of file, for editors."""
    from sim.schema.json_schema import json_schema_text

    emit(json_schema_text(of.value))
