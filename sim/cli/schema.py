"""``liqsim schema``: the JSON Schema of a scenario file."""

from __future__ import annotations

from sim.cli.console import emit


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from sim.schema.json_schema import json_schema_text

    emit(json_schema_text())
