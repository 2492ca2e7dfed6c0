"""``calamari credentials``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

import click

from calamari_py.__main__ import print_step_credentials
from calamari_py.cli._answer import require_stdout, write_out
from calamari_py.cli._invocation import begin, identity_options
from calamari_py.credentials import SOURCES
from calamari_py.errors import IdentityError, UsageError
from calamari_py.output._brief import brief_reporter
from calamari_py.runner.inquiry import credentials

_WITHOUT_FIELDS = ("ambient", "profile", "auto")
CALLS_VARIABLE = "CALAMARI_CREDENTIALS_CALLS"
"""The calls of this command that led to this one, a line each: a profile's credential_process may
lead back to where it began."""
_PINNABLE = ("auto", *(name for name in SOURCES if name != "profile"))


@click.command(short_help="Print credentials for a credential_process.")
@click.argument("manifest", metavar="[MANIFEST]", required=False)
@identity_options
@click.option("--launcher", is_flag=True, help="The launcher's own credentials; assume no role.")
@click.option(
    "--account",
    type=click.Choice(_WITHOUT_FIELDS),
    help="Without a manifest: the account type whose launcher to find; else ambient.",
)
@click.option(
    "--source",
    type=click.Choice(_PINNABLE),
    help="Without a manifest: the one ambient source to ask; auto, the default, asks them all.",
)
@click.option(
    "--profile",
    metavar="PROFILE",
    help="Without a manifest: the profile of the shared config files.",
)
@click.option("--show", is_flag=True, help="Print the secrets even where stdout is a terminal.")
@click.option(
    "--from-step", is_flag=True, hidden=True, help="Ask the credential server of the step inside."
)
def command(**options: Any) -> int:
    """Print the credentials of the step in MANIFEST as the JSON of a credential_process.

    In ~/.aws/config:

    \b
    [profile deploy]
    credential_process = /usr/local/bin/calamari credentials /srv/deploy.yaml

    They are those of the deployment role, checked against `expect`; --launcher gives the
    launcher's own. Without MANIFEST: the launcher that --account, --source and --profile find.
    Nothing is started. Secrets go to stdout and nowhere else; a failure is one line on stderr
    (more with -v).
    """
    require_stdout()
    if options["from_step"]:
        print_step_credentials()
    if sys.stdout.isatty() and not options["show"]:
        raise UsageError(
            "stdout is a terminal, and this prints secrets",
            hint="let a program read them; with --show they are printed all the same",
        )
    text = None if options["manifest"] else _launcher_manifest(options)
    if options["manifest"]:
        _refuse_account_options(options)
    _refuse_circle(options)
    is_talkative = options["verbose"] or options["trace_credentials"]
    invocation = begin(
        {**options, "manifest": options["manifest"] or "-"},
        manifest_text=text,
        by_hand=True,
        make_reporter=None if is_talkative else brief_reporter,
    )
    return invocation.visit(
        lambda corridor: credentials(
            corridor,
            lambda document: write_out(invocation, document),
            of_launcher=options["launcher"] or text is not None,
        )
    )


def _refuse_circle(options: Mapping[str, Any]) -> None:
    """Refuse a call that is on the way already, and note this one for those that it leads to."""
    manifest = os.path.realpath(options["manifest"]) if options["manifest"] else None
    asked = (manifest, *(options[name] for name in ("launcher", "account", "source", "profile")))
    call = json.dumps(asked)
    calls = os.environ.get(CALLS_VARIABLE, "").splitlines()
    if call in calls:
        raise IdentityError(
            "the credential_process of a profile leads back to itself",
            hint="in its manifest name the account it starts from: AWS_PROFILE may name the "
            "profile that calls",
        )
    os.environ[CALLS_VARIABLE] = "\n".join([*calls, call])


def _launcher_manifest(options: Mapping[str, Any]) -> bytes:
    """A manifest that says no more than where its launcher comes from."""
    source, profile = options["source"], options["profile"]
    type_ = options["account"] or ("profile" if profile else "ambient")
    for option, value, wanted in (
        ("--source", source, "ambient"),
        ("--profile", profile, "profile"),
    ):
        if value and type_ != wanted:
            raise UsageError(
                f"{option} does not go with account type '{type_}'",
                hint=f"write --account {wanted}, or leave out {option}",
            )
    account = {"type": type_, "source": source, "profile": profile}
    document = {
        "name": "calamari",
        "account": {name: value for name, value in account.items() if value},
        "script": "true",
    }
    return json.dumps(document).encode()


def _refuse_account_options(options: Mapping[str, Any]) -> None:
    for name in ("account", "source", "profile"):
        if options[name]:
            raise UsageError(
                f"--{name} is for calls without a manifest, and '{options['manifest']}' is one",
                hint=f"leave out --{name}: the manifest's account section says it",
            )
