"""The revisions of a release, as Helm keeps them, and which of them ever were deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from calamari_py.errors import ToolFailed

_NEVER_DEPLOYED = re.compile(
    r"Preparing upgrade|Initial install underway|Dry run complete|superseded by new release$"
    r"|(Release|Upgrade|Rollback) \"[^\"]*\" failed"
)
"""How the descriptions begin that Helm gives what did not come to its end, or was uninstalled with
its history kept. Such a revision becomes superseded like any other, by the upgrade that follows, or
by a rollback that fails.
Source: helm.sh/helm/v3 pkg/action, install.go upgrade.go rollback.go."""
_BACK = re.compile(r"Rollback to (\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One line of ``helm history``. `updated` is None where Helm says none that can be read."""

    number: int
    status: str
    updated: datetime | None = None
    chart: str = ""
    app_version: str = ""
    description: str = ""

    @property
    def is_pending(self) -> bool:
        """Somebody is at it, or was when it died."""
        return self.status.startswith("pending-") or self.status == "uninstalling"

    @property
    def was_deployed(self) -> bool:
        """It is deployed now, or once was."""
        if self.status == "deployed":
            return True
        return self.status == "superseded" and not _NEVER_DEPLOYED.match(self.description)

    @property
    def back_to(self) -> int | None:
        """The revision that it is again, None for one that is no rollback."""
        found = _BACK.match(self.description)
        return int(found[1]) if found else None


def read_history(stdout: bytes) -> tuple[Revision, ...]:
    """``helm history -o json``, the oldest first. ToolFailed where it is none."""
    try:
        document = json.loads(stdout)
        found = [_revision(each) for each in document]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ToolFailed("what helm says of the release's history cannot be read") from error
    return tuple(sorted(found, key=lambda each: each.number))


def last_deployed(revisions: Sequence[Revision], *, before: int | None = None) -> Revision | None:
    """The newest that was deployed, of those before the revision `before`: the one that is deployed
    now goes before any that was. One that somebody rolled back from is no place to go back to, as
    long as there is another one."""
    left = {one.number for one, other in pairwise(revisions)
            if other.back_to is not None and other.back_to < one.number}  # fmt: skip
    known = [each for each in revisions if before is None or each.number < before]
    was_deployed = [each for each in known if each.was_deployed]
    good = [each for each in was_deployed if each.number not in left] or was_deployed
    deployed = [each for each in good if each.status == "deployed"]
    return next(reversed(deployed or good), None)


def last_before(revisions: Sequence[Revision]) -> Revision | None:
    """The newest that was deployed before what the last one is: that is what it was gone back to,
    where it is a rollback."""
    by_number = {each.number: each for each in revisions}
    place = revisions[-1]
    while (back := place.back_to) is not None and back < place.number and back in by_number:
        place = by_number[back]
    return last_deployed(revisions, before=place.number)


def _revision(row: dict[str, object]) -> Revision:
    return Revision(
        number=int(str(row["revision"])),
        status=str(row["status"]),
        updated=_moment(str(row.get("updated", ""))),
        chart=str(row.get("chart", "")),
        app_version=str(row.get("app_version", "")),
        description=str(row.get("description", "")),
    )


def _moment(text: str) -> datetime | None:
    """Go writes nanoseconds, of which there may be any number."""
    cut = re.sub(r"(\.\d{6})\d+", r"\1", text)
    cut = re.sub(r"\.(\d{1,5})(?=[Z+-])", lambda found: f".{found[1]:0<6}", cut)
    try:
        moment = datetime.fromisoformat(cut)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
