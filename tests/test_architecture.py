import ast
import subprocess
import sys
from pathlib import Path

import pytest

import apportion

SOURCES = sorted(Path(apportion.__file__).parent.rglob("*.py"))
HEAVY = (
    "torch",
    "transformers",
    "datasets",
    "pandas",
    "altair",
    "ray",
    "sklearn",
    "pyarrow",
    "typer",
    "rich",
    "pydantic",
)


@pytest.mark.parametrize(
    "module", ["apportion", "apportion.policies", "apportion.signals", "apportion.sim", "apportion.estimators"]
)
def test_imports_are_light(module):
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def names_used(tree):
    return {ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SOURCES[0].parent)))
def test_no_global_random_generator_no_pickle_no_assert_on_input(path):
    tree = ast.parse(path.read_text())
    used = names_used(tree)
    forbidden = {
        f"np.random.{word}"
        for word in ("seed", "rand", "randn", "choice", "normal", "random", "shuffle", "permutation")
    }
    assert not used & forbidden
    imports = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imports |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert not imports & {"pickle", "dill", "cloudpickle", "joblib", "random"}


def test_no_module_hides_one_of_the_standard_library():
    public = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert not {path.stem for path in SOURCES} & public


@pytest.mark.parametrize("policy_or_signal", ["policies", "signals"])
def test_every_component_says_where_it_comes_from(policy_or_signal):
    module = __import__(f"apportion.{policy_or_signal}", fromlist=["x"])
    for cls in module.POLICIES if policy_or_signal == "policies" else module.SIGNALS:
        assert cls.source, cls
        assert cls.__doc__, cls
        assert not cls.__doc__.startswith(cls.__name__ + "("), f"{cls} has only the docstring that dataclass makes"
