"""IAM's wildcards: ``*`` for any characters, ``?`` for one, everything else for itself."""

from __future__ import annotations

from fnmatch import fnmatchcase

_ARN_PARTS = 6


def is_like(text: str, pattern: str) -> bool:
    """Whether the whole of `text` fits `pattern`, letter case included; ``*`` crosses ``/``."""
    return fnmatchcase(text, pattern.replace("[", "[[]"))


def is_arn_like(arn: str, pattern: str) -> bool:
    """The same for ARNs as IAM's ArnLike has it: each of the six parts by itself.

    So the ``*`` of an account never reaches into the role's path, which may hold colons.
    """
    found, wanted = arn.split(":", _ARN_PARTS - 1), pattern.split(":", _ARN_PARTS - 1)
    return len(found) == len(wanted) == _ARN_PARTS and all(map(is_like, found, wanted))
