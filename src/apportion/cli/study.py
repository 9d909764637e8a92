"""`apportion study`: the package's own studies, each reproduced by one command. One file for each study."""

from __future__ import annotations

import typer

from .study_synthetic import synthetic

study_app = typer.Typer(no_args_is_help=True, help="Reproduce the studies that the package rests on.")
study_app.command("synthetic")(synthetic)
