"""A diagnostic as whoever wrote the manifest knows its files.

calamari's own files, gone when anybody looks, are called by what the manifest says in their place.
Out of a file of values nothing is quoted: which of them are secret only the configuration says, and
nobody has read that before there is a plan.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from calamari_py.steps.terraform.commands.files import APPLY_VARIABLES, PrivateFiles
from calamari_py.steps.terraform.spec import TerraformSpec
from calamari_py.steps.terraform.values import Diagnostic

VARIABLES = "terraform.variables"
_VALUES = (".tfvars", ".tfvars.json", ".tfbackend", ".tfbackend.json")
_POSITION = r"(?::\d+,\d+(?:-\d+(?:,\d+)?)?)?"
"""How Terraform says where in a file: ``:4,9-23``."""
_MISPLACED = re.compile(
    r"\s*To retry writing this state, use the following command:\s+\S+ state push errored\.tfstate"
    r"|\s*To silence these warnings, use TF_VAR_.*",
    re.DOTALL,
)
"""Advice that does not work here: the file is kept elsewhere, and no inherited TF_VAR_ counts."""


class Sources:
    """The files of one root module. `private` are those that calamari has written, each with what
    it is called, `values` those that hold values of variables. Without a `directory`, the root
    module's, files are named as Terraform names them."""

    def __init__(
        self,
        directory: Path | None = None,
        *,
        private: Mapping[Path, str] | None = None,
        values: Sequence[Path] = (),
    ) -> None:
        self._folders = [] if directory is None else list(dict.fromkeys(_forms(directory)))
        self._private = {form: name for path, name in (private or {}).items()
                         for form in _forms(path)}  # fmt: skip
        self._values = {form for path in values for form in _forms(path)}
        self._renamed = {
            said: name
            for form, name in [
                *self._private.items(),
                *((form, self._relative(form)) for form in self._values),
            ]
            for said in (form, *self._seen_from_folders(form))
        }

    def seen(self, diagnostic: Diagnostic) -> Diagnostic:
        """The same, with names that people know, and nothing quoted that may be secret."""
        found = replace(
            diagnostic,
            summary=self._said(diagnostic.summary),
            detail=self._said(_MISPLACED.sub("", diagnostic.detail)),
            file=self._relative(diagnostic.file),
        )
        paths = set(self._whole(diagnostic.file))
        for path in paths & self._private.keys():
            return replace(_unquoted(found), file=self._private[path], line=None)
        if paths & self._values or diagnostic.file.endswith(_VALUES):
            return _unquoted(found)
        return found

    def _said(self, text: str) -> str:
        # The longest first: one path may end in another, as seen from elsewhere.
        for path in sorted(self._renamed, key=len, reverse=True):
            if path in text:
                text = _renamed(text, path, self._renamed[path])
        return text

    def _whole(self, file: str) -> Iterator[str]:
        """What path `file` may be: Terraform names it as seen from the folder, if it likes."""
        if file:
            yield os.path.normpath(file)
            yield from (os.path.normpath(os.path.join(folder, file)) for folder in self._folders)

    def _relative(self, file: str) -> str:
        if not os.path.isabs(file):
            return file
        for folder in self._folders:
            if file in self._values or Path(file).is_relative_to(folder):
                return os.path.relpath(file, folder)
        return file

    def _seen_from_folders(self, path: str) -> Iterator[str]:
        yield from (os.path.relpath(path, folder) for folder in self._folders)


def sources_of(spec: TerraformSpec, files: PrivateFiles) -> Sources:
    """Those of a step."""
    private = {files.plan: "the plan", files.folder / APPLY_VARIABLES: VARIABLES}
    if files.variables is not None:
        private[files.variables] = VARIABLES
    if files.backend is not None:
        private[files.backend] = "terraform.backend"
    return Sources(spec.directory, private=private, values=spec.variable_files)


def _forms(path: Path) -> Iterator[str]:
    """As it was given and as it really is."""
    yield os.path.abspath(path)
    yield os.path.realpath(path)


def _renamed(text: str, path: str, name: str) -> str:
    """A place in a file that nobody has is no place."""
    position = "" if os.path.basename(name) == os.path.basename(path) else _POSITION
    return re.sub(rf"(?<![\w./-]){re.escape(path)}{position}", lambda _: name, text)


def _unquoted(diagnostic: Diagnostic) -> Diagnostic:
    return replace(diagnostic, snippet=(), snippet_line=None, highlight=None, values=())
