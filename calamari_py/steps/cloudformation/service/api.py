"""StackApi: CloudFormation in our values. It decides nothing and waits for nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from calamari_py.errors import CalamariError, CloudError, Temporary
from calamari_py.steps.base import AwsCalls
from calamari_py.steps.cloudformation.changes.ownership import token_of
from calamari_py.steps.cloudformation.service import answers, places, refused, requests
from calamari_py.steps.cloudformation.service.expected import expected
from calamari_py.steps.cloudformation.service.retained import retained
from calamari_py.steps.cloudformation.spec import StackSpec, Template, TemplateFacts
from calamari_py.steps.cloudformation.states import ChangeSetKind
from calamari_py.steps.cloudformation.values import (
    STACK_TYPE,
    Change,
    ChangeSet,
    Stack,
    StackEvent,
)

_NESTED_DEPTH = 20
_DIAGNOSIS_SECONDS = 10.0


class StackApi:
    """CloudFormation as the step's role.

    Every method raises CloudError (Temporary when it is worth another try); one for a refusal names
    the action that is missing. `stack_id` and `change_set_id` are ARNs. `seen` is told of every
    stack that was found.
    """

    def __init__(self, calls: AwsCalls, *, seen: Callable[[Stack], None] = lambda _: None) -> None:
        self.calls = calls
        self._seen = seen

    def find(self, name_or_id: str) -> Stack | None:
        """The stack; None only when AWS says that it does not exist. A deleted one is found by its
        ARN."""
        try:
            answer = self._ask("DescribeStacks", {"StackName": name_or_id}, name_or_id)
        except CloudError as error:
            if refused.is_missing_stack(error, name_or_id):
                return None
            raise
        with expected("DescribeStacks"):
            stack = answers.stack(answer["Stacks"][0])
        self._seen(stack)
        return stack

    def template_facts(self, template: Template) -> TemplateFacts | None:
        """What the template says of itself: AWS reads one that has a URL. None where AWS may not
        be asked."""
        if template.url is None:
            return template.facts
        params = {"TemplateURL": self.template_url(template.url)}
        try:
            answer = self._ask("GetTemplateSummary", params, "", f"template '{template.shown}'")
        except CloudError as error:
            if refused.is_denied(error):
                return None
            raise
        with expected("GetTemplateSummary"):
            return answers.summary_facts(answer)

    def stack_facts(self, stack: str) -> TemplateFacts | None:
        """The same of the template that a stack (its name or ARN) has. A CloudError where there is
        no such stack."""
        try:
            answer = self._ask("GetTemplateSummary", {"StackName": stack}, stack)
        except CloudError as error:
            if refused.is_denied(error):
                return None
            raise
        with expected("GetTemplateSummary"):
            return answers.summary_facts(answer)

    def retained_by_template(self, stack_id: str) -> frozenset[str] | None:
        """The resources that the stack's template keeps when it is deleted, macros carried out;
        None where it may not or cannot be read."""
        params = {"StackName": stack_id, "TemplateStage": "Processed"}
        try:
            answer = self._ask("GetTemplate", params, stack_id)
        except CloudError as error:
            if isinstance(error, Temporary):
                raise
            return None
        return retained(answer.get("TemplateBody") or "")

    def event_pages(
        self, stack_id: str, *, path: tuple[str, ...] = ()
    ) -> Iterator[tuple[StackEvent, ...]]:
        """The stack's events, newest first; a page is asked for when it is taken."""
        for page in self._pages("DescribeStackEvents", {"StackName": stack_id}, stack_id):
            with expected("DescribeStackEvents"):
                events = tuple(answers.event(item, path) for item in page.get("StackEvents") or ())
            yield events

    def create_change_set(
        self,
        spec: StackSpec,
        *,
        name: str,
        kind: ChangeSetKind,
        template_url: str | None,
        token: str,
        for_approval: bool = False,
    ) -> tuple[str, str]:
        """Begin to make a change set; its ARN and the stack's. One that this very `token` has made
        already is the answer to a call that was made twice. It says of itself whether it is
        left `for_approval`."""
        params = requests.change_set(
            spec, name=name, kind=kind, token=token, for_approval=for_approval
        )
        if template_url is not None:
            params["TemplateURL"] = template_url
        elif spec.template is not None:
            params["TemplateBody"] = spec.template.text
        elif kind != "CREATE":
            params["UsePreviousTemplate"] = True
        try:
            answer = self._ask("CreateChangeSet", params, spec.stack_name)
        except CloudError as error:
            if error.code != "AlreadyExistsException":
                raise
            answer = self._describe({"ChangeSetName": name, "StackName": spec.stack_name})
            if token_of(answer.get("Description", "")) != token:
                raise error from None
            with expected("DescribeChangeSet"):
                return answer["ChangeSetId"], answer["StackId"]
        with expected("CreateChangeSet"):
            return answer["Id"], answer["StackId"]

    def change_set_state(self, change_set_id: str) -> ChangeSet:
        """The change set without its changes: one call, for waiting."""
        return answers.change_set(self._describe({"ChangeSetName": change_set_id}))

    def change_set(self, change_set_id: str) -> ChangeSet:
        """The change set with all its changes, those of nested stacks after their parent's. Nested
        ones that cannot be read, or were never made, are `unread`."""
        return _Reading(self).read(change_set_id)

    def named_change_set(self, stack: str, name: str) -> ChangeSet | None:
        """The change set of that name of a stack (its name or ARN), without its changes; None when
        AWS says that one of the two does not exist."""
        try:
            return answers.change_set(self._describe({"ChangeSetName": name, "StackName": stack}))
        except CloudError as error:
            if refused.is_missing_change_set(error) or refused.is_missing_stack_of(error, stack):
                return None
            raise

    def change_sets(self, stack_id: str) -> tuple[ChangeSet, ...]:
        """All change sets of the stack, without their changes; none where AWS says that there is
        no such stack."""
        pages = self._pages("ListChangeSets", {"StackName": stack_id}, stack_id)
        try:
            return tuple(
                answers.change_set(item) for page in pages for item in page.get("Summaries") or ()
            )
        except CloudError as error:
            if refused.is_missing_stack_of(error, stack_id):
                return ()
            raise

    def execute(self, change_set_id: str, *, token: str, keep: bool) -> None:
        """Begin to carry out a change set; `keep` what was done when it fails."""
        # AWS documents True as the default of DisableRollback: it is always said.
        params = {
            "ChangeSetName": change_set_id,
            "ClientRequestToken": token,
            "DisableRollback": keep,
        }
        self._ask("ExecuteChangeSet", params, "", places.named("change set", change_set_id))

    def delete_change_set(self, change_set_id: str) -> None:
        """Delete a change set; that it is gone already is fine."""
        params = {"ChangeSetName": change_set_id}
        try:
            self._ask("DeleteChangeSet", params, "", places.named("change set", change_set_id))
        except CloudError as error:
            if not refused.is_missing_change_set(error):
                raise

    def delete_stack(
        self, stack_id: str, *, token: str, role_arn: str | None, retain: Sequence[str] = ()
    ) -> None:
        """Begin to delete the stack. AWS takes `retain` for a stack in DELETE_FAILED only."""
        params = requests.operation(stack_id, token, role_arn)
        if retain:
            params["RetainResources"] = list(retain)
        self._ask("DeleteStack", params, stack_id)

    def continue_rollback(
        self, stack_id: str, *, token: str, role_arn: str | None, skip: Sequence[str] = ()
    ) -> None:
        """Go on with the rollback of a stack in UPDATE_ROLLBACK_FAILED."""
        params = requests.operation(stack_id, token, role_arn)
        if skip:
            params["ResourcesToSkip"] = list(skip)
        self._ask("ContinueUpdateRollback", params, stack_id)

    def roll_back(self, stack_id: str, *, token: str, role_arn: str | None) -> None:
        """Roll back a stack in CREATE_FAILED or UPDATE_FAILED; one that was never steady is deleted
        by that."""
        self._ask("RollbackStack", requests.operation(stack_id, token, role_arn), stack_id)

    def cancel_update(self, stack_id: str, *, token: str) -> None:
        """Stop an update that runs; the stack is rolled back."""
        self._ask("CancelUpdateStack", requests.operation(stack_id, token, None), stack_id)

    def stack_policy(self, stack_id: str) -> str | None:
        """The stack policy (JSON); None where there is none."""
        answer = self._ask("GetStackPolicy", {"StackName": stack_id}, stack_id)
        return answer.get("StackPolicyBody") or None

    def set_stack_policy(self, stack_id: str, body: str) -> None:
        """Replace the stack policy by `body` (JSON)."""
        params = {"StackName": stack_id, "StackPolicyBody": body}
        self._ask("SetStackPolicy", params, stack_id)

    def set_termination_protection(self, stack_id: str, on: bool) -> None:
        """Turn the termination protection on or off."""
        params = {"StackName": stack_id, "EnableTerminationProtection": on}
        self._ask("UpdateTerminationProtection", params, stack_id)

    def template_url(self, url: str) -> str:
        """The https URL of a template: an ``s3://`` one as this partition and region have it."""
        return places.template_url(url, self.calls.region, self.calls.partition)

    def store_template(self, bucket: str, key: str, text: str) -> str:
        """Put the template into the bucket of the step's own account; its https URL.

        What lies there under `key` is never taken for it: others may write to the bucket, too.
        Where the bucket keeps versions, the URL names the one that was written.
        """
        params: dict[str, Any] = {
            "Bucket": bucket,
            "Key": key,
            "Body": text.encode("utf-8", "surrogateescape"),
            "ContentType": "application/json" if key.endswith(".json") else "text/yaml",
        }
        subject = f"bucket '{bucket}'"
        if self.calls.account:
            params["ExpectedBucketOwner"] = self.calls.account
            subject += f" of account {self.calls.account}"
        answer = self._ask("PutObject", params, "", subject, service="s3")
        url = places.object_url(bucket, key, self.calls.region, self.calls.partition)
        version = answer.get("VersionId")
        return f"{url}?versionId={quote(version)}" if version else url

    def decode(self, message: str) -> str | None:
        """An encoded authorization message in clear (JSON); None when that is not to be had: it is
        a diagnosis, and never the reason for a failure."""
        try:
            answer = self.calls.call(
                "sts",
                "DecodeAuthorizationMessage",
                {"EncodedMessage": message},
                budget=_DIAGNOSIS_SECONDS,
            )
        except CalamariError:
            return None
        return answer.get("DecodedMessage")

    def _describe(self, params: Mapping[str, Any]) -> Mapping[str, Any]:
        subject = places.named("change set", params["ChangeSetName"])
        answer = self._ask("DescribeChangeSet", params, "", subject)
        with expected("DescribeChangeSet"):
            return {**answer, "Status": answer["Status"]}

    def _pages(
        self, operation: str, params: Mapping[str, Any], stack: str, subject: str = ""
    ) -> Iterator[Mapping[str, Any]]:
        token: str | None = None
        while True:
            more = {"NextToken": token} if token else {}
            page = self._ask(operation, {**params, **more}, stack, subject)
            yield page
            token = page.get("NextToken")
            if not token:
                return

    def _ask(
        self,
        operation: str,
        params: Mapping[str, Any],
        stack: str,
        subject: str = "",
        *,
        service: str = "cloudformation",
    ) -> Mapping[str, Any]:
        subject = subject or places.named("stack", stack)
        try:
            return self.calls.call(service, operation, params, subject=subject)
        except CloudError as error:
            if refused.is_denied(error):
                raise refused.denied(error, subject) from error
            raise


class _Reading:
    """One change set being read, with the nested ones: each once, and only so deep."""

    def __init__(self, api: StackApi) -> None:
        self._api = api
        self._changes: list[Change] = []
        self._unread: list[str] = []
        self._seen: set[str] = set()

    def read(self, change_set_id: str) -> ChangeSet:
        first = self._read(change_set_id, ())
        return answers.with_changes(first, self._changes, self._unread)

    def _read(self, change_set_id: str, path: tuple[str, ...]) -> ChangeSet:
        self._seen.add(change_set_id)
        subject = places.named("change set", change_set_id)
        pages = self._api._pages("DescribeChangeSet", {"ChangeSetName": change_set_id}, "", subject)
        found = None
        own: list[Change] = []
        for page in pages:
            found = found or answers.change_set(page)
            own.extend(answers.changes(page, path))
        assert found is not None
        for change in own:
            self._changes.append(change)
            if change.resource_type == STACK_TYPE:
                self._read_nested(change)
        return found

    def _read_nested(self, change: Change) -> None:
        path = (*change.path, change.logical_id)
        if change.nested in self._seen:
            return
        if change.nested is None or len(path) > _NESTED_DEPTH:
            # A new stack has nothing to lose, and of one that goes everything goes.
            if change.action not in ("Add", "Remove"):
                self._unread.append(change.shown_id)
            return
        try:
            found = self._read(change.nested, path)
        except Temporary:
            raise
        except CloudError:
            self._unread.append(change.shown_id)
            return
        if found.status == "FAILED" and not refused.says_no_change(found.reason):
            self._unread.append(change.shown_id)
