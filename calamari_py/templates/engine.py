"""The full template language: Jinja2 in a sandbox, with every expensive operation paid for.

Imported only for templates that do more than name a variable. A template may use expressions,
filters, ``if``, ``for``, ``set`` and ``with``; it cannot reach Python's internals, define macros
or load other templates, and it has a budget of work, so that it ends and stays small.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import StrictUndefined, nodes, pass_context
from jinja2.exceptions import (
    SecurityError,
    TemplateRuntimeError,
    TemplateSyntaxError,
    UndefinedError,
)
from jinja2.runtime import Context
from jinja2.runtime import Undefined as JinjaUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from jinja2.visitor import NodeTransformer

from calamari_py.templates import (
    Frame,
    Renderer,
    TemplateFault,
    UnknownName,
)

BUDGET = 10_000_000
"""Units of work of one rendering: characters made, items looped over, products of operands."""
ITEM_PRICE = 10
"""Units of one item of a collection: handling it takes longer than a character does."""
DIGIT_LIMIT = 4_000
"""Bits of a whole number that a power may have."""

_FILTERS = (
    "abs", "batch", "capitalize", "count", "d", "default", "dictsort", "first", "float", "int",
    "items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject",
    "rejectattr", "replace", "reverse", "round", "select", "selectattr", "slice", "sort",
    "string", "sum", "title", "trim", "truncate", "unique", "upper", "urlencode", "wordcount",
)  # fmt: skip
_WIDE_FILTERS = frozenset(("batch", "center", "indent", "round", "slice", "tojson"))
_TEXT_METHODS = frozenset((
    "capitalize", "casefold", "count", "endswith", "find", "index", "isalnum", "isalpha",
    "isascii", "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper",
    "join", "lower", "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind",
    "rindex", "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip",
    "swapcase", "title", "upper",
))  # fmt: skip
_TAGS = (
    nodes.Output, nodes.TemplateData, nodes.If, nodes.For, nodes.Assign, nodes.AssignBlock,
    nodes.With, nodes.FilterBlock,
)  # fmt: skip
_REFUSED_TAGS = {
    nodes.Macro: "macro", nodes.CallBlock: "call", nodes.Block: "block", nodes.Extends: "extends",
    nodes.Include: "include", nodes.Import: "import", nodes.FromImport: "from",
}  # fmt: skip
_PRINTABLE = (str, int, float, list, tuple, dict, type(None), JinjaUndefined)
_FAILURES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, MemoryError, RuntimeError,
    StopIteration, SyntaxError, TemplateRuntimeError, TypeError, ValueError,
)  # fmt: skip
_HINT = "correct the expression; 'Values and templates' in the manual says what there is"


class _Refused(SecurityError):
    """Something that the sandbox does not allow; the message is ours and holds no value."""


class _Unknown(UndefinedError):
    """A name that does not exist was used; the only argument is the name."""


class _Missing(StrictUndefined):
    """What an undefined name, attribute or item evaluates to: most uses of it raise."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if hint is None and name is not None and (obj is missing or isinstance(obj, VariablesView)):
            hint, exc = name, _Unknown
        super().__init__(hint, obj, name, exc)


class VariablesView(Mapping[str, str]):
    """``variables`` inside a template: every variable by its exact name."""

    def __init__(self, frame: Frame, scope: Renderer) -> None:
        self._frame = frame
        self._scope = scope

    def __getitem__(self, name: str) -> str:
        value = self._scope.read(str(name), self._frame, bare=False)
        if value is None:
            raise KeyError(name)
        return value

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._scope.has(name)

    def __iter__(self) -> Iterator[str]:
        return self._scope.names

    def __len__(self) -> int:
        return sum(1 for _ in self._scope.names)

    def __repr__(self) -> str:
        return "variables"


class _Context(Context):
    """Looks names up when they are read, so that a template costs what it uses."""

    frame: Frame
    scope: Renderer

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        if key == "variables":
            return VariablesView(self.frame, self.scope)
        value = self.scope.read(key, self.frame, bare=True)
        if value is not None:
            return value
        return self.parent.get(key, missing)


@pass_context
def _note_output(context: Context, value: Any) -> Any:
    """Keep what an expression put into the text (jinja's ``finalize``)."""
    if not isinstance(value, _PRINTABLE):
        raise _Refused(f"makes a {type(value).__name__}, which is no text; add |list or |join")
    assert isinstance(context, _Context)
    assert isinstance(context.environment, _Sandbox)
    context.environment.spend(_size(value))
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, JinjaUndefined):
            str(item)  # an undefined item raises, as it does by itself
    text = str(value)
    context.frame.outputs.append(text)
    return text


class JinjaEngine:
    """One sandbox for all templates of a manifest."""

    def __init__(self) -> None:
        self._environments: dict[str, _Sandbox] = {}

    def run(self, text: str, frame: Frame, scope: Renderer) -> str:
        """`text` rendered. Raises TemplateFault and UnknownName."""
        sandbox = self._sandbox(_newline_of(text))
        before, sandbox.left = sandbox.left, BUDGET
        try:
            return _generate(sandbox, text, frame, scope)
        except _Unknown as error:
            raise UnknownName(str(error)) from None
        except _Refused as error:
            raise TemplateFault(str(error), hint=_HINT) from None
        except TemplateSyntaxError as error:
            what = "" if frame.sensitive else f": {(error.message or '').rstrip('.')}"
            raise TemplateFault(
                f"is no valid template{what}",
                hint="correct it, or write {value: …, literal: true} if it is no template",
                line=error.lineno,
            ) from None
        except UndefinedError as error:
            what = "an attribute" if frame.sensitive else str(error).rstrip(".")
            raise TemplateFault(f"reads what does not exist: {what}", hint=_HINT) from None
        except _FAILURES as error:
            what = type(error).__name__ if frame.sensitive or not str(error) else str(error)
            raise TemplateFault(f"cannot be rendered: {what}", hint=_HINT) from None
        finally:
            sandbox.left = before

    def _sandbox(self, newline: str) -> _Sandbox:
        if newline not in self._environments:
            self._environments[newline] = _Sandbox(newline)
        return self._environments[newline]


def _generate(sandbox: _Sandbox, text: str, frame: Frame, scope: Renderer) -> str:
    template = sandbox.from_string(text)
    context = template.new_context()
    assert isinstance(context, _Context)
    context.frame = frame
    context.scope = scope
    pieces: list[str] = []
    for piece in template.root_render_func(context):
        sandbox.spend(len(piece))
        pieces.append(piece)
    return "".join(pieces)


def _newline_of(text: str) -> str:
    r"""The one line ending that `text` uses: jinja writes all of them alike."""
    if "\r" not in text:
        return "\n"
    without = text.replace("\r\n", "")
    if "\r\n" in text and "\r" not in without and "\n" not in without:
        return "\r\n"
    if "\n" not in text:
        return "\r"
    raise TemplateFault(
        "is a template with several kinds of line ending",
        hint="write all lines of it with the same line ending",
    )


class _Priced(NodeTransformer):
    """Refuses the tags that values do not need, and makes loops and ``~`` pay."""

    def generic_visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> nodes.Node:
        for kind, tag in _REFUSED_TAGS.items():
            if isinstance(node, kind):
                raise TemplateSyntaxError(f"there is no '{{% {tag} %}}' in values", node.lineno)
        if isinstance(node, nodes.Stmt) and not isinstance(node, _TAGS):
            raise TemplateSyntaxError("this tag is not available in values", node.lineno)
        return super().generic_visit(node, *args, **kwargs)

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (jinja's visitor protocol)
        if node.recursive:
            raise TemplateSyntaxError("there are no recursive loops in values", node.lineno)
        self.generic_visit(node)
        node.iter = _call_filter("_each", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _call_filter("_concat", nodes.List(node.nodes, lineno=node.lineno))


def _call_filter(name: str, argument: nodes.Node) -> nodes.Filter:
    return nodes.Filter(argument, name, [], [], None, None, lineno=argument.lineno)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, stricter: few attributes, few filters, a budget, no comments."""

    intercepted_binops = frozenset(("+", "*", "**", "%"))
    context_class = _Context

    def __init__(self, newline: str) -> None:
        # NUL cannot occur in a manifest, so these delimiters turn comments off.
        super().__init__(
            undefined=_Missing,
            keep_trailing_newline=True,
            newline_sequence=newline,
            comment_start_string="\0#",
            comment_end_string="#\0",
            autoescape=False,
            optimized=False,
            finalize=_note_output,
            cache_size=0,
        )
        self.left = BUDGET
        filters = {**{name: self.filters[name] for name in _FILTERS}, "tojson": _to_json}
        self.filters = {name: self._paid(filters[name], name in _WIDE_FILTERS) for name in filters}
        self.filters["_each"] = self._each
        self.filters["_concat"] = self._concat
        self.globals = {"range": self._range, "dict": dict, "namespace": self.globals["namespace"]}

    def spend(self, units: int) -> None:
        """Take `units` of work from the budget."""
        self.left -= units
        if self.left < 0:
            raise _Refused("takes more work than a value may (too long a loop or text)")

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        _Priced().visit(tree)
        tree.set_environment(self)
        return tree

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        if isinstance(obj, str):
            return attr in _TEXT_METHODS
        if isinstance(obj, int | float | complex | bytes):
            return False
        return super().is_safe_attribute(obj, attr, value)

    def unsafe_undefined(self, obj: Any, attribute: str) -> JinjaUndefined:
        what = type(obj).__name__
        return self.undefined(
            f"'{attribute}' of a {what} is not available in values",
            name=attribute,
            obj=obj,
            exc=_Refused,
        )

    def wrap_str_format(self, value: Any) -> None:
        """``str.format`` is refused like every method that is not listed."""

    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        if not self.is_safe_callable(obj):
            raise _Refused(f"a {type(obj).__name__} cannot be called in values")
        self.spend(_product((getattr(obj, "__self__", None), *args, *kwargs.values())))
        return super().call(context, obj, *args, **kwargs)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "%" and not numbers:
            raise _Refused("the operator '%' is for numbers; join texts with '~'")
        if numbers:
            self._check_number(operator, left, right)
        elif operator == "+":
            self.spend(_size(left) + _size(right))
        else:
            self.spend(_product((left, right), numbers=True))
        return super().call_binop(context, operator, left, right)

    def _check_number(self, operator: str, left: float, right: float) -> None:
        if isinstance(left, float) or isinstance(right, float):
            return
        bits = left.bit_length() + right.bit_length()
        if operator == "**":
            bits = left.bit_length() * max(abs(right), 1)
        if bits > DIGIT_LIMIT:
            raise _Refused("makes a number that is too large")

    def _paid(self, function: Callable[..., Any], wide: bool) -> Callable[..., Any]:
        """`function` with a price; a number among the operands of a `wide` one multiplies."""

        @functools.wraps(function)
        def paid(*args: Any, **kwargs: Any) -> Any:
            self.spend(_product((*args, *kwargs.values()), numbers=wide))
            return function(*args, **kwargs)

        return paid

    def _range(self, *bounds: int) -> range:
        numbers = range(*bounds)
        self.spend(max(0, (numbers.stop - numbers.start) // numbers.step + 1))
        return numbers

    def _each(self, items: Any) -> Any:
        """What a ``for`` loops over, paid for."""
        if hasattr(items, "__len__"):
            self.spend(len(items))
            return items
        return self._counted(items)

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self.spend(1)
            yield item

    def _concat(self, parts: Iterable[Any]) -> str:
        parts = list(parts)
        self.spend(_size(parts))
        return "".join(str(part) for part in parts)


def _to_json(value: Any, indent: int | None = None) -> str:
    """`value` as JSON, as it is: jinja's own filter escapes for HTML."""
    return json.dumps(value, ensure_ascii=False, indent=indent, default=_no_json)


def _no_json(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a {type(value).__name__} has no JSON form")


def _product(operands: Iterable[Any], *, numbers: bool = False) -> int:
    """An upper bound of what an operation on `operands` can make: the product of their sizes.

    With `numbers`, a whole number counts as its value: it is a width or a count.
    """
    return math.prod(
        max(abs(operand) if numbers and isinstance(operand, int) else _size(operand), 1)
        for operand in operands
    )


def _size(value: Any) -> int:
    """Characters of a text, items and texts of a collection at any depth, else 1.

    Counting stops above `BUDGET`: a list can hold itself many times over at no cost of memory.
    """
    total = 0
    waiting = [value]
    while waiting and total <= BUDGET:
        item = waiting.pop()
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, dict):
            total += len(item) * ITEM_PRICE
            waiting.extend(item.keys())
            waiting.extend(item.values())
        elif isinstance(item, list | tuple | set):
            total += len(item) * ITEM_PRICE
            waiting.extend(item)
        else:
            total += 1
    return total
