"""Templates: what they mean, what they may not do, and what they were made from."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calamari_py.templates import (
    LATE_TEXT,
    Binding,
    CertainFault,
    Frame,
    Rendered,
    Renderer,
    TemplateFault,
    Unavailable,
    is_template,
)
from calamari_py.templates.engine import JinjaEngine

VARIABLES: Mapping[str, Binding] = {
    "A": Binding(text="a"),
    "AWS Account.AccessKey": Binding(text="AKIA"),
    "List[0]": Binding(text="item"),
    "Data": Binding(text="{{ A }}"),
    "Made": Binding(text="<{{ A }}>", template=True),
    "S": Binding(text="hunter2", sensitive=True),
    "T": Binding(text="x{{ S }}", template=True),
    "L": Binding(),
    "M": Binding(text="{{ L }}!", template=True),
    "Long": Binding(text="x" * 200_000),
    "range_": Binding(text="r"),
    "Bad": Binding(text="{{ nope }}", template=True),
}
METADATA: Mapping[str, Binding] = {
    "name": Binding(text="step"),
    "project": Binding(text="{{ A }}/p", template=True),
}


def renderer(**more: Binding) -> Renderer:
    """A renderer over the variables above."""
    return Renderer({**VARIABLES, **more}, METADATA)


def render(text: str, **more: Binding) -> Rendered:
    """`text` rendered over the variables above."""
    return renderer(**more).render(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="no-template"),
        pytest.param("{{ A }}", "a", id="bare"),
        pytest.param("{{A}}-{{A}}", "a-a", id="without-blanks"),
        pytest.param('{{ variables["AWS Account.AccessKey"] }}', "AKIA", id="double-quotes"),
        pytest.param("{{ variables['List[0]'] }}", "item", id="brackets"),
        pytest.param("{{ variables.A }}", "a", id="attribute"),
        pytest.param("{{ variables.get('A') }}", "a", id="get"),
        pytest.param("{{ name }} {{ project }}", "step a/p", id="metadata"),
        pytest.param("{{ Made }}", "<a>", id="through-another"),
        pytest.param("{{ Data }}", "{{ A }}", id="data-is-never-a-template"),
        pytest.param("{{ A | upper }}", "A", id="filter"),
        pytest.param("{{ A.upper() ~ 1 }}", "A1", id="method"),
        pytest.param("{% if A == 'a' %}y{% else %}n{% endif %}", "y", id="if"),
        pytest.param("{% for i in range(3) %}{{ i }}{% endfor %}", "012", id="for"),
        pytest.param("{% set x = A ~ A %}{{ x }}", "aa", id="set"),
        pytest.param("{{ nope | default('d') }}", "d", id="default"),
        pytest.param("{{ variables['nope'] is defined }}", "False", id="defined"),
        pytest.param("{# kept #} {{ A }}", "{# kept #} a", id="no-comments"),
        pytest.param("{#- {{ A }} -#}", "{#- a -#}", id="no-trimming-comments"),
        pytest.param("{{ A | upper }} {# x #}", "A {# x #}", id="no-comments-in-jinja"),
        pytest.param("{{ A }}\n", "a\n", id="last-newline"),
        pytest.param("{{ A | upper }}\n\n", "A\n\n", id="last-newlines-in-jinja"),
        pytest.param("x\r\n{{ A | upper }}\r\n", "x\r\nA\r\n", id="crlf"),
        pytest.param("x\r{{ A | upper }}", "x\rA", id="cr"),
        pytest.param("x\r\ny\n{{ A }}", "x\r\ny\na", id="mixed-endings-when-simple"),
        pytest.param("{{ '<&>' }}", "<&>", id="no-escaping"),
        pytest.param("{{ ['<', 1] | tojson }}", '["<", 1]', id="json-as-it-is"),
        pytest.param("{% raw %}{{ A }}{% endraw %}", "{{ A }}", id="raw"),
        pytest.param("{{ '{{' }} A }}", "{{ A }}", id="braces-in-a-text"),
        pytest.param("{{ A }}}", "a}", id="brace-behind"),
        pytest.param("{{ 10**12 + 1 }}", "1000000000001", id="numbers"),
        pytest.param("{{ [3, 1] | sort | join(',') }}", "1,3", id="join"),
        pytest.param("{%- if true -%} x {%- endif -%}", "x", id="whitespace-control"),
    ],
)
def test_rendering(text: str, expected: str) -> None:
    """Templates are Jinja2 over the variables and the metadata."""
    assert render(text).text == expected


@settings(max_examples=150, database=None)
@given(
    st.lists(
        st.sampled_from(
            ["{{ A }}", "{{Made}}", "{{ name }}", '{{ variables["A"] }}', "{{ variables['S'] }}",
             " ",
             "{", "}", "}}", "\n", "x", "%}", "{#", "é", "{{  Data  }}", "'", '"', "#}", "$"]
        ),
        max_size=8,
    ).map("".join)
)  # fmt: skip
def test_the_short_way_and_jinja_agree(text: str) -> None:
    """Putting simple templates together without Jinja2 gives what Jinja2 gives."""
    simple = renderer()
    full = Renderer(VARIABLES, METADATA)
    frame = Frame(None)
    try:
        by_jinja = JinjaEngine().run(text, frame, full)
    except TemplateFault:
        with pytest.raises(TemplateFault):
            simple.render(text)
        return
    rendered = simple.render(text)
    assert rendered.text == by_jinja
    if is_template(text):
        assert rendered.reads == frozenset(frame.reads)
        assert rendered.sensitive == frame.sensitive


@pytest.mark.parametrize(
    ("text", "message", "hint", "line"),
    [
        pytest.param("{{ nope }}", "'nope' is not defined", "define 'nope'", 1, id="undefined"),
        pytest.param("a\n{{ nope | upper }}", "'nope' is not defined", "define", 2, id="line"),
        pytest.param("{{ Mad }}", "'Mad' is not defined", "did you mean 'Made'?", 1, id="near"),
        pytest.param("{{ environment }}", "'environment' is not defined",
                     "set 'environment' in the manifest", 1, id="metadata-not-set"),
        pytest.param("{{ variables['nope'] }}", "'nope' is not defined", "define", 1, id="item"),
        pytest.param("{{ variables.nope }}", "'nope' is not defined", "define", 1, id="attribute"),
        pytest.param("{{ A.nope }}", "reads what does not exist: 'str object' has no attribute "
                     "'nope'", "correct", None, id="attribute-of-a-text"),
        pytest.param("{{ A + 1 }}", 'cannot be rendered: can only concatenate str (not "int") to '
                     "str", "correct", None, id="type"),
        pytest.param("{{ 1 / 0 }}", "cannot be rendered: division by zero", "correct", None,
                     id="zero"),
        pytest.param("\n{{ A", "is no valid template: unexpected end of template, expected 'end of "
                     "print statement'", "literal: true", 2, id="open"),
        pytest.param("{{{ A }}}", "is no valid template: expected token ':', got '}'",
                     "literal: true", 1, id="three-braces"),
        pytest.param("{{ A | nofilter }}", "is no valid template: No filter named 'nofilter'",
                     "literal: true", 1, id="filter"),
        pytest.param("x\r\ny\n{{ A | upper }}", "is a template with several kinds of line ending",
                     "same line ending", None, id="mixed-endings"),
    ],
)  # fmt: skip
def test_faults(text: str, message: str, hint: str, line: int | None) -> None:
    """A template that cannot be rendered says why, where, and what to do."""
    with pytest.raises(TemplateFault) as caught:
        render(text)
    assert caught.value.message == message
    assert hint in caught.value.hint
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ ''.__class__ }}", id="class"),
        pytest.param("{{ A['__class__'] }}", id="item"),
        pytest.param("{{ variables.__init__ }}", id="view"),
        pytest.param("{{ variables._scope }}", id="private"),
        pytest.param("{{ (A | attr('__class__')) }}", id="attr-filter"),
        pytest.param("{{ [A] | map(attribute='__class__') | list }}", id="map-attribute"),
        pytest.param("{{ range.__globals__ }}", id="globals"),
        pytest.param("{{ self }}", id="self"),
        pytest.param("{{ range }}", id="function-as-text"),
        pytest.param("{{ A.format }}", id="method-as-text"),
        pytest.param("{{ '{0.__class__}'.format(A) }}", id="format"),
        pytest.param("{{ A.encode() }}", id="bytes"),
        pytest.param("{{ [1].append(2) }}", id="mutation"),
        pytest.param("{{ dict().update(a=1) }}", id="dict-mutation"),
        pytest.param("{{ lipsum() }}", id="lipsum"),
        pytest.param("{{ cycler }}", id="cycler"),
        pytest.param("{% macro f() %}{% endmacro %}", id="macro"),
        pytest.param("{% include 'x' %}", id="include"),
        pytest.param("{% import 'x' as y %}", id="import"),
        pytest.param("{% extends 'x' %}", id="extends"),
        pytest.param("{% block a %}{% endblock %}", id="block"),
        pytest.param("{% autoescape true %}{% endautoescape %}", id="autoescape"),
        pytest.param("{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}", id="recursion"),
    ],
)
def test_what_templates_cannot_reach(text: str) -> None:
    """Internals, mutation, macros and other templates are out of reach, with a clear message."""
    with pytest.raises(TemplateFault) as caught:
        render(text)
    assert "<" not in caught.value.message
    assert "0x" not in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ 'a' * 10**9 }}", id="multiply"),
        pytest.param("{{ [0] * 10**9 }}", id="multiply-list"),
        pytest.param("{{ 9 ** (9 ** 9) }}", id="power"),
        pytest.param("{{ range(10**9) | list }}", id="range"),
        pytest.param("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
                     id="nested-loops"),
        pytest.param("{% for a in Long %}{% for b in Long %}{% endfor %}{% endfor %}",
                     id="nested-text-loops"),
        pytest.param("{% for a in Long %}{{ Long }}{% endfor %}", id="output"),
        pytest.param("{{ Long ~ Long ~ Long ~ Long ~ Long ~ Long }}", id="too-long"),
        pytest.param("{{ Long | replace('x', Long) }}", id="replace"),
        pytest.param("{{ Long.replace('x', Long) }}", id="replace-method"),
        pytest.param("{{ Long.join(Long) }}", id="join"),
        pytest.param("{{ '%1000000000d' % 1 }}", id="percent"),
        pytest.param("{{ [1] | batch(10**9, 'x') | list }}", id="batch"),
        pytest.param("{{ 5 | round(10**9, 'ceil') }}", id="round"),
        pytest.param("{{ [1] | tojson(10**9) }}", id="json-indent"),
        pytest.param("{% set n = namespace(x='a') %}{% for i in range(60) %}"
                     "{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}", id="doubling"),
        pytest.param("{% set n = namespace(x=['a']) %}{% for i in range(60) %}"
                     "{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}", id="shared-lists"),
        pytest.param("{% set n = namespace(x=['a']) %}{% for i in range(60) %}"
                     "{% set n.x = n.x + n.x %}{% endfor %}{{ n.x }}", id="adding-lists"),
    ],
)  # fmt: skip
def test_bombs_are_refused(text: str) -> None:
    """Templates that would take all memory or time are refused by their budget."""
    with pytest.raises(TemplateFault):
        render(text)


@pytest.mark.parametrize(
    ("text", "reads", "sensitive", "late"),
    [
        pytest.param("x", "", False, "", id="nothing"),
        pytest.param("{{ A }}", "A", False, "", id="one"),
        pytest.param("{{ Made }}", "A Made", False, "", id="through"),
        pytest.param("{{ project }}", "A", False, "", id="metadata"),
        pytest.param("{{ S }}", "S", True, "", id="sensitive"),
        pytest.param("{{ T }}", "S T", True, "", id="sensitive-through"),
        pytest.param("{{ T | length }}", "S T", True, "", id="filter"),
        pytest.param("{% if S %}x{% endif %}", "S", True, "", id="condition"),
        pytest.param("{% for c in S %}{% endfor %}x", "S", True, "", id="loop"),
        pytest.param("{% set a = S %}x", "S", True, "", id="set"),
        pytest.param("{{ {'k': S}.k }}", "S", True, "", id="dict"),
        pytest.param("{% for n in ['S'] %}{{ variables[n] }}{% endfor %}", "S", True, "",
                     id="computed-name"),
        pytest.param("{% for n in variables %}{{ n }}{% endfor %}", "", False, "", id="names-only"),
        pytest.param("{{ L }}", "L", False, "L", id="late"),
        pytest.param("{{ M }} {{ A }}", "A L M", False, "L", id="late-through"),
    ],
)  # fmt: skip
def test_taint(text: str, reads: str, sensitive: bool, late: str) -> None:
    """A text knows what it was made from, whether that is sensitive, and what is late."""
    rendered = render(text)
    assert rendered.reads == frozenset(reads.split())
    assert rendered.sensitive is sensitive
    assert rendered.late == frozenset(late.split())


def test_secrets_are_the_parts_that_came_out() -> None:
    """The outputs of a tainted text are its secrets, but for those known to be harmless."""
    rendered = renderer().render("set {{ S | upper }} {{ A }} {{ T }}", name="script.run")
    assert [(name, secret.reveal()) for name, secret in rendered.secrets] == [
        ("script.run", "HUNTER2"),
        ("script.run", "xhunter2"),
    ]


def test_a_late_value_stands_in_until_it_is_known() -> None:
    """What depends on a late variable, and fails without it, waits; unknown names do not."""
    assert render("{{ L }}").text == LATE_TEXT
    assert render("{{ L.split('=')[1] }}").late == {"L"}
    with pytest.raises(TemplateFault, match="nope"):
        render("{{ L }}{{ nope }}")


def test_a_fault_belongs_to_the_name_it_is_in() -> None:
    """A variable that cannot be rendered is one fault; whoever reads it finds it unavailable."""
    shared = renderer()
    for _ in range(2):
        with pytest.raises(Unavailable):
            shared.render("{{ Bad }}")
    assert {key: fault.message for key, fault in shared.faults.items()} == {
        ("variable", "Bad"): "'nope' is not defined"
    }


def test_cycles_show_their_way() -> None:
    """Variables that need each other are a fault that no late value can cure."""
    shared = renderer(
        X=Binding(text="{{ Y | upper }}", template=True), Y=Binding(text="{{ X }}", template=True)
    )
    with pytest.raises(Unavailable):
        shared.variable("X")
    (fault,) = shared.faults.values()
    assert isinstance(fault, CertainFault)
    assert fault.message == "'X' is made of itself: X → Y → X"


def test_a_long_row_of_variables_is_refused_in_words() -> None:
    """Depth ends in a fault, not in Python's recursion limit."""
    row = {f"V{i}": Binding(text=f"{{{{ V{i + 1} | upper }}}}", template=True) for i in range(900)}
    shared = Renderer({**row, "V900": Binding(text="x")})
    with pytest.raises(Unavailable):
        shared.variable("V0")
    assert [fault.message for fault in shared.faults.values()] == [
        "more than 40 variables are made of one another in a row"
    ]


@pytest.mark.parametrize(
    ("variable", "key", "text", "expected"),
    [
        pytest.param("other", None, "{{ name }}", None, id="ambiguous"),
        pytest.param("step", None, "{{ name }}", "step", id="the-same"),
        pytest.param("other", None, "{{ variables['name'] }}", "other", id="explicit"),
        pytest.param("other", "name", "{{ name }}", "other", id="in-its-own-key"),
    ],
)
def test_a_name_that_is_a_variable_and_metadata(
    variable: str, key: str | None, text: str, expected: str | None
) -> None:
    """Where a variable and a manifest key differ, a bare name is refused as ambiguous."""
    shared = renderer(name=Binding(text=variable))
    if expected is None:
        with pytest.raises(TemplateFault, match="is a variable and a key of the manifest"):
            shared.render(text, key=key)
    else:
        assert shared.render(text, key=key).text == expected


def test_no_fault_of_a_tainted_text_quotes_it() -> None:
    """Faults of texts that read a secret, or are one, keep it out of their words."""
    for text in ("{{ {}[S] }}", "{{ S + 1 }}", "{{ S.nope }}", "{{ [][S | length] }}"):
        with pytest.raises(TemplateFault) as caught:
            render(text)
        assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"
    with pytest.raises(TemplateFault) as caught:
        renderer().render("{{ hunter2 oops }}", secret=True)
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_each_variable_is_rendered_once() -> None:
    """A thousand uses of a variable cost one rendering of it, and unused ones cost none."""
    many = {f"V{i}": Binding(text="{{ Base }}", template=True) for i in range(10_000)}
    shared = Renderer(
        {"Base": Binding(text="{{ A }}", template=True), "A": Binding(text="a"), **many}
    )
    for _ in range(100):
        assert shared.render("{{ V1 }}{{ V2 }}").text == "aa"
    assert shared.renders == 100 + 3


def test_fetched_values_are_read_when_used() -> None:
    """A value that comes from elsewhere is fetched once, when something reads it."""
    calls: list[str] = []

    def fetch(frame: Frame) -> str:
        calls.append("x")
        return "{{ A }}"

    shared = renderer(F=Binding(fetch=fetch, sensitive=True))
    assert calls == []
    rendered = shared.render("{{ F }}{{ F }}")
    assert (rendered.text, rendered.sensitive, calls) == ("{{ A }}{{ A }}", True, ["x"])


@pytest.mark.process
def test_jinja_is_imported_only_for_real_templates() -> None:
    """Simple templates, the common case, do not load Jinja2."""
    code = (
        "import sys\n"
        "from calamari_py.templates import Binding, Renderer\n"
        "r = Renderer({'A': Binding(text='a')})\n"
        "assert r.render('x {{ A }} {{ variables[\"A\"] }}').text == 'x a a'\n"
        "assert 'jinja2' not in sys.modules\n"
        "assert r.render('{{ A | upper }}').text == 'A'\n"
        "assert 'jinja2' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
