"""load(): a source becomes a `LoadedManifest`, or a ManifestError with every problem."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from calamari_py.errors import ManifestError, Problem
from calamari_py.manifest.checks import check_fields, check_metadata
from calamari_py.manifest.convert import BAD, Converter
from calamari_py.manifest.definitions import (
    Definition,
    merge,
    read_overrides,
    read_section,
    read_variable_file,
    secret_environment_names,
)
from calamari_py.manifest.exposed import exposed_definitions
from calamari_py.manifest.launcher_files import environment_files, ids_of, launchers_file, lies_in
from calamari_py.manifest.launcher_only import (
    SECRET_FIELDS,
    LauncherOnly,
    LauncherSecrets,
    handed_over,
    launcher_secrets,
)
from calamari_py.manifest.loaded import LoadedManifest, Overrides
from calamari_py.manifest.nodes import (
    Malformed,
    Node,
    Place,
    Scalar,
    Sequence,
    nearest_place,
    parse_document,
)
from calamari_py.manifest.nodes import Mapping as MappingNode
from calamari_py.manifest.report import Report
from calamari_py.manifest.shapes import fields_of
from calamari_py.manifest.source import Source
from calamari_py.manifest.token_from import with_octopus_token
from calamari_py.manifest.types import (
    Account,
    ManifestFile,
    StepManifest,
    TokenFrom,
    as_account,
    as_hops,
)
from calamari_py.manifest.values import Reader, Values
from calamari_py.masking.secret import Secret
from calamari_py.templates import METADATA, Rendered, TemplateFault, Unavailable
from calamari_py.variables import LateValue, VariableSet

FINALLY = "finally"
ALL_KINDS = ("script", "cloudformation", "terraform", "kubectl", "helm", "template")
"""The step kinds of the format; which of them there are is said by the caller's sections."""
FurtherProblems = Callable[[Mapping[str, Any]], Iterable[Problem]]
"""What is wrong with the parsed values of some top-level keys, by key."""


def load(
    source: Source,
    *,
    sections: Mapping[str, Any],
    finally_section: Any,
    environ: Mapping[str, str],
    cwd: Path,
    overrides: Overrides | None = None,
    also: FurtherProblems | None = None,
) -> LoadedManifest:
    """The step that `source` describes.

    `sections` maps the name of each step kind to the type of its section, `finally_section` is
    the type of ``finally``. `environ` is what ``from_env`` reads. When there are problems, `also`
    is asked what else is wrong with the keys that could be parsed, so that all is told at once.
    Raises ManifestError with all problems, FileMissing when nothing is wrong but files that are
    not there.
    """
    report = Report(source.name)
    try:
        root = parse_document(source.text, source.name, report.problems)
    except Malformed as error:
        report.problems.extend(error.problems)
        raise report.error() from None
    if not isinstance(root, MappingNode):
        place = Place(source.name) if root is None else root.place
        message = "the manifest is empty" if root is None else "must be a mapping of keys"
        report.add(place, "", message, "begin with 'name: …'")
        raise report.error()
    plan = _Plan(
        source=source,
        root=root,
        sections=sections,
        finally_section=finally_section,
        environ=environ,
        overrides=overrides or Overrides(),
        also=also,
    )
    plan.read_definitions(report, cwd)
    return plan.run(report, {})


class _Plan:
    """Everything that was read for one manifest; `run` renders it, as often as needed."""

    def __init__(
        self,
        *,
        source: Source,
        root: MappingNode,
        sections: Mapping[str, Any],
        finally_section: Any,
        environ: Mapping[str, str],
        overrides: Overrides,
        also: FurtherProblems | None,
    ) -> None:
        self.source = source
        self.also = also
        self.root = with_octopus_token(root)
        self.sections = sections
        self.finally_section = finally_section
        self.environ = environ
        self.overrides = overrides
        self.definitions: dict[str, Definition] = {}
        self.exposed: tuple[str, ...] = ()
        self.scrub_names: frozenset[str] = frozenset()
        self.launcher = LauncherSecrets(names=frozenset(), files=())
        self.reader = Reader(environ, source.folder)

    def read_definitions(self, report: Report, cwd: Path) -> None:
        """Read every variable's definition, in the order in which a later one wins."""
        manifest = list(read_section(self.root.get("variables"), report, data=False))
        command_line = list(read_overrides(self.overrides, report))
        files = self._named_files(report, merge((manifest, command_line)))
        given = [
            read_variable_file(cwd / name, name, Place("--var-file"), name, report)
            for name in self.overrides.variable_files
        ]
        layers = [*files, manifest, *given, command_line]
        self.definitions = merge(layers)
        account = self.root.get("account")
        self._expose(account)
        self.launcher = self._launcher_secrets(self.definitions)
        for name in self.launcher.names:
            self.definitions[name] = replace(self.definitions[name], sensitive=True)
        self.scrub_names = secret_environment_names(layers, self.definitions)

    def _launcher_secrets(self, definitions: Mapping[str, Definition]) -> LauncherSecrets:
        values = self._values(Report(self.source.name), definitions, {})
        return launcher_secrets(self.root.get("account"), values, definitions, self.environ)

    def _expose(self, account: Node | None) -> None:
        """What ``account.expose_to_step`` adds; a variable that somebody defined stays theirs."""
        values = self._values(Report(self.source.name), self.definitions, {})
        for definition in exposed_definitions(account, values):
            if definition.name not in self.definitions:
                self.definitions[definition.name] = definition
                self.exposed = (*self.exposed, definition.name)

    def _named_files(
        self, report: Report, known: Mapping[str, Definition]
    ) -> list[list[Definition]]:
        """The files of ``variable_files``; their names may use all but what stands in them."""
        node = self.root.get("variable_files")
        if node is None:
            return []
        values = self._values(report, known, {})
        type_ = fields_of(ManifestFile)["variable_files"].type
        names = Converter(report, values.read).convert(node, type_, "variable_files")
        if names is BAD or not isinstance(node, Sequence):
            return []
        known_files = self._launcher_secrets(known).files
        launchers = ids_of((*environment_files(self.environ), *known_files))
        found = []
        for index, (name, item) in enumerate(zip(names, node.items, strict=True)):
            path, at = self.source.folder / name, f"variable_files[{index}]"
            if lies_in(path, launchers):
                report.add(item.place, at, *launchers_file(name))
            else:
                found.append(read_variable_file(path, name, item.place, at, report))
        return found

    def _values(
        self,
        report: Report,
        definitions: Mapping[str, Definition],
        late: Mapping[str, LateValue],
    ) -> Values:
        metadata: dict[str, Scalar | str] = {}
        for name in METADATA:
            node = self.root.get(name)
            if isinstance(node, Scalar) and (node.quoted or node.kind != "null"):
                metadata[name] = node
        if "region" not in metadata and (region := self._default_region()):
            metadata["region"] = region
        return Values(
            definitions=definitions,
            metadata=metadata,
            late=late,
            reader=self.reader,
            report=report,
        )

    def _default_region(self) -> str | None:
        for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            if self.environ.get(name, "").strip():
                return self.environ[name].strip()
        return self.overrides.region

    def run(self, report: Report, late: Mapping[str, LateValue]) -> LoadedManifest:
        """Render and parse everything, with `late` filled in. Raises ManifestError."""
        values = self._values(report, self.definitions, late)
        converter = Converter(report, values.read)
        fields = self._convert(converter, report)
        kind = self._kind(fields, report)
        waiting = values.late_variables()
        values.finish()
        only = LauncherOnly(
            values,
            self.definitions,
            fields.get("account"),
            secrets=self.launcher.names,
            exposed=self.exposed,
        )
        check_metadata(converter.places, values.secret_paths(), report)
        for path, names in only.leaks():
            if not report.has(path):
                report.add(converter.places[path], path, *handed_over(names))
        check_fields(
            converter.parsed,
            root=self.root,
            late=bool(waiting),
            places=converter.places,
            hidden=values.secret_paths(),
            report=report,
        )
        if report.problems and self.also is not None:
            self._add_further(self.also, fields, converter.places, values, report)
        report.raise_if_any()
        return self._loaded(
            values, fields, kind=kind, places=converter.places, late=late, only=only
        )

    def _add_further(
        self,
        also: FurtherProblems,
        fields: Mapping[str, Any],
        places: Mapping[str, Place],
        values: Values,
        report: Report,
    ) -> None:
        # Nothing is registered with a masker yet, so what may quote a secret is left out.
        unsaid = values.secret_paths() | values.late_paths()
        parsed = {key: value for key, value in fields.items() if value is not BAD}
        env = self.root.get("env")
        if isinstance(env, MappingNode):
            parsed.setdefault("env", dict.fromkeys(env.entries, ""))
        for problem in also(parsed):
            place = nearest_place(places, problem.path)
            if place and problem.path not in unsaid and not report.has(problem.path):
                report.add(place, problem.path, problem.message, problem.hint)

    def _convert(self, converter: Converter, report: Report) -> dict[str, Any]:
        """Every key of the file by itself; BAD where it could not be parsed."""
        known = fields_of(ManifestFile)
        found: dict[str, Any] = {}
        for key, entry in self.root:
            converter.late_allowed = key in ("env", FINALLY, *self.sections)
            if key in ("variables", "variable_files"):
                converter.places[key] = entry.value.place
            elif key in known:
                found[key] = converter.convert(entry.value, known[key].type, key)
            elif key == FINALLY or key in self.sections:
                type_ = self.finally_section if key == FINALLY else self.sections[key]
                body = isinstance(entry.value, Scalar)
                found[key] = converter.convert(entry.value, type_, key, body=body)
            elif key in ALL_KINDS:
                report.add(
                    entry.key,
                    key,
                    f"'{key}' is not a step kind of this version; "
                    f"kinds: {', '.join(self.sections)}",
                    "write what it does as one of these kinds",
                )
                found[key] = BAD
            else:
                every = [*known, *self.sections, FINALLY]
                near = converter.unknown_key(key, entry.key, key, every)
                found[near or key] = BAD
        for path in [path for path in converter.places if path.startswith("assume_role.")]:
            alias = path.replace("assume_role.", "assume_role[0].", 1)
            converter.places[alias] = converter.places[path]
        if "name" not in self.root.entries and found.get("name") is not BAD:
            report.add(self.root.place, "name", "is missing", "name the step: name: deploy-network")
            found["name"] = BAD
        return found

    def _kind(self, fields: Mapping[str, Any], report: Report) -> str | None:
        """The name of the one step kind."""
        present = [key for key in self.sections if key in self.root.entries]
        present.sort(key=lambda key: self.root.entries[key].key)
        legal = ", ".join(self.sections)
        if not present:
            # What was misspelt, or is not there in this version, was told where it stands.
            if not fields.keys() & {*self.sections, *ALL_KINDS}:
                report.add(
                    self.root.place, "", "has no step kind", f"write one of these keys: {legal}"
                )
            return None
        for key in present[1:]:
            report.add(
                self.root.entries[key].key,
                key,
                f"is a second step kind beside '{present[0]}'",
                f"one file is one step: keep exactly one of {legal}",
            )
        return present[0]

    def _loaded(
        self,
        values: Values,
        fields: Mapping[str, Any],
        *,
        kind: str | None,
        places: Mapping[str, Place],
        late: Mapping[str, LateValue],
        only: LauncherOnly,
    ) -> LoadedManifest:
        assert kind is not None
        manifest = self._step(fields, kind)
        variables = values.variables()
        secrets = [(name, Secret(variable.text)) for name, variable in variables.items()
                   if variable.is_masked and variable.text]  # fmt: skip
        secrets.extend(values.secrets())
        secrets.extend(self._account_secrets(manifest.account))
        return LoadedManifest(
            manifest=manifest,
            variables=VariableSet(variables),
            late=values.late_variables(),
            warnings=tuple(only.warnings()),
            scrub_names=self.scrub_names | only.environment_names(),
            withheld=only.withheld(),
            secret_paths=values.secret_paths(),
            late_paths=values.late_paths(),
            launcher_files=self.launcher.files,
            known_secrets=tuple(secrets),
            places=places,
            render_again=lambda more: self.run(Report(self.source.name), {**late, **more}),
            render=_FileRenderer(self.source.name, values, only, places).render,
        )

    def _account_secrets(self, account: Account) -> Iterator[tuple[str, Secret]]:
        for key in SECRET_FIELDS:
            if text := getattr(account, key):
                yield f"account.{key}", Secret(text)
        if isinstance(account.token_from, TokenFrom) and account.token_from.from_env:
            token = self.environ.get(account.token_from.from_env, "")
            if token.strip():
                yield "account.token_from", Secret(token)

    def _step(self, fields: Mapping[str, Any], kind: str) -> StepManifest:
        known = {key: value for key, value in fields.items() if key in fields_of(ManifestFile)}
        account = as_account(known.pop("account", Account()))
        known.setdefault("env", {})
        for key in ("credentials", "retry"):
            known.setdefault(key, fields_of(ManifestFile)[key].type())
        if known.get("region") is None and self._default_region() == self.overrides.region:
            known["region"] = self.overrides.region
        return StepManifest(
            **{**known, "assume_role": as_hops(known.get("assume_role", ()))},
            account=account,
            kind=kind,
            section=fields[kind],
            finally_=fields.get(FINALLY),
            folder=self.source.folder,
            source=self.source.name,
        )


class _FileRenderer:
    """Renders the files that belong to a section, by the rules of the manifest's own texts."""

    def __init__(
        self, subject: str, values: Values, only: LauncherOnly, places: Mapping[str, Place]
    ) -> None:
        self._subject = subject
        self._values = values
        self._only = only
        self._places = places

    def render(self, text: str, path: str) -> Rendered:
        """`text` of the file named at `path`. Raises ManifestError."""
        if "\0" in text:
            raise self._error(path, "the file holds a NUL character", "remove it")
        try:
            rendered = self._values.renderer.render(text, name=path)
        except TemplateFault as fault:
            line = f" (line {fault.line} of the file)" if fault.line else ""
            raise self._error(path, f"{fault.message}{line}", fault.hint) from None
        except Unavailable as error:
            raise self._error(path, f"'{error}' cannot be rendered", "see its own value") from None
        used = sorted(self._only.secrets & rendered.reads)
        if used:
            raise self._error(path, *handed_over(used))
        return rendered

    def _error(self, path: str, message: str, hint: str | None) -> ManifestError:
        place = nearest_place(self._places, path) or Place(self._subject)
        return ManifestError([place.problem(message, path, hint)], subject=self._subject)
