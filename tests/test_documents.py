import importlib
import importlib.util
import inspect
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["commands.md", "configuration.md", "policies.md", "library.md"])
def test_pages_made_from_the_code_are_fresh(reference, name):
    assert (ROOT / "docs" / name).read_text() == reference.PAGES[name](), "run `python docs/make_reference.py`"


def test_every_public_name_says_what_it_is(reference):
    for module_name in reference.PUBLIC:
        module = importlib.import_module(module_name)
        for name in getattr(module, "__all__", []):
            item = getattr(module, name)
            if inspect.isclass(item) or inspect.isfunction(item):
                assert item.__doc__, f"{module_name}.{name}"
                assert not item.__doc__.startswith(f"{name}("), f"{module_name}.{name} has only what dataclass writes"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (page.parent / target).exists(), target


def test_the_loop_in_the_readme_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    seen = []

    def train_step(model, task, batch):
        seen.append((model, task, batch))
        return 1.0 / len(seen)

    names = {"cola_batches": [[1, 2], [3]], "rte_batches": [[4]], "model": "model", "train_step": train_step}
    exec(code.replace("10_000", "50"), names)
    assert len(seen) == 50
    assert (tmp_path / "decisions.jsonl").is_file()


def test_the_readme_names_only_commands_that_exist():
    from typer.testing import CliRunner

    from apportion.cli import app

    for line in re.findall(r"^apportion (.*?)(?:\s+#.*)?$", (ROOT / "README.md").read_text(), flags=re.MULTILINE):
        words = line.split()
        command = words[:2] if words[0] in ("list", "log", "study") else words[:1]
        text = CliRunner().invoke(app, [*command, "--help"])
        assert text.exit_code == 0, command
        for option in re.findall(r"--[a-z-]+", line):
            assert option in re.sub(r"\s+", "", text.output) or option in text.output, (command, option)
