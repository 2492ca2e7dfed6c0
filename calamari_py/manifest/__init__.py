"""Bytes of a manifest become a frozen `StepManifest`, or every problem at once with its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from calamari_py.manifest.loaded import LoadedManifest, Overrides
from calamari_py.manifest.loading import load
from calamari_py.manifest.source import Source, read_source
from calamari_py.manifest.types import StepManifest
from calamari_py.variables import LateValue, LateVariable, Variable, VariableSet

__all__ = [
    "LateValue",
    "LateVariable",
    "LoadedManifest",
    "Overrides",
    "Source",
    "StepManifest",
    "Variable",
    "VariableSet",
    "load",
    "read_source",
    "schema",
]


def schema(sections: Mapping[str, Any], finally_section: Any) -> dict[str, Any]:
    """The manifest's JSON Schema (2020-12), made from the types that parse it."""
    from calamari_py.manifest.json_schema import build_schema

    return build_schema(sections, finally_section)
