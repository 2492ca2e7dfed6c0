"""The page of ``calamari explain``: the header of a run with *would*, and what stands behind it."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from calamari_py.identity import TAG_PREFIX
from calamari_py.output._frame import caption
from calamari_py.output._lines import MARGIN, Line, Span, Tone, columns, hang, rule
from calamari_py.output._words import (
    cells,
    format_count,
    format_seconds,
    format_validity,
    printable,
)
from calamari_py.output.explanation import Check, CommandLine, Explanation, Hop

_MANY = 16
"""More names than these are shown by what they begin with, unless all are asked for."""
_FAMILY = 4
_PLAIN_WORD = re.compile(r"[\w{}@%+=:,./-]+")
_TONES: dict[str, Tone] = {"ok": "good", "warn": "warn", "fail": "bad"}
_SOURCE_TONES: dict[str, Tone] = {"broken": "bad", "absent": "faint", "not tried": "faint"}
_DELIVERIES = {
    "env": "env: in environment variables",
    "endpoint": "endpoint: from a local server that renews them",
    "profile": "profile: by a private config file, from a local server that renews them",
}


def page_lines(explained: Explanation, width: int, *, every_name: bool = False) -> list[Line]:
    """The page, wrapped at `width` columns; what people paste stays whole. Long lists of names are
    folded unless `every_name`."""
    page = _Page(width, "" if explained.found else "would be ", every_name=every_name)
    return [
        *_title(explained, width),
        *page.launcher(explained),
        *page.roles(explained),
        *page.identity(explained),
        rule([], width),
        *page.child(explained),
        *page.commands(explained),
        *page.checks(explained.checks),
        _verdict(explained, width),
    ]


def _title(explained: Explanation, width: int) -> list[Line]:
    """As a run's; see `calamari_py.output._frame.title_lines`."""
    about = [explained.project, explained.environment, explained.deployment_id]
    right = " · ".join(printable(part) for part in about if part)
    name = Span(printable(explained.step), "strong")
    if right and cells(right) + cells(name.text) + 8 > width:
        return [rule([name], width), (Span(MARGIN), Span(right, "faint"))]
    return [rule([name], width, right=Span(right, "faint") if right else None)]


def _verdict(explained: Explanation, width: int) -> Line:
    tone: Tone = "bad" if explained.exit_code else "good"
    asked = "nothing was run" if explained.online else "nothing was asked or run"
    return rule([Span(explained.verdict, tone), Span(asked)], width)


class _Page:
    """The page's sections; `would` stands before what is foreseen."""

    def __init__(self, width: int, would: str, *, every_name: bool) -> None:
        self._width = width
        self._would = would
        self._every_name = every_name

    def launcher(self, explained: Explanation) -> Iterator[Line]:
        """Who calls STS, and what there is to choose from."""
        launcher = explained.launcher
        if launcher.account_type == "none":
            yield from self._row("launcher", "none (account: none)")
        elif launcher.arn:
            source = Span(f"   {printable(launcher.source or '')}", "faint")
            yield (caption("launcher"), Span(printable(f"{self._would}{launcher.arn}")), source)
        elif launcher.source:
            yield from self._row("launcher", f"{self._would}what '{launcher.source}' gives")
        else:
            yield from self._row("launcher", "not known before a source is asked")
        yield from self._sources(explained)
        if launcher.ignored:
            yield from self._row("ignored", ", ".join(launcher.ignored), "faint")

    def _sources(self, explained: Explanation) -> Iterator[Line]:
        rows = explained.launcher.sources
        if not rows:
            return
        # The last column is never empty: with it, the first two are always the filled ones.
        cell_rows = columns([[row.source, row.result, printable(row.why) or " "] for row in rows])
        for row, (source, result, why) in zip(rows, cell_rows, strict=True):
            tone: Tone = "strong" if row.used else _SOURCE_TONES.get(row.result, "plain")
            head = (caption(""), Span(f"{source}   ", "faint"), Span(f"{result}   ", tone))
            yield from self._hang(head, why, "plain" if row.present else "faint")

    def roles(self, explained: Explanation) -> Iterator[Line]:
        """What STS is asked for, hop by hop, and what it makes of the last."""
        for number, hop in enumerate(explained.hops, 1):
            chained = f" {number}" if len(explained.hops) > 1 else ""
            yield from self._row(f"assumes{chained}", hop.role_arn)
            yield from self._row("", _hop_facts(hop), "faint")
        arn = explained.identity.arn
        if arn:
            yield (caption("role"), Span(printable(f"{self._would}{arn}"), "strong"))
        elif explained.launcher.account_type == "none":
            yield from self._row("role", "none: the step gets no credentials")
        else:
            yield from self._row("role", "none: the step runs as the launcher", "warn")

    def identity(self, explained: Explanation) -> Iterator[Line]:
        """Account, region, lifetime; how the child is given it; whom calamari asks."""
        identity = explained.identity
        facts = []
        if identity.account:
            expected = {True: " (as expected)", False: " (not as expected)", None: ""}
            facts.append(f"{identity.account}{expected[identity.as_expected]}")
        if identity.region:
            facts.append(f"region {identity.region} ({identity.region_source})")
        if identity.seconds is not None:
            facts.append(f"valid for {format_validity(identity.seconds)}")
        if facts:
            name = "account" if identity.account else ""
            yield (caption(name), Span(printable("   ".join(facts))))
        if identity.delivery:
            how = _DELIVERIES.get(identity.delivery, identity.delivery)
            yield from self._row("delivery", how)
        if explained.sts:
            sts = explained.sts
            by = f" ({sts.set_by})" if sts.set_by else ""
            through = f", through {sts.proxy}" if sts.proxy else ""
            yield from self._row("sts", f"{sts.url}{by}{through}")

    def child(self, explained: Explanation) -> Iterator[Line]:
        """What the child gets, by name, and what is masked."""
        if any((explained.names.removed, explained.names.added, explained.names.passed)):
            yield from self._row("removed", self._listed(explained.names.removed), "faint")
            yield from self._row("added", self._listed(explained.names.added))
            yield from self._row("passed on", self._listed(explained.names.passed), "faint")
        variables = []
        for variable in explained.variables:
            marks = {
                "sensitive": variable.sensitive,
                "not masked": variable.sensitive and not variable.masked,
                f"{variable.late}, not fetched": variable.late is not None,
                "withheld": variable.withheld,
            }
            said = ", ".join(mark for mark, holds in marks.items() if holds)
            variables.append(f"{variable.name} ({said})" if said else variable.name)
        if variables:
            yield from self._row("variables", ", ".join(variables))
        yield from self._masks(explained)

    def _masks(self, explained: Explanation) -> Iterator[Line]:
        by_forms: dict[tuple[str, ...], list[str]] = {}
        for mask in explained.masks:
            by_forms.setdefault(mask.forms, []).append(mask.name)
        rows = [f"{', '.join(names)}: {', '.join(forms)}" for forms, names in by_forms.items()]
        obtains = explained.identity.delivery or explained.intentions
        if obtains and not explained.found:
            rows.append("the credentials, once they are obtained")
        for index, row in enumerate(rows or ["no secrets"]):
            yield from self._row("" if index else "masking", row)

    def _listed(self, names: Sequence[str]) -> str:
        if len(names) > _MANY and not self._every_name:
            names = _folded(names)
        return ", ".join(names) or "none"

    def commands(self, explained: Explanation) -> Iterator[Line]:
        """What is done, what is started, where, and for how long."""
        for index, intention in enumerate(explained.intentions):
            yield from self._row("" if index else "does", intention, "strong")
        directory = ""
        for name, commands in (
            ("command", explained.commands),
            ("finally", explained.finally_commands),
        ):
            for command in commands:
                yield (caption(name), Span(printable(_shell_text(command)), "strong"))
                if command.directory != directory:
                    directory = command.directory
                    yield from self._row("", f"in {directory}", "faint")
        yield from self._row("limits", _limits(explained))
        allowed = {
            "commands in the output (service_messages)": explained.service_messages,
            "--no-mask (allow_no_mask)": explained.allow_no_mask,
        }
        if any(allowed.values()):
            yield from self._row("allows", ", ".join(text for text in allowed if allowed[text]))

    def checks(self, checks: Sequence[Check]) -> Iterator[Line]:
        """One row each, and what to do about it."""
        yield rule([Span("checks")], self._width)
        longest = max((cells(check.name) for check in checks), default=0)
        for check in checks:
            tone = _TONES[check.state]
            head = (Span(f"{MARGIN}{check.state:<4}  ", tone), Span(f"{check.name:<{longest}}   "))
            yield from self._hang(head, check.evidence)
            if check.hint:
                before = Span(" " * (cells(MARGIN) + 6 + longest + 3))
                yield from self._hang(
                    (before, Span("hint: ", "cure")), " ".join(check.hint.splitlines())
                )

    def _row(self, name: str, text: str, tone: Tone = "plain") -> list[Line]:
        return self._hang((caption(name),), text, tone)

    def _hang(self, head: Sequence[Span], text: str, tone: Tone = "plain") -> list[Line]:
        return hang(head, text, self._width, tone)


def _hop_facts(hop: Hop) -> str:
    """How a role is assumed, after its ARN."""
    facts = [f"for {format_validity(hop.duration)}{' (clamped)' if hop.clamped else ''}"]
    facts += ["external id"] * hop.external_id
    facts += ["session policy"] * hop.policy
    facts += [f"policy {arn}" for arn in hop.policy_arns]
    if hop.source_identity:
        facts.append(f"source identity {hop.source_identity}")
    for key, value in hop.tags.items():
        transitive = " (transitive)" if key in hop.transitive_tags else ""
        facts.append(f"tag {key}={value}{transitive}")
    if hop.default_tags:
        keys = ", ".join(key.removeprefix(TAG_PREFIX) for key in hop.default_tags)
        facts.append(f"tags {TAG_PREFIX}{{{keys}}}")
    return ", ".join(facts)


def _limits(explained: Explanation) -> str:
    bounds = explained.bounds
    facts = [f"timeout {_time(bounds.timeout)}"]
    if bounds.idle_timeout is not None:
        facts.append(f"idle timeout {_time(bounds.idle_timeout)}")
    if bounds.grace is not None:
        facts.append(f"grace {_time(bounds.grace)}")
    if bounds.attempts > 1:
        codes = ", ".join(map(str, bounds.retry_codes))
        again = f"again after exit code {codes}, {_time(bounds.retry_delay)} later"
        facts.append(f"{format_count(bounds.attempts, 'attempt')} ({again})")
    if bounds.finally_timeout is not None:
        facts.append(f"finally {_time(bounds.finally_timeout)}")
    if bounds.output_limit is not None:
        facts.append(f"output limit {bounds.output_limit:,} bytes")
    facts += ["isolated"] * bounds.isolated
    return ", ".join(facts)


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "none"
    whole = seconds == int(seconds) and seconds < 60
    return f"{int(seconds)}s" if whole else format_seconds(seconds)


def _shell_text(command: CommandLine) -> str:
    """The command as it would be typed; ``{private}`` needs no quotes to be read."""
    return " ".join(
        word if _PLAIN_WORD.fullmatch(word) else shlex.quote(word) for word in command.argv
    )


def _folded(names: Sequence[str]) -> list[str]:
    """`names`, where large families that begin alike are one entry: ``GITHUB_* (31)``. Those of
    AWS are what the page is about: they stay."""
    families = Counter(name.partition("_")[0] for name in names if "_" in name)
    folded: dict[str, None] = {}
    for name in names:
        family = name.partition("_")[0]
        is_folded = "_" in name and families[family] >= _FAMILY and family != "AWS"
        folded[f"{family}_* ({families[family]})" if is_folded else name] = None
    return list(folded)
