"""What a run would mask and what it would not, put together for ``explain --masking``. Nothing is
run or asked."""

from __future__ import annotations

from collections.abc import Iterator

from calamari_py.delivery import DELIVERIES
from calamari_py.masking import MASK
from calamari_py.output._masking_page import (
    LaterSecret,
    MaskedRun,
    MaskedSecret,
    MaskingPage,
    UnmaskedSecret,
)
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.explain.last_run import LastRun
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.report import step_header
from calamari_py.runner.unmasked import unmasked_secrets
from calamari_py.variables import LateVariable


def explain_masking(corridor: Corridor, last: LastRun | None = None) -> MaskingPage:
    """Every secret of the step by name. To be called inside `Corridor.opened`. `last` is a run of
    it that is over."""
    step = corridor.prepare(tools_required=False, warn_of_secrets=False)
    mask, registry = corridor.record.masked, corridor.registry
    counted = last is not None and not last.off
    hits = dict(last.hits) if last and counted else {}

    def hits_of(name: str) -> int | None:
        return hits.pop(mask(name), 0) if counted else None

    masked = tuple(
        MaskedSecret(
            name=mask(name),
            forms=forms,
            warnings=_warnings(name, registry.warnings),
            hits=hits_of(name),
        )
        for name, forms in registry.forms.items()
    )
    masked += tuple(_overruled(step, corridor))
    later = [
        LaterSecret(name=mask(late.name), when=mask(_when(late)), hits=hits_of(late.name))
        for late in step.loaded.late
    ]
    later += [LaterSecret(name=mask(name), when=mask(when)) for name, when in _credentials(step)]
    # What is left became a secret on the way: the credentials' parts, and what the step declared.
    later += [
        LaterSecret(name=mask(name), when=mask("known in that run"), hits=count)
        for name, count in hits.items()
    ]
    unmasked = unmasked_secrets(step.loaded.variables, registry)
    return MaskingPage(
        header=step_header(step.loaded.manifest, mask),
        short_secrets=corridor.options.short_secrets,
        ansi_aware=corridor.options.ansi_aware,
        allow_no_mask=step.loaded.manifest.allow_no_mask,
        values=len(registry),
        masked=masked,
        unmasked=tuple(
            UnmaskedSecret(name=mask(name), why=mask(why)) for name, why in unmasked.items()
        ),
        later=tuple(later),
        run=MaskedRun(step=mask(last.step), ended_at=last.ended_at, off=last.off) if last else None,
    )


def _warnings(name: str, sentences: tuple[str, ...]) -> tuple[str, ...]:
    """What is odd about the secret `name`, without its name."""
    about = f"secret '{name}' "
    return tuple(text.removeprefix(about) for text in sentences if text.startswith(about))


def _overruled(step: PreparedStep, corridor: Corridor) -> Iterator[MaskedSecret]:
    """The variables whose ``mask: false`` changes nothing."""
    for name, variable in step.loaded.variables.items():
        if variable.sensitive and not variable.mask \
                and corridor.record.masked(variable.text.strip()) == MASK:  # fmt: skip
            yield MaskedSecret(
                name=corridor.record.masked(name),
                forms=(),
                warnings=("masked all the same: its value is a secret of another name",),
            )


def _when(late: LateVariable) -> str:
    when = f"{late.source}: known when fetched"
    if not late.mask:
        return f"{when}; not masked unless AWS keeps it as a secret ({late.reason})"
    return when if late.sensitive else f"{when}; masked if AWS keeps it as a secret"


def _credentials(step: PreparedStep) -> Iterator[tuple[str, str]]:
    """What is a secret as soon as it is there: in words, and when that is."""
    if step.loaded.manifest.account.type == "none":
        return
    yield "the launcher's credentials", "known when it is found"
    if step.requests:
        yield "the step's credentials", "known when the role is assumed"
    if step.has_child and DELIVERIES[step.delivery].renews:
        yield "the credential server's token", "made when the step starts"
