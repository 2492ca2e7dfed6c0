"""Step kinds ``cloudformation`` and ``stack_set``: the CloudFormation API, as the step's role.

Read one manifest's way in this order::

    sections    what may be written; with `kind` all that is loaded at every start
    parsing/    section → `spec`, with every problem that needs no call
    kind        spec → `work` → one of actions/
    service/    what is asked of AWS, and its answers as `values` (`states`: what a status means)
    changes/    change sets: made, shown, judged, left for approval, taken back
    following/  the events of an operation, until its outcome is known
    failures/   the root cause, and what can be done about it
    actions/    deploy, execute, delete, rollback, watch, and what they share
    sets/       the same way for stack sets
"""
