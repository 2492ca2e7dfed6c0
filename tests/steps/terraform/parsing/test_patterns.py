"""A pattern that no address fits protects nothing: it is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.steps.terraform.parsing.patterns import what_is_wrong
from calamari_py.steps.terraform.sections import PolicySection
from tests.steps.terraform.parsing.sections import said


@pytest.mark.parametrize(
    ("pattern", "cure"),
    [
        pytest.param("aws_{db,rds}.m", "only * and ?", id="braces"),
        pytest.param("aws_[d]b.m", "only * and ?", id="a class"),
        pytest.param(r"aws_db\..*", "only * and ?", id="an expression"),
        pytest.param("^aws_db.m$", "only * and ?", id="anchors"),
        pytest.param("aws_db.m|aws_db.n", "only * and ?", id="either"),
        pytest.param("aws_db.m, aws_db.n", "only * and ?", id="two in one"),
        pytest.param("resource.aws_db.m", "write 'aws_db.m'", id="as in expressions"),
        pytest.param("aws_db.m['a']", "double quotes", id="single quotes"),
        pytest.param("aws_db.m[a]", "only * and ?", id="no quotes"),
        pytest.param("aws_db.m.", "write 'aws_db.m', or 'aws_db.m.*'", id="a dot at the end"),
        pytest.param(".aws_db.m", "only * and ?", id="a dot first"),
        pytest.param("aws_db..m", "only * and ?", id="two dots"),
        pytest.param("aws_db.m[]", "only * and ?", id="no key"),
        pytest.param('aws_db.m["a]', "only * and ?", id="half a key"),
    ],
)
def test_a_pattern_that_no_address_fits(folder: Path, pattern: str, cure: str) -> None:
    """In both lists, at its place, with what to write instead."""
    wrong = what_is_wrong(pattern)
    assert wrong is not None
    assert cure in wrong[1]
    both = ("aws_db.m", pattern)
    found = said(folder, policy=PolicySection(protect=both, refuse_replace=both))
    assert list(found) == ["terraform.policy.protect[1]", "terraform.policy.refuse_replace[1]"]


@pytest.mark.parametrize(
    "pattern",
    ["*", "aws_db.*", "aws_db_*", "**.aws_db.**", "module.net", 'module.a["x]y"].aws_db.m',
     "aws_db.m[*]", 'aws_db.m["*"]', "aws_db.m[?]", "aws_db.m[0]", 'aws_db.m["it\'s {a}"]',
     "aws_db.cafe\u0301", "aws_db.\u0939\u093f", "data.aws_x.y", "aws_db.a-b"],
)  # fmt: skip
def test_a_pattern_that_may_cover_something(pattern: str) -> None:
    """Whatever stands in a quoted key, and names in all scripts."""
    assert what_is_wrong(pattern) is None
