"""`apportion study`: the package's own studies, each reproduced by one command. One file for each study."""

from __future__ import annotations

import typer

from .study_real import digits, falsify, glue
from .study_reality import reality
from .study_synthetic import synthetic

study_app = typer.Typer(no_args_is_help=True, help="Reproduce the studies that the package rests on.")
study_app.command("synthetic")(synthetic)
study_app.command("digits")(digits)
study_app.command("glue")(glue)
study_app.command("falsify")(falsify)
study_app.command("reality")(reality)
