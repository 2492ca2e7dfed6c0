"""Answers that lack what CloudFormation always says: it is not CloudFormation that answers, or not
as it should. The next answer may be one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from calamari_py.errors import CloudError

_SERVICE = "cloudformation"


@contextmanager
def expected(operation: str) -> Iterator[None]:
    """Around the reading of an answer: CloudError ``UnexpectedAnswer`` where a part is missing."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise CloudError(
            f"{_SERVICE}:{operation} was answered with something that is none of CloudFormation's "
            "answers",
            service=_SERVICE,
            operation=operation,
            code="UnexpectedAnswer",
            hint="something may answer in the place of AWS; check HTTPS_PROXY and the endpoint",
        ) from error
