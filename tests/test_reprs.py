"""P19: no repr of a value that calamari makes shows what may hold a secret."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator

import pytest

import calamari_py

_HOLDING = {
    "environ", "environment", "values", "sensitive", "overrides", "variables", "text",
}  # fmt: skip
"""Names of fields that hold a whole environment, variables' values or a rendered text."""
_PLAIN = ("Mapping[str, str]", "dict[str, str]", "bytes | None", "bytes", "tuple[str, ...]")
"""Types that show what they hold."""


def _fields(*, of_sandbox: bool) -> Iterator[tuple[str, dataclasses.Field[object]]]:
    """Each such field with its name, of the sandbox, which imports moto for seconds, or of all
    else."""
    for found in pkgutil.walk_packages(calamari_py.__path__, "calamari_py."):
        if "step_templates" in found.name or ".support" in found.name or "__main__" in found.name:
            continue
        if found.name.startswith("calamari_py.sandbox.") is not of_sandbox:
            continue
        module = importlib.import_module(found.name)
        for name, kind in vars(module).items():
            own = isinstance(kind, type) and kind.__module__ == found.name
            if not own or not dataclasses.is_dataclass(kind):
                continue
            for field in dataclasses.fields(kind):
                if field.name in _HOLDING and str(field.type) in _PLAIN:
                    yield f"{found.name}.{name}.{field.name}", field


@pytest.mark.parametrize(
    "field", [pytest.param(field, id=name) for name, field in _fields(of_sandbox=False)]
)
def test_not_in_the_repr(field: dataclasses.Field[object]) -> None:
    """A traceback with locals, a debugger and a careless f-string show nothing of it."""
    assert not field.repr


@pytest.mark.sandbox
def test_not_in_the_repr_of_the_sandbox() -> None:
    """The same of the embedded AWS."""
    assert [name for name, field in _fields(of_sandbox=True) if field.repr] == []
