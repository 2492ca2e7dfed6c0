"""What the policy refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calamari_py.steps.terraform.reading.plan import read_plan
from calamari_py.steps.terraform.reading.policy import covers, refusals
from calamari_py.steps.terraform.spec import PlanPolicy
from calamari_py.steps.terraform.values import Change, ChangeKind, Plan
from tests.steps.terraform.reading.documents import plan, recorded, resource

DB = "aws_db_instance.main"


def change(address: str = DB, kind: ChangeKind = "destroy", previous: str | None = None) -> Change:
    """A change of one resource."""
    return Change(address=address, kind=kind, previous=previous)


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        pytest.param(DB, DB, id="the-address"),
        pytest.param(DB, f"{DB}[0]", id="any-number"),
        pytest.param(DB, f'{DB}["a.b"]', id="any-key"),
        pytest.param(DB, f'{DB}["a\\"].b"]', id="a-key-that-looks-like-more"),
        pytest.param(f"{DB}[0]", f"{DB}[0]", id="one-number"),
        pytest.param(f'{DB}["a"]', f'{DB}["a"]', id="one-key"),
        pytest.param(f"{DB}[*]", f'{DB}["a"]', id="all-keys"),
        pytest.param("aws_db_instance.*", DB, id="all-of-a-type"),
        pytest.param("aws_db_instance", DB, id="the-type-alone"),
        pytest.param("aws_db_*", DB, id="types-that-begin-so"),
        pytest.param("*.main", DB, id="any-type"),
        pytest.param("aws_db_instance.mai?", DB, id="any-letter"),
        pytest.param("*", DB, id="everything"),
        pytest.param(DB, f"module.db.{DB}", id="in-a-module"),
        pytest.param(DB, f'module.a[0].module.b["x.y"].{DB}[1]', id="in-modules-with-keys"),
        pytest.param("module.db", f"module.db.{DB}", id="a-module"),
        pytest.param("module.db", f"module.db[0].{DB}", id="a-module-with-a-number"),
        pytest.param("module.db", f'module.db["a"].module.x.{DB}', id="a-module-in-a-module"),
        pytest.param("module.db", f"module.app.module.db.{DB}", id="a-module-below-another"),
        pytest.param("module.db.*", f"module.db.{DB}", id="all-in-a-module"),
        pytest.param("module.db.*", f"module.db[0].{DB}", id="all-in-a-module-with-a-number"),
        pytest.param("module.db[0]", f"module.db[0].{DB}", id="one-of-a-module"),
        pytest.param(f"module.db.{DB}", f'module.db["x"].{DB}[1]', id="in-any-of-a-module"),
        pytest.param(f"module.db[0].{DB}", f"module.db[0].{DB}[1]", id="in-one-of-a-module"),
        pytest.param("module.*", f"module.db.{DB}", id="any-module"),
    ],
)
def test_a_pattern_covers(pattern: str, address: str) -> None:
    """Brackets and dots are themselves; keys and modules may be left out."""
    assert covers(pattern, change(address))


@pytest.mark.parametrize(
    ("pattern", "address"),
    [
        pytest.param(DB, "aws_db_instance.main2", id="longer-name"),
        pytest.param(DB, "aws_db_instance_main", id="a-dot-is-a-dot"),
        pytest.param(DB, "xaws_db_instance.main", id="longer-type"),
        pytest.param(DB, f'aws_sqs_queue.q["{DB}"]', id="only-in-a-key"),
        pytest.param(DB, f'aws_sqs_queue.q["x.{DB}"]', id="at-the-end-of-a-key"),
        pytest.param(DB, f'module.m["module.x.{DB}"].aws_sqs_queue.q', id="in-a-module's-key"),
        pytest.param(f"{DB}[0]", f"{DB}[1]", id="another-number"),
        pytest.param(f"{DB}[0]", f"{DB}0", id="brackets-are-brackets"),
        pytest.param(f'{DB}["a"]', f'{DB}["b"]', id="another-key"),
        pytest.param("module.db", "module.dbx.aws_sqs_queue.q", id="another-module"),
        pytest.param("module.db[0]", f"module.db[1].{DB}", id="another-of-a-module"),
        pytest.param(f"module.db.{DB}", DB, id="not-in-the-module"),
        pytest.param("main", DB, id="a-bare-name"),
        pytest.param("aws_db_instance.mai?", "aws_db_instance.mai", id="no-letter"),
    ],
)
def test_a_pattern_does_not_cover(pattern: str, address: str) -> None:
    """What is not meant may go."""
    assert not covers(pattern, change(address))


def test_a_pattern_covers_where_it_was() -> None:
    """A resource does not lose its protection by being moved out of it."""
    moved = change("aws_db_instance.other", previous="module.db.aws_db_instance.main[0]")
    assert covers(DB, moved)
    assert covers("module.db", moved)


@pytest.mark.parametrize(
    ("kind", "protect", "replace"),
    [
        ("create", False, False),
        ("update", False, False),
        ("read", False, False),
        ("import", False, False),
        ("move", False, False),
        ("forget", True, False),
        ("destroy", True, False),
        ("replace", True, True),
    ],
)
def test_what_each_rule_refuses(kind: ChangeKind, protect: bool, replace: bool) -> None:
    """``protect`` refuses all that loses a resource, ``refuse_replace`` its replacement alone."""
    found = Plan(changes=(change(kind=kind),))
    assert bool(refusals(found, PlanPolicy(protect=(DB,)))) is protect
    assert bool(refusals(found, PlanPolicy(refuse_replace=(DB,)))) is replace


@pytest.mark.parametrize(
    ("limit", "refused"),
    [
        pytest.param(None, False, id="no-limit"),
        pytest.param(6, False, id="at-the-limit"),
        pytest.param(5, True, id="beyond"),
        pytest.param(0, True, id="none-allowed"),
    ],
)
def test_how_many_may_be_destroyed(limit: int | None, refused: bool) -> None:
    """Destroyed, replaced and deposed objects count; what is only forgotten does not."""
    assert bool(refusals(read_plan(recorded("aws")), PlanPolicy(max_destroy=limit))) is refused


def test_an_unknown_action_counts_as_a_destruction() -> None:
    """A later version's way to lose a resource does not pass."""
    found = plan(resource(DB, "shred"))
    assert refusals(found, PlanPolicy(max_destroy=0))
    assert refusals(found, PlanPolicy(protect=(DB,)))


def test_the_sentences() -> None:
    """Each names the resource, what would happen to it, the rule, and why."""
    policy = PlanPolicy(
        max_destroy=1, protect=("module.old", "*bastion"), refuse_replace=("aws_instance.web",)
    )
    assert "\n".join(refusals(read_plan(recorded("aws")), policy)) == (
        "'aws_instance.web[0]' would be replaced, which 'refuse_replace' forbids "
        "('aws_instance.web'): ami changed (cannot be updated in place)\n"
        "'aws_instance.bastion' would be replaced, which 'protect' forbids "
        "('*bastion'): it is tainted\n"
        "a deposed object of 'aws_instance.bastion' would be destroyed, which 'protect' "
        "forbids ('*bastion'): left over from an earlier replacement\n"
        "'module.old.aws_sqs_queue.q' would be destroyed, which 'protect' forbids "
        "('module.old'): its module is no longer in the configuration\n"
        "6 resources would be destroyed or replaced, and 'max_destroy' is 1: "
        "aws_instance.web[0], aws_instance.bastion, aws_instance.bastion, aws_ecs_service.api, "
        "module.old.aws_sqs_queue.q, "
        'module.app["blue"].module.data.aws_db_instance.replica["eu-west-1"]'
    )


def test_many_are_named_in_part() -> None:
    """A plan that destroys all has one sentence that can be read."""
    found = Plan(changes=tuple(change(f"a.b{number}") for number in range(100)))
    (sentence,) = refusals(found, PlanPolicy(max_destroy=0))
    assert sentence.endswith("a.b19 and 80 more")


def test_a_move_is_named_with_where_it_was() -> None:
    """A rule that holds by the old address is not a riddle."""
    found = Plan(changes=(change("aws_db_instance.new", previous=DB),))
    (sentence,) = refusals(found, PlanPolicy(protect=(DB,)))
    assert sentence.startswith(f"'aws_db_instance.new', before '{DB}', would be destroyed")


_NAMES = st.from_regex(r"[a-z_][a-z0-9_-]{0,8}", fullmatch=True)
_KEYS = st.one_of(
    st.just(""),
    st.integers(0, 30).map("[{}]".format),
    st.text('abc.*?[]"\\ -/', max_size=6).map(
        lambda key: '["' + key.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    ),
)
_MODULES = st.lists(st.tuples(_NAMES, _KEYS), max_size=3)


def _address(modules: list[tuple[str, str]], keys: bool = True) -> str:
    return "".join(f"module.{name}{key if keys else ''}." for name, key in modules)


@given(_MODULES, _NAMES, _NAMES, _KEYS)
def test_a_protected_resource_never_passes(
    modules: list[tuple[str, str]], type_: str, name: str, key: str
) -> None:
    """In whatever module and under whatever key it is, and however it is written."""
    whole = f"{_address(modules)}{type_}.{name}{key}"
    found = Plan(changes=(change(whole),))
    patterns = {
        whole,
        f"{_address(modules)}{type_}.{name}",
        f"{_address(modules, keys=False)}{type_}.{name}",
        f"{_address(modules, keys=False)}{type_}.{name}{key}",
        f"{type_}.{name}{key}",
        f"{type_}.{name}",
        f"{type_}.*",
        *(f"module.{module}" for module, _ in modules),
        *(f"module.{module}{index}" for module, index in modules),
        *(f"module.{module}.*" for module, _ in modules),
    }
    for pattern in patterns:
        assert refusals(found, PlanPolicy(protect=(pattern,))), pattern
