"""How the page of `calamari explain` looks: aligned, wrapped, whole where people paste."""

from __future__ import annotations

from dataclasses import replace

import pytest

from calamari_py.errors import TraceRow
from calamari_py.output._explanation_page import page_lines
from calamari_py.output._lines import plain
from calamari_py.output.explanation import (
    Bounds,
    Check,
    CommandLine,
    Endpoint,
    Explanation,
    Hop,
    Identity,
    Launcher,
    MaskedName,
    NamedVariable,
    Names,
)

ARN = "arn:aws:sts::111111111111:assumed-role/DevDeployRole/payments-dev-network-4711"
SAMPLE = Explanation(
    step="deploy-network",
    kind="script",
    version="0.2.0",
    project="payments",
    environment="dev",
    deployment_id="deployments-4711",
    online=False,
    found=False,
    launcher=Launcher(
        account_type="ambient",
        source="container",
        sources=(
            TraceRow(source="environment", present=False, tried=False, result="absent"),
            TraceRow(
                source="container", present=True, tried=False, result="present", used=True,
                why="EKS Pod Identity at 169.254.170.23",
            ),
        ),
        ignored=("AWS_PROFILE",),
    ),
    hops=(
        Hop(
            role_arn="arn:aws:iam::111111111111:role/DevDeployRole",
            session_name="payments-dev-deploy-network-4711",
            duration=3600,
            clamped=True,
            external_id=True,
            policy=True,
            policy_arns=(),
            tags={"Project": "payments"},
            transitive_tags=("Project",),
            default_tags={"calamari:step": "deploy-network", "calamari:project": "payments"},
            source_identity=None,
        ),
    ),
    identity=Identity(
        arn=ARN,
        account="111111111111",
        as_expected=True,
        region="eu-west-1",
        region_source="manifest",
        seconds=3600,
        delivery="env",
    ),
    sts=Endpoint(url="https://sts.eu-west-1.amazonaws.com", proxy="HTTPS_PROXY"),
    variables=(
        NamedVariable(name="StackName"),
        NamedVariable(name="Token", sensitive=True, masked=True, withheld=True),
        NamedVariable(name="License", late="from_ssm"),
    ),
    masks=(
        MaskedName(name="Token", forms=("literal", "base64")),
        MaskedName(name="Other", forms=("literal", "base64")),
    ),
    names=Names(
        removed=("AWS_PROFILE",),
        added=("AWS_ACCESS_KEY_ID",),
        passed=(*(f"GITHUB_{n:02}" for n in range(30)), "HOME", "PATH"),
    ),
    commands=(CommandLine(argv=("/bin/bash", "-c", '. "$0"', "{private}/x.sh"), directory="/w"),),
    finally_commands=(CommandLine(argv=("/bin/sh", "it's"), directory="/w"),),
    intentions=(),
    bounds=Bounds(
        timeout=1800.0, idle_timeout=None, grace=30.0, attempts=1, finally_timeout=300.0,
        isolated=False,
    ),
    checks=(
        Check(name="tools", state="ok", evidence="/bin/bash"),
        Check(name="metadata", state="warn", evidence="not tried", hint="a firewall"),
    ),
)  # fmt: skip

PAGE = """\
─ deploy-network ───────────────────────────────── payments · dev · deployments-4711
  launcher   would be what 'container' gives
             environment   absent    -
             container     present   EKS Pod Identity at 169.254.170.23
  ignored    AWS_PROFILE
  assumes    arn:aws:iam::111111111111:role/DevDeployRole
             for 1h (clamped), external id, session policy, tag Project=payments
             (transitive), tags calamari:{step, project}
  role       would be arn:aws:sts::111111111111:assumed-role/DevDeployRole/payments-dev-network-4711
  account    111111111111 (as expected)   region eu-west-1 (manifest)   valid for 1h
  delivery   env: in environment variables
  sts        https://sts.eu-west-1.amazonaws.com, through HTTPS_PROXY
────────────────────────────────────────────────────────────────────────────────────
  removed    AWS_PROFILE
  added      AWS_ACCESS_KEY_ID
  passed on  GITHUB_* (30), HOME, PATH
  variables  StackName, Token (sensitive, withheld), License (from_ssm, not fetched)
  masking    Token, Other: literal, base64
             the credentials, once they are obtained
  command    /bin/bash -c '. "$0"' {private}/x.sh
             in /w
  finally    /bin/sh 'it'"'"'s'
  limits     timeout 30m, grace 30s, finally 5m
─ checks ───────────────────────────────────────────────────────────────────────────
  ok    tools      /bin/bash
  warn  metadata   not tried
                   hint: a firewall
─ the step would start, as far as known: 1 warning ── nothing was asked or run ─────
"""


def page(explained: Explanation, width: int = 84, *, every_name: bool = False) -> str:
    lines = page_lines(explained, width, every_name=every_name)
    return "".join(f"{plain(line)}\n" for line in lines)


def test_the_whole_page() -> None:
    """Every part has its place; what is too wide is wrapped in its column, ARNs stay whole."""
    assert page(SAMPLE) == PAGE


def test_what_was_found_is_no_would() -> None:
    """Online the page says what is."""
    text = page(replace(SAMPLE, online=True, found=True))
    assert "would be" not in text
    assert f"role       {ARN}\n" in text
    assert text.splitlines()[-1].startswith(
        "─ the step would start: 1 warning ── nothing was run ─"
    )


def test_a_failure_is_the_last_word() -> None:
    """How many checks failed, and what a run would end with."""
    failed = Check(name="expect", state="fail", evidence="account is 1, expected 2", exit_code=77)
    explained = replace(SAMPLE, checks=(*SAMPLE.checks, failed))
    assert explained.exit_code == 77
    assert "─ the step would not start: 1 check failed, 1 warning ──" in page(explained)


def test_every_name_on_demand() -> None:
    """Families of names are folded unless all are asked for."""
    text = page(SAMPLE, every_name=True)
    assert "GITHUB_00, " in text
    assert "GITHUB_29, HOME" in text


@pytest.mark.parametrize("width", [20, 40, 60])
def test_narrow_terminals(width: int) -> None:
    """Nothing is lost and nothing fails, however narrow."""
    words = set(page(SAMPLE).replace("─", " ").split())
    assert words - set(page(SAMPLE, width).replace("─", " ").split()) == set()


def test_nothing_at_all() -> None:
    """Empty lists are said, not left out."""
    text = page(
        replace(
            SAMPLE, launcher=Launcher(account_type="none"), hops=(), identity=Identity(), sts=None,
            variables=(), masks=(), names=Names(passed=("PATH",)), commands=(), finally_commands=(),
                checks=(),
        )
    )  # fmt: skip
    assert "launcher   none (account: none)" in text
    assert "role       none: the step gets no credentials" in text
    assert "removed    none" in text
    assert "masking    no secrets" in text


def test_a_step_without_a_child() -> None:
    """What calamari carries out itself is said in sentences, and nothing of a child is."""
    sentences = ("deploy stack 'net'", "refuse to replace")
    text = page(
        replace(
            SAMPLE, names=Names(), commands=(), finally_commands=(), intentions=sentences
        )
    )  # fmt: skip
    assert "  does       deploy stack 'net'\n             refuse to replace\n" in text
    for word in ("removed", "passed on", "command", "finally"):
        assert f"\n  {word} " not in text


def test_hostile_texts_are_shown_as_escapes() -> None:
    """A name that would move the cursor does not."""
    text = page(replace(SAMPLE, step="a\x1b[2Jb", names=Names(passed=("X\x1b[1mY",))))
    assert "\x1b" not in text
    assert "a\\x1b[2Jb" in text


def test_what_the_output_may_do() -> None:
    """Limits and permissions beyond the ordinary have a place on the page."""
    bounds = replace(
        SAMPLE.bounds, attempts=3, retry_codes=(7, 75), retry_delay=10.0, output_limit=50_000
    )
    page = replace(SAMPLE, bounds=bounds, service_messages=True, allow_no_mask=True)
    text = " ".join(" ".join(plain(line) for line in page_lines(page, 84)).split())
    assert "3 attempts (again after exit code 7, 75, 10s later)" in text
    assert "output limit 50,000 bytes" in text
    assert "allows commands in the output (service_messages), --no-mask (allow_no_mask)" in text
