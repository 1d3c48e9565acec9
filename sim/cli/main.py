"""The command ``liqsim`` and its verbs."""

from __future__ import annotations

import atexit
import difflib
import gc
import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sim.cli import (
    calibrate,
    cascade,
    compare,
    discover,
    doctor,
    margin,
    optimise,
    replay,
    reverse,
    run,
    schema,
    sensitivity,
    show,
    sweep,
    validate,
    whatif,
)
from sim.cli import list as listing
from sim.cli.guard import INTERRUPTED, guarded
from sim.cli.interrupting import heard

GARBAGE = 200_000
"""Objects that may pile up before the command looks for garbage."""


class Verbs(TyperGroup):
    """The verbs, with ``--debug`` accepted anywhere and every error made a message."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move ``--debug`` to the front, where it belongs to the command itself."""
        end = args.index("--") if "--" in args else len(args)
        flags = [word for word in args[:end] if word == "--debug"]
        others = [word for word in args[:end] if word != "--debug"] + args[end:]
        return super().parse_args(ctx, flags[:1] + others)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find the verb; name the nearest one for a misspelt verb."""
        word = args[0]
        if self.get_command(ctx, word) is None and not word.startswith("-"):
            ctx.fail(_unknown_verb(word, self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb under the guard that turns errors into messages and exit codes."""
        with guarded(bool(ctx.params.get("debug"))), heard():
            return super().invoke(ctx)


def _unknown_verb(word: str, verbs: list[str]) -> str:
    if word.endswith((".yaml", ".yml")):
        return f"'{word}' is a file, not a verb. Did you mean 'liqsim run {word}'?"
    near = difflib.get_close_matches(word.lower(), verbs, n=1, cutoff=0.4)
    if near:
        return f"No such verb '{word}'. Did you mean '{near[0]}'?"
    return f"No such verb '{word}'. Verbs: {', '.join(verbs)}."


app = typer.Typer(
    name="liqsim",
    cls=Verbs,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=(
        "Exit codes: 0 ok, 1 the run failed, 2 usage, 3 invalid scenario or book, "
        "4 --fail-if breached, 5 replay mismatch, 130 interrupted."
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        from sim.core.version import distribution_version

        typer.echo(f"liqsim {distribution_version()}")
        raise typer.Exit


@app.callback()
def _command(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error; allowed anywhere.")
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Simulate systemic liquidation: margin, forced orders and cascades across venues."""


app.command("run")(run.run)
app.command("validate")(validate.validate)
app.command("sweep")(sweep.sweep)
app.command("query")(sweep.query)
app.command("compare")(compare.compare)
app.command("reverse")(reverse.reverse)
app.command("optimise")(optimise.optimise)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("discover")(discover.discover)
app.command("calibrate")(calibrate.calibrate)
app.command("margin")(margin.margin)
app.command("whatif")(whatif.whatif)
app.command("list")(listing.list_bundled)
app.command("show")(show.show)
app.command("cascade")(cascade.cascade)
app.command("replay")(replay.replay)
app.command("schema")(schema.schema)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command on the arguments of the process and exit with its code."""
    # Imports make hundreds of thousands of objects that stay; looking through them again and
    # again for garbage takes longer than all that a command ever throws away.
    gc.set_threshold(GARBAGE)
    try:
        app(prog_name="liqsim")
    except KeyboardInterrupt:
        _leave(INTERRUPTED)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        _leave(end.code or 0)


def _leave(code: int) -> None:
    """End the process now that everything is written.

    Python would first take everything apart, object by object, which takes as long as a small run.
    """
    atexit._run_exitfuncs()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):  # no stream, or nobody reads it
        sys.exit(code)
    os._exit(code)
