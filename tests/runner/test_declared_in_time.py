"""What a child declares before it writes a use is known in time, through the real loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from calamari_py.channel import Channel
from calamari_py.masking import SecretRegistry
from calamari_py.process import Limits, Stream
from calamari_py.runner.intake import Declared
from calamari_py.runner.output import MaskedSink
from tests.fakes import RecordingReporter
from tests.process.support import PATH, execute, python
from tests.tools import require_tool

ROUNDS = 400
SUPPORT = Path(__file__).parents[2] / "calamari_py" / "steps" / "support"

CHILD = """
import base64, os, sys
how, use, rounds = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
folder = os.environ['CALAMARI_DECLARATIONS']
for number in range(rounds):
    secret = b'%05d-' % number + os.urandom(6).hex().encode()
    if how:
        # More than a pipe holds, so that one stream runs ahead of the other.
        os.write(how, b'.' * 300 + b'\\n')
        os.write(how, b"##octopus[mask value='" + base64.b64encode(secret) + b"']\\n")
    else:
        hidden = folder + '/.' + str(number)
        with open(hidden, 'wb') as file:
            file.write(secret)
        os.rename(hidden, folder + '/mask-%d-%s' % (number, os.urandom(4).hex()))
    os.write(use, b'use ' + secret + b' end\\n')
"""


def watched(argv: tuple[str, ...], channel: Channel, **names: str) -> tuple[RecordingReporter, int]:
    """Run `argv` through the loop and the sink."""
    reporter = RecordingReporter()
    sink = MaskedSink(
        registry=SecretRegistry(),
        channel=channel,
        reporter=reporter,
        declared=Declared(),
        limit=None,
        service_messages=True,
    )
    ended = execute(
        argv, sink, limits=Limits(timeout=120),
        environment={"PATH": PATH, **channel.environment(), **names},
    )  # fmt: skip
    assert not sink.faulty
    return reporter, ended.code


@pytest.mark.process
@pytest.mark.parametrize("use", ["stdout", "stderr"])
@pytest.mark.parametrize("how", ["file", "stdout", "stderr"])
def test_declared_before_used(how: str, use: Stream, channel: Channel) -> None:
    """Hundreds of values, each declared and used at once in one child: none is shown."""
    numbers = {"file": "0", "stdout": "1", "stderr": "2"}
    argv = (*python(CHILD), numbers[how], numbers[use], str(ROUNDS))
    reporter, code = watched(argv, channel)
    lines = [line for line in reporter.shown(use).splitlines() if line != b"." * 300]
    assert (code, len(lines)) == (0, ROUNDS)
    assert sum(line != b"use *** end" for line in lines) == 0
    assert reporter.warnings == []


TRACED = """
set -x
round=0
while [ $round -lt 15 ]; do
    round=$((round + 1))
    token=$(tr -dc a-z0-9 < /dev/urandom | head -c 20 | tee "$FOLDER/$round" | mask - --pass)
    echo "use $token end"
    mask - <<END
first of $token
second of $token
END
    set_output a "$token" --sensitive
done
"""


@pytest.mark.slow(2)
@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_a_traced_script_shows_nothing(shell: str, channel: Channel, tmp_path: Path) -> None:
    """With the value on stdin and handed on, not even ``set -x`` shows it."""
    require_tool(shell)
    script = f'. "{SUPPORT}/functions.sh"\n{TRACED}'
    reporter, code = watched((require_tool(shell), "-c", script), channel, FOLDER=str(tmp_path))
    secrets = [(tmp_path / str(number)).read_bytes() for number in range(1, 16)]
    assert (code, {len(secret) for secret in secrets}) == (0, {20})
    trace = reporter.shown("stderr")
    assert reporter.shown() == b"use *** end\n" * 15
    assert trace.count(b"token=***") == 15
    assert [s for s in secrets if s in trace] == []
    assert b"_calamari_" not in trace
