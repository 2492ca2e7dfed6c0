"""What a run would do, put together for ``explain``. Nothing is run, and no late variable is
fetched; AWS is asked only when `online`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

from calamari_py import __version__
from calamari_py.aws import AwsSettings
from calamari_py.environment import ChildEnvironment
from calamari_py.errors import CalamariError, IdentityError
from calamari_py.output.explanation import (
    Bounds,
    CommandLine,
    Endpoint,
    Explanation,
    Hop,
    Identity,
    Launcher,
    MaskedName,
)
from calamari_py.runner.corridor import Corridor
from calamari_py.runner.execution import FINALLY_TIMEOUT, retry_delay
from calamari_py.runner.explain.checks import Facts, all_checks
from calamari_py.runner.explain.child import (
    environment_names,
    foreseen_environment,
    named_variables,
)
from calamari_py.runner.explain.foresight import foresee, ignored_selectors
from calamari_py.runner.explain.reach import Answers, look_around, takes_connections
from calamari_py.runner.identity import IdentityInputs, ResolvedIdentity
from calamari_py.runner.prepared import PreparedStep
from calamari_py.runner.specs import SCRIPT
from calamari_py.steps import STEP_KINDS
from calamari_py.steps.base import PlannedCommand

_OUR_WORDS = frozenset(
    {"account_type", "delivery", "forms", "kind", "late", "region_source", "result", "source",
     "state", "version"}
)  # fmt: skip
"""Fields that hold words of calamari's: who reads them must find them, whatever the secrets are."""
_T = TypeVar("_T")


def explain(
    corridor: Corridor, *, online: bool = False, answers: Answers = takes_connections
) -> Explanation:
    """Everything that would happen, masked, with every check. To be called inside
    `Corridor.opened`. An identity that cannot be obtained is a check that fails, a manifest that is
    not valid is a ManifestError."""
    step = corridor.prepare(tools_required=False)
    inputs = corridor.identity_inputs(step)
    identity, error = foresee(inputs), None
    if online:
        try:
            identity = corridor.identify(step, replace(inputs, name_launcher=True))
        except CalamariError as refused:
            error = refused
            if isinstance(refused, IdentityError) and refused.trace:
                identity = replace(identity, trace=refused.trace)
    # In the sandbox there is no AWS but the embedded one.
    asks_around = online and corridor.sandbox is None
    facts = Facts(
        step=step,
        identity=identity,
        found=online and error is None,
        error=error,
        defect=_defect(identity),
        commands=_commands(step.kind.preview(step.spec)) if step.spec is not None else (),
        environment=foreseen_environment(step, identity, corridor.environ)
        if step.has_child
        else ChildEnvironment(values={}, removed=(), added=(), passed=()),
        reach=look_around(step.loaded, corridor.environ, answers=answers if asks_around else None),
        isolated=corridor.options.isolate,
        policy=corridor.policing.name,
        now=identity.by_aws_clock(corridor.doors.now()),
    )
    explained = _explanation(facts, inputs, corridor, online=online)
    return _masked(explained, corridor.record.masked)


def _explanation(
    facts: Facts, inputs: IdentityInputs, corridor: Corridor, *, online: bool
) -> Explanation:
    step, identity = facts.step, facts.identity
    manifest, launcher = step.loaded.manifest, identity.launcher
    rows = identity.trace
    finally_spec = step.finally_spec
    return Explanation(
        step=manifest.name,
        kind=manifest.kind,
        version=__version__,
        project=manifest.project,
        environment=manifest.environment,
        deployment_id=manifest.deployment_id,
        online=online,
        found=facts.found,
        launcher=Launcher(
            account_type="sandbox" if corridor.sandbox else manifest.account.type,
            source=(launcher.source or None) if launcher else None,
            arn=launcher.arn if launcher else None,
            sources=rows,
            ignored=ignored_selectors(
                manifest.account.type, manifest.account.profile, rows, corridor.environ
            ),
        ),
        hops=_hops(step, identity),
        identity=_identity(facts),
        sts=_endpoint(inputs.settings, identity, corridor.environ) if launcher else None,
        variables=named_variables(step, corridor.registry),
        masks=tuple(
            MaskedName(name=name, forms=forms) for name, forms in corridor.registry.forms.items()
        ),
        names=environment_names(facts.environment),
        commands=tuple(facts.commands),
        finally_commands=_commands(STEP_KINDS[SCRIPT].preview(finally_spec))
        if finally_spec is not None
        else (),
        intentions=() if step.spec is None else tuple(step.kind.intentions(step.spec)),
        bounds=_bounds(facts),
        service_messages=manifest.service_messages,
        allow_no_mask=manifest.allow_no_mask,
        checks=all_checks(facts),
    )


def _defect(identity: ResolvedIdentity) -> str | None:
    """Why the source that would be the launcher is certain to stop the step."""
    rows = (row for row in identity.trace if row.used and row.result == "broken")
    return next((row.why for row in rows), None)


def _hops(step: PreparedStep, identity: ResolvedIdentity) -> tuple[Hop, ...]:
    """What STS would be asked, with the duration that it comes to."""
    assumed = identity.deployment.hops if identity.deployment else ()
    return tuple(
        Hop(
            role_arn=str(request.role),
            session_name=request.session_name,
            duration=hop.duration,
            clamped=hop.duration < request.duration,
            external_id=request.external_id is not None,
            policy=request.policy is not None,
            policy_arns=request.policy_arns,
            tags=dict(request.tags),
            transitive_tags=request.transitive_tags,
            default_tags=dict(request.default_tags),
            source_identity=request.source_identity,
        )
        for request, hop in zip(step.requests, assumed, strict=False)
    )


def _identity(facts: Facts) -> Identity:
    step, deployment = facts.step, facts.identity.deployment
    if deployment is None:
        return Identity(region=facts.identity.region, region_source=facts.identity.region_source)
    principal, expires_at = deployment.principal, deployment.credentials.expires_at
    expect = step.loaded.manifest.expect
    wanted = expect.account if expect else None
    return Identity(
        arn=principal.arn if principal else None,
        account=principal.account if principal else None,
        as_expected=None if wanted is None or not principal else principal.account == wanted,
        region=facts.identity.region,
        region_source=facts.identity.region_source,
        seconds=round((expires_at - facts.now).total_seconds()) if expires_at else None,
        delivery=step.delivery if step.has_child else None,
        renewed=step.renews,
    )


def _endpoint(
    settings: AwsSettings, identity: ResolvedIdentity, environ: Mapping[str, str]
) -> Endpoint | None:
    from calamari_py.aws.whereabouts import sts_url, uses_proxy

    url = sts_url(replace(settings, region=identity.region))
    if url is None:
        return None
    set_by = next(
        (
            name
            for service, name in (("sts", "AWS_ENDPOINT_URL_STS"), ("", "AWS_ENDPOINT_URL"))
            if settings.endpoints.get(service) == url
        ),
        None,
    )
    proxy = "HTTPS_PROXY" if url.startswith("https:") else "HTTP_PROXY"
    return Endpoint(url=url, set_by=set_by, proxy=proxy if uses_proxy(environ, url) else None)


def _commands(planned: tuple[PlannedCommand, ...]) -> tuple[CommandLine, ...]:
    return tuple(
        CommandLine(argv=command.argv, directory=str(command.directory)) for command in planned
    )


def _bounds(facts: Facts) -> Bounds:
    step, manifest = facts.step, facts.step.loaded.manifest
    retry, of_finally = manifest.retry, None
    grace = step.kind.default_grace if manifest.grace is None else manifest.grace
    if manifest.finally_ is not None:
        asked = getattr(manifest.finally_, "timeout", None)
        of_finally = FINALLY_TIMEOUT if asked is None else asked
    return Bounds(
        timeout=step.timeout,
        idle_timeout=manifest.idle_timeout,
        grace=grace if step.kind.starts_processes else None,
        attempts=retry.attempts,
        retry_codes=retry.on_exit_codes if retry.attempts > 1 else (),
        retry_delay=retry_delay(retry) if retry.attempts > 1 else None,
        output_limit=manifest.output_limit,
        finally_timeout=of_finally,
        isolated=facts.isolated,
    )


def _masked(value: _T, mask: Callable[[str], str]) -> _T:
    """`value` with every text in it masked."""
    return cast("_T", _mask_any(value, mask))


def _mask_any(value: Any, mask: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, tuple):
        return tuple(_mask_any(item, mask) for item in value)
    if isinstance(value, dict):
        return {mask(key): _mask_any(item, mask) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: _mask_any(getattr(value, field.name), mask)
            for field in dataclasses.fields(value)
            if field.name not in _OUR_WORDS
        }
        return replace(value, **fields)
    return value
