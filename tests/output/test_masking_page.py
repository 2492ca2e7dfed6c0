"""How the page of `calamari explain --masking` looks: aligned, wrapped, calm."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from calamari_py.masking import Masked
from calamari_py.output._lines import plain
from calamari_py.output._masking_page import (
    LaterSecret,
    MaskedRun,
    MaskedSecret,
    MaskingPage,
    UnmaskedSecret,
    page_document,
    page_lines,
)
from calamari_py.output.base import StepHeader

SAMPLE = MaskingPage(
    header=StepHeader(
        step=Masked("deploy-network"), kind="script", version="0.2.0", project=Masked("payments")
    ),
    short_secrets="warn",
    ansi_aware=True,
    allow_no_mask=False,
    values=2,
    masked=(
        MaskedSecret(name=Masked("ApiToken"), forms=("literal", "base64", "hex")),
        MaskedSecret(
            name=Masked("Key"),
            forms=("literal", "line", "base64"),
            warnings=("has a line that is a single word, which is masked everywhere",),
        ),
    ),
    unmasked=(UnmaskedSecret(name=Masked("Pin"), why=Masked("is too short (3 bytes)")),),
    later=(
        LaterSecret(name=Masked("License"), when=Masked("from_ssm: known when fetched")),
        LaterSecret(name=Masked("the step's credentials"), when=Masked("known when assumed")),
    ),
)  # fmt: skip
RUN = MaskedRun(step=Masked("deploy-network"), ended_at=datetime(2026, 3, 1, tzinfo=UTC), off=False)
WITH_HITS = replace(
    SAMPLE,
    masked=(replace(SAMPLE.masked[0], hits=3), replace(SAMPLE.masked[1], hits=0)),
    later=(replace(SAMPLE.later[0], hits=1), SAMPLE.later[1]),
    run=RUN,
)  # fmt: skip

PAGE = """\
─ deploy-network ────────────────────────────────────────────────────────── payments
  masked     ApiToken   literal, base64, hex
             Key        literal, line, base64; has a line that is a single word,
                        which is masked everywhere
  not masked Pin   is too short (3 bytes)
  later      License                  from_ssm: known when fetched
             the step's credentials   known when assumed
  besides    what the step masks itself, outputs that it calls sensitive
─ 2 secrets masked, 1 not masked, 2 known later ── nothing was asked or run ────────
"""
WITH_HITS_PAGE = """\
─ deploy-network ────────────────────────────────────────────────────────── payments
  masked     ApiToken   3 hits    literal, base64, hex
             Key        no hits   literal, line, base64; has a line that is a single
                                  word, which is masked everywhere
  not masked Pin   is too short (3 bytes)
  later      License                  1 hit   from_ssm: known when fetched
             the step's credentials           known when assumed
  besides    what the step masks itself, outputs that it calls sensitive
  result     of 'deploy-network', ended 2026-03-01T00:00:00.000Z
─ 2 secrets masked, 1 not masked, 2 known later ── nothing was asked or run ────────
"""


@pytest.mark.parametrize(
    ("page", "text"),
    [pytest.param(SAMPLE, PAGE, id="page"), pytest.param(WITH_HITS, WITH_HITS_PAGE, id="hits")],
)
def test_a_page(page: MaskingPage, text: str) -> None:
    """Names, forms and reasons stand in columns, and what is long goes on below itself."""
    assert "".join(f"{plain(line)}\n" for line in page_lines(page, 84)) == text


@pytest.mark.parametrize(
    ("run", "said"),
    [
        pytest.param(replace(RUN, off=True), "not masked (--no-mask)", id="--no-mask"),
        pytest.param(replace(RUN, step=Masked("other")), "another step's", id="another step"),
    ],
)
def test_a_result_to_be_careful_with(run: MaskedRun, said: str) -> None:
    """Hits of a run that counted none, or of something else, are not taken for this step's."""
    lines = [plain(line) for line in page_lines(replace(WITH_HITS, run=run), 84)]
    assert " ".join(" ".join(lines[-3:-1]).split()).endswith(said)


def test_no_secrets() -> None:
    """A step without secrets has a page, too."""
    page = replace(SAMPLE, values=0, masked=(), unmasked=(), later=(), ansi_aware=False)
    lines = [plain(line) for line in page_lines(page, 84)]
    assert lines[1].startswith("  besides ")
    assert "colour codes" in " ".join(lines)
    assert lines[-1].startswith(
        "─ no secrets masked, none not masked ── nothing was asked or run ─"
    )


def test_names_that_play_with_the_terminal() -> None:
    """Control characters of a name are written out."""
    secret = MaskedSecret(name=Masked("a\x1b[2Jb"), forms=("literal",))
    text = "".join(plain(line) for line in page_lines(replace(SAMPLE, masked=(secret,)), 84))
    assert "\x1b" not in text


def test_a_document() -> None:
    """The same for programs, `null` for what is not known."""
    document = page_document(WITH_HITS)
    assert document["schema_version"] == 1
    assert document["masked"][0] == {
        "name": "ApiToken", "forms": ("literal", "base64", "hex"), "warnings": (), "hits": 3,
    }  # fmt: skip
    assert document["unmasked"] == [{"name": "Pin", "why": "is too short (3 bytes)"}]
    assert document["later"][1]["hits"] is None
    assert document["run"] == {
        "step": "deploy-network", "ended_at": "2026-03-01T00:00:00.000Z", "off": False,
    }  # fmt: skip
    assert page_document(SAMPLE)["run"] is None
