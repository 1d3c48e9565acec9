"""``liqsim schema``: the JSON Schema of a scenario file."""

from __future__ import annotations

from sim.cli.console import emit_json


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors."""
    from sim.schema import json_schema

    emit_json(json_schema())
