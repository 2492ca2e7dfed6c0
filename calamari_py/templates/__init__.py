"""Value rendering: Jinja2 expressions over the variables and the metadata, with taint.

A `Renderer` renders each variable at most once, when it is first read. It remembers which
variables a text was made from, also through others, whether one of them is sensitive, and whether
one of them is late (not fetched yet).

Most templates only name a variable (``{{ StackName }}``). Those are put together here; Jinja2 is
imported for anything more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from calamari_py.masking.secret import Secret

LIMIT = 1_000_000
"""Characters of one rendered text."""
DEPTH_LIMIT = 40
"""How many variables may be made of one another in a row."""
LATE_TEXT = "(not fetched yet)"
"""What stands for a late variable until it is fetched."""
SUGGESTION_LIMIT = 20
"""How many unknown names get a "did you mean", which looks at every known name."""
FUNCTIONS = ("range", "dict", "namespace")
"""Names that a template has besides the variables and the metadata."""

METADATA = ("name", "project", "environment", "deployment_id", "region")
"""The keys of the manifest that templates can read by name."""

_PLAIN = re.compile(
    r"""(?<!\{)\{\{\ *+(?:
        (?P<bare>[A-Za-z_][A-Za-z0-9_]*+)
        |variables\["(?P<double>[^"\\\r\n{}]++)"\]
        |variables\['(?P<single>[^'\\\r\n{}]++)'\]
    )\ *+\}\}""",
    re.VERBOSE,
)
_WORDS_OF_JINJA = frozenset(
    ("true", "false", "none", "True", "False", "None", "and", "or", "not", "in", "is", "if",
     "else", "elif", "recursive", "variables", "loop", "self", "caller", "super", "varargs",
     "kwargs", *FUNCTIONS)
)  # fmt: skip


def is_template(text: str) -> bool:
    """Whether `text` holds anything to render. There are no comments: ``{#`` is text."""
    return "{{" in text or "{%" in text


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What one name stands for. `text` is None for a late variable, and a template only where
    `template` says so: data never is. `sensitive` taints whatever is made from it.

    `fetch` gets the text when it is first read; it raises TemplateFault when there is none.
    """

    text: str | None = field(default=None, repr=False)
    template: bool = False
    sensitive: bool = False
    fetch: Callable[[Frame], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A rendered text: the names of all variables it was made from, also through others, the ones
    among them that are late (then `text` holds a placeholder), and whether it is sensitive.

    `sources` are those of the `reads` whose own text went in; the others only said which file or
    environment variable to read.

    `secrets` are the parts, by the name of the text, that came out of expressions of a sensitive
    text; a script body registers those instead of itself, lest ``done`` and ``fi`` become secrets.
    """

    text: str = field(repr=False)
    reads: frozenset[str] = frozenset()
    sources: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()
    sensitive: bool = False
    secrets: tuple[tuple[str, Secret], ...] = ()


class TemplateFault(Exception):
    """A template cannot be rendered. `line` counts from 1 inside its text, None if unknown.

    The message never holds a value that came from a sensitive variable. `missing` says that a
    named file is not there.
    """

    def __init__(
        self, message: str, *, hint: str, line: int | None = None, missing: bool = False
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.missing = missing


class CertainFault(TemplateFault):
    """A fault that no value of a late variable can cure."""


class Unavailable(Exception):
    """A name cannot be read because rendering it failed; that fault is reported where it is."""


class UnknownName(Exception):
    """A template reads a name that does not exist."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Engine(Protocol):
    """The full template language: `calamari_py.templates.engine`."""

    def run(self, text: str, frame: Frame, scope: Renderer) -> str:
        """`text` rendered; every read goes through `scope.read` into `frame`."""


class Frame:
    """What one rendering has read so far."""

    __slots__ = ("harmless", "key", "late", "outputs", "reads", "sensitive", "sources")

    def __init__(self, key: str | None) -> None:
        self.key = key
        self.reads: set[str] = set()
        self.sources: set[str] = set()
        self.late: set[str] = set()
        self.sensitive = False
        self.harmless: set[str] = set()
        self.outputs: list[str] = []

    def note(self, rendered: Rendered) -> None:
        """Take over what `rendered` was made from."""
        self.reads |= rendered.reads
        self.sources |= rendered.sources
        self.late |= rendered.late
        self.sensitive = self.sensitive or rendered.sensitive
        if not rendered.sensitive:
            self.harmless.add(rendered.text)


class Renderer:
    """Renders texts over `variables` and `metadata` (each by exact name)."""

    def __init__(
        self, variables: Mapping[str, Binding], metadata: Mapping[str, Binding] | None = None
    ) -> None:
        self._variables = variables
        self._metadata = metadata or {}
        self._done: dict[tuple[str, str], Rendered | None] = {}
        self._open: list[tuple[str, str]] = []
        self._engine: Engine | None = None
        self._suggestions = SUGGESTION_LIMIT
        self.faults: dict[tuple[str, str], TemplateFault] = {}
        """Why names cannot be read, by (``variable`` or ``metadata``, name)."""
        self.renders = 0
        """How many texts were rendered, for tests of the cost."""

    @property
    def names(self) -> Iterator[str]:
        """The variables' names, in the order of their definition."""
        return iter(self._variables)

    def has(self, name: str) -> bool:
        """Whether there is a variable of that name."""
        return name in self._variables

    def render(
        self, text: str, *, key: str | None = None, secret: bool = False, name: str = ""
    ) -> Rendered:
        """`text` rendered. Raises TemplateFault, or Unavailable when a name it reads failed.

        `key` is the metadata key that this text is the value of, if any. `secret` says that the
        text is itself sensitive, which keeps it out of messages; `name` is what its secrets are
        called.
        """
        if not is_template(text):
            return Rendered(text=text, sensitive=secret)
        frame = Frame(key)
        frame.sensitive = secret
        self.renders += 1
        result = self._render(text, frame)
        if frame.late and result is None:
            result = LATE_TEXT
        assert result is not None
        secrets = [part for part in frame.outputs if part and part not in frame.harmless]
        return Rendered(
            text=result,
            reads=frozenset(frame.reads),
            sources=frozenset(frame.sources),
            late=frozenset(frame.late),
            sensitive=frame.sensitive,
            secrets=tuple((name, Secret(part)) for part in secrets) if frame.sensitive else (),
        )

    def variable(self, name: str) -> Rendered:
        """The variable `name`, rendered when it is first asked for and only then.

        Raises Unavailable when it cannot be rendered (`faults` says why), KeyError when there is
        none.
        """
        return self._value("variable", name, self._variables[name])

    def metadata(self, name: str) -> Rendered:
        """The metadata key `name`; as `variable`."""
        return self._value("metadata", name, self._metadata[name])

    def read(self, name: str, frame: Frame, *, bare: bool) -> str | None:
        """What `name` means inside `frame`, None when it means nothing.

        A `bare` name is a variable or a metadata key, the others (``variables["…"]``) are
        variables. Where both exist and differ, the name is ambiguous; in the metadata key's own
        text it is the variable.
        """
        is_variable = name in self._variables
        is_metadata = bare and name in self._metadata and name != frame.key
        if not is_variable and not is_metadata:
            return None
        rendered = self.variable(name) if is_variable else self.metadata(name)
        if is_variable and is_metadata and self.metadata(name).text != rendered.text:
            raise CertainFault(
                f"'{name}' is a variable and a key of the manifest, with different values",
                hint=f'write {{{{ variables["{name}"] }}}}, or rename the variable',
            )
        frame.note(rendered)
        return rendered.text

    def unknown(self, name: str, text: str) -> TemplateFault:
        """The fault of reading `name`, which does not exist, in `text`."""
        near: list[str] = []
        if self._suggestions > 0:
            from difflib import get_close_matches

            self._suggestions -= 1
            near = get_close_matches(name, [*self._variables, *self._metadata], n=1, cutoff=0.7)
        if near:
            hint = f"did you mean '{near[0]}'?"
        elif name in METADATA:
            hint = f"set '{name}' in the manifest"
        else:
            hint = f"define '{name}' under variables, or pass --var '{name}=…'"
        at = text.find(name)
        line = text.count("\n", 0, at) + 1 if at >= 0 else None
        return TemplateFault(f"'{name}' is not defined", hint=hint, line=line)

    def _value(self, kind: Literal["variable", "metadata"], name: str, bound: Binding) -> Rendered:
        key = (kind, name)
        if key in self._open:
            cycle = [*(known for _, known in self._open[self._open.index(key) :]), name]
            raise CertainFault(
                f"'{name}' is made of itself: {' → '.join(cycle)}",
                hint="give one of them a value that does not use the others",
            )
        if key in self._done:
            done = self._done[key]
            if done is None:
                raise Unavailable(name)
            return done
        if len(self._open) >= DEPTH_LIMIT:
            raise CertainFault(
                f"more than {DEPTH_LIMIT} variables are made of one another in a row",
                hint="write the value where it is used",
            )
        self._open.append(key)
        self._done[key] = None
        try:
            rendered = self._done[key] = self._evaluate(kind, name, bound)
        except TemplateFault as fault:
            self.faults[key] = fault
            raise Unavailable(name) from None
        finally:
            self._open.pop()
        return rendered

    def _evaluate(self, kind: str, name: str, bound: Binding) -> Rendered:
        own = frozenset((name,)) if kind == "variable" else frozenset[str]()
        if bound.fetch is not None:
            frame = Frame(None)
            text = bound.fetch(frame)
            reads = own | frame.reads
            return Rendered(text=text, reads=reads, sources=own, sensitive=bound.sensitive)
        if bound.text is None:
            return Rendered(
                text=LATE_TEXT, reads=own, sources=own, late=own, sensitive=bound.sensitive
            )
        if not bound.template:
            return Rendered(text=bound.text, reads=own, sources=own, sensitive=bound.sensitive)
        key = name if kind == "metadata" else None
        made = self.render(bound.text, key=key, secret=bound.sensitive)
        return Rendered(
            text=made.text,
            reads=made.reads | own,
            sources=made.sources | own,
            late=made.late,
            sensitive=made.sensitive,
        )

    def _render(self, text: str, frame: Frame) -> str | None:
        """The text, or None when it cannot be known before its late variables are."""
        try:
            pieces = self._plain(text, frame)
            if pieces is None:
                result = self._full_engine().run(text, frame, self)
            else:
                result = "".join(pieces)
        except UnknownName as error:
            raise self.unknown(error.name, text) from None
        except CertainFault:
            raise
        except TemplateFault:
            if frame.late:
                return None
            raise
        if len(result) > LIMIT:
            raise TemplateFault(
                "the rendered text is longer than 1 MB", hint="put large content into a file"
            )
        return result

    def _plain(self, text: str, frame: Frame) -> list[str] | None:
        """The pieces of a template that only names variables; None when it does more."""
        pieces: list[str] = []
        end = 0
        names: list[tuple[int, str, bool]] = []
        for match in _PLAIN.finditer(text):
            pieces.append(text[end : match.start()])
            bare = match["bare"]
            name = bare or match["double"] or match["single"]
            if bare in _WORDS_OF_JINJA:
                return None
            names.append((len(pieces), name, bare is not None))
            pieces.append("")
            end = match.end()
        pieces.append(text[end:])
        if not names or any("{{" in piece or "{%" in piece for piece in pieces[::2]):
            return None
        for index, name, bare_name in names:
            value = self.read(name, frame, bare=bare_name)
            if value is None:
                raise UnknownName(name)
            pieces[index] = value
            frame.outputs.append(value)
        return pieces

    def _full_engine(self) -> Engine:
        if self._engine is None:
            from calamari_py.templates.engine import JinjaEngine

            self._engine = JinjaEngine()
        return self._engine
