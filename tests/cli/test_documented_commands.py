"""Commands in the pages for users: they exist, so do their options, and their policies and settings can be read."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from apportion.cli import app
from apportion.cli.simulate import split_list
from apportion.cli.train import configuration, parsed_settings
from apportion.policies import policies

PAGES = ("questions.md", "report.md", "studies.md")
DOCS = Path(__file__).parents[2] / "docs"


def commands():
    for page in PAGES:
        for block in re.findall(r"```(?:sh|console)?\n(.*?)```", (DOCS / page).read_text(), flags=re.DOTALL):
            yield from (
                pytest.param(line.removeprefix("$ "), id=f"{page}: {line[:60]}")
                for line in block.splitlines()
                if line.removeprefix("$ ").startswith("apportion ")
            )


def values(words, *names):
    return [words[place + 1] for place, word in enumerate(words) if word in names]


@pytest.mark.parametrize("line", list(commands()))
def test_a_documented_command_can_be_read(line):
    words = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("apportion", list(words))
    lists = [spec for text in values(words, "--policies") for spec in split_list(text)]
    for spec in [*values(words, "--policy"), *lists]:
        policies.make(spec)
    if command.name in ("train", "compare"):
        configuration(words[0], parsed_settings(values(words, "--set")))
