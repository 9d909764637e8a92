"""The command `apportion`: one file for each sub-command."""

import typer

from .._version import __version__
from .check import check
from .compare import compare, demo
from .evaluate import evaluate
from .forecast import forecast
from .listing import list_app
from .log import log_app
from .plan import plan
from .report import report
from .simulate import simulate
from .study import study_app
from .train import train
from .tune import tune

app = typer.Typer(
    name="apportion",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Decides how much of a training budget each task of a multitask model gets, and says what it bought."""


app.command()(train)
app.command()(check)
app.command()(compare)
app.command()(simulate)
app.command()(tune)
app.command()(plan)
app.command()(forecast)
app.command()(evaluate)
app.command()(report)
app.command()(demo)
app.add_typer(list_app, name="list")
app.add_typer(log_app, name="log")
app.add_typer(study_app, name="study")


def main() -> None:
    """Entry point of the command."""
    app()
