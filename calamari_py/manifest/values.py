"""Values: the variables and metadata of one load, rendered when they are read, problems placed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from calamari_py.manifest.convert import Leaf
from calamari_py.manifest.definitions import Definition, check_text
from calamari_py.manifest.nodes import Place, Scalar, child_path
from calamari_py.manifest.report import Report
from calamari_py.masking.secret import Secret
from calamari_py.templates import (
    METADATA,
    Binding,
    CertainFault,
    Frame,
    Rendered,
    Renderer,
    TemplateFault,
    Unavailable,
    is_template,
)
from calamari_py.variables import (
    LateSource,
    LateValue,
    LateVariable,
    SourceUnreadable,
    Variable,
    from_environment,
    from_file,
)

Origin = tuple[str, str]
"""A source and what it is asked for: two variables of one origin have one value. A file may have
more than one."""


class Reader:
    """Reads environment variables and files once for all renderings of a manifest."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder
        self._files: dict[str, str] = {}

    def read(self, definition: Definition, text: str) -> str:
        """What the source of `definition` holds under `text`. Raises TemplateFault."""
        try:
            if definition.source == "from_env":
                return from_environment(text, self._environ, sensitive=definition.sensitive)
            if text not in self._files:
                self._files[text] = from_file(self._folder / text, shown=text)
        except SourceUnreadable as error:
            raise CertainFault(error.message, hint=error.hint, missing=error.missing) from None
        return self._files[text]

    def origin(self, source: str, text: str) -> Origin:
        """What `source` reads for `text`; a file by its absolute path, links not resolved."""
        if source == "from_file":
            text = str((self._folder / text).absolute())
        return source, text


class Values:
    """Renders the scalars of one load and remembers what each was made from."""

    def __init__(
        self,
        *,
        definitions: Mapping[str, Definition],
        metadata: Mapping[str, Scalar | str],
        late: Mapping[str, LateValue],
        reader: Reader,
        report: Report,
    ) -> None:
        self._definitions = definitions
        self._metadata = metadata
        self._late = late
        self._reader = reader
        self._report = report
        self.rendered: dict[str, Rendered] = {}
        """What every templated scalar became, by its path."""
        self.bodies: set[str] = set()
        """Paths of rendered script texts."""
        self.environment_reads: dict[str, str] = {}
        """The environment variable that each variable came from, by the variable's name."""
        self.renderer = Renderer(
            {name: self._binding(definition) for name, definition in definitions.items()},
            {name: _metadata_binding(value) for name, value in metadata.items()},
        )

    def read(self, node: Scalar, path: str, body: bool) -> Leaf | None:
        """A scalar's text; the `LeafReader` of the manifest's converter."""
        if not check_text(node, path, self._report):
            return None
        if body or not is_template(node.text):
            return Leaf(node.text)
        if path.endswith(".run"):
            self.bodies.add(path)
        try:
            if path in METADATA:
                rendered = self.renderer.metadata(path)
            else:
                rendered = self.renderer.render(node.text, name=path)
        except TemplateFault as fault:
            self._add(fault, node.place, path, block=node.block)
            return None
        except Unavailable:
            return None
        if "\0" in rendered.text:
            self._report.add(node.place, path, "holds a NUL character", "remove it")
            return None
        self.rendered[path] = rendered
        return Leaf(rendered.text, True, rendered.sensitive, rendered.late)

    def finish(self) -> None:
        """Render what nothing has read so far, and report every name that cannot be read."""
        for name in self._definitions:
            self._try_variable(name)
        for (kind, name), fault in self.renderer.faults.items():
            if kind == "variable":
                found = self._definitions[name]
                self._add(fault, found.text_place, found.path, block=found.block)
            else:
                node = self._metadata[name]
                assert isinstance(node, Scalar)
                self._add(fault, node.place, name, block=node.block)

    def variables(self) -> dict[str, Variable]:
        """Every variable that is known now, by name."""
        known = {}
        for name, definition in self._definitions.items():
            rendered = self._try_variable(name)
            if rendered is None or rendered.late:
                continue
            known[name] = Variable(
                name=name,
                text=rendered.text,
                sensitive=definition.sensitive or rendered.sensitive,
                mask=definition.mask or rendered.sensitive,
                reason=definition.reason,
                made_of=rendered.sources - {name},
            )
        return known

    def late_variables(self) -> tuple[LateVariable, ...]:
        """The late variables that are still to be fetched, with what to ask for."""
        found = []
        for name, definition in self._definitions.items():
            if not definition.is_late or name in self._late:
                continue
            key = self._late_key(definition)
            if key is not None:
                found.append(
                    LateVariable(
                        name=name,
                        source=cast("LateSource", definition.source),
                        key=key,
                        sensitive=definition.sensitive,
                        mask=definition.mask,
                        reason=definition.reason,
                        file=definition.place.file,
                        line=definition.place.line or None,
                        column=definition.place.column or None,
                    )
                )
        return tuple(found)

    def secrets(self) -> Iterator[tuple[str, Secret]]:
        """Everything sensitive that was rendered from variables, by its path."""
        for path, rendered in self.rendered.items():
            if not rendered.sensitive or rendered.late:
                continue
            if path in self.bodies:
                yield from rendered.secrets
            elif rendered.text:
                yield path, Secret(rendered.text)

    def secret_paths(self) -> frozenset[str]:
        """The paths of all texts whose value no message may show."""
        return frozenset(path for path, found in self.rendered.items() if found.sensitive)

    def late_paths(self) -> frozenset[str]:
        """The paths of all texts that hold a placeholder."""
        return frozenset(path for path, found in self.rendered.items() if found.late)

    def reads_of(self, name: str) -> frozenset[str]:
        """The variables that `name` is made from, itself included."""
        rendered = self._try_variable(name)
        return rendered.reads if rendered else frozenset((name,))

    def origin(self, source: str, text: str) -> Origin:
        """As `Reader.origin`."""
        return self._reader.origin(source, text)

    def origin_of(self, definition: Definition) -> Origin | None:
        """Where the value of `definition` is read from, None where it is written out."""
        if definition.source not in ("from_env", "from_file"):
            return None
        try:
            return self.origin(definition.source, self._reference(definition, Frame(None)))
        except (TemplateFault, Unavailable):
            return None

    def _try_variable(self, name: str) -> Rendered | None:
        try:
            return self.renderer.variable(name)
        except Unavailable:
            return None

    def _binding(self, definition: Definition) -> Binding:
        sensitive = definition.sensitive and definition.mask
        if definition.is_late:
            value = self._late.get(definition.name)
            if value is None:
                return Binding(sensitive=sensitive)
            tainted = sensitive or (value.sensitive and definition.mask)
            return Binding(text=value.value.reveal(), sensitive=tainted)
        if definition.source == "value":
            return Binding(text=definition.text, template=definition.template, sensitive=sensitive)

        def fetch(frame: Frame) -> str:
            reference = self._reference(definition, frame)
            if definition.source == "from_env":
                self.environment_reads[definition.name] = reference
            return self._reader.read(definition, reference)

        return Binding(fetch=fetch, sensitive=sensitive)

    def _reference(self, definition: Definition, frame: Frame) -> str:
        """What the source is asked for, rendered."""
        if not definition.template:
            return definition.text
        rendered = self.renderer.render(definition.text)
        if rendered.late:
            names = ", ".join(f"'{name}'" for name in sorted(rendered.late))
            raise CertainFault(
                f"may not use {names}, which is fetched with the step's own credentials",
                hint="take the value from elsewhere: this is read before there are credentials",
            )
        frame.note(rendered)
        return rendered.text

    def _late_key(self, definition: Definition) -> str | None:
        try:
            return self._reference(definition, Frame(None))
        except TemplateFault as fault:
            path = child_path(definition.path, definition.source)
            self._add(fault, definition.text_place, path, block=definition.block)
        except Unavailable:
            pass
        return None

    def _add(self, fault: TemplateFault, place: Place, path: str, *, block: bool) -> None:
        at = place.below(fault.line) if block and fault.line else place
        self._report.add(at, path, fault.message, fault.hint, missing=fault.missing)


def _metadata_binding(value: Scalar | str) -> Binding:
    if isinstance(value, str):
        return Binding(text=value)
    return Binding(text=value.text, template=is_template(value.text))
