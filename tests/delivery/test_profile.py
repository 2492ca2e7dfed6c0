"""``delivery: profile``: the config file, and what its process prints."""

from __future__ import annotations

import configparser
import json
import shlex
import socket
import stat
import subprocess
import threading
from collections.abc import Mapping
from contextlib import closing

import pytest

from calamari_py.delivery import DELIVERIES
from calamari_py.delivery.fetch import fetch_process_document
from calamari_py.delivery.profile import config_text
from calamari_py.errors import IdentityError, RoleNotAssumable
from calamari_py.identity import AwsCredentials
from tests.delivery.support import SECRET, TOKEN, Deliverer, credentials

URI, TOKEN_NAME = "CALAMARI_CREDENTIALS_URI", "CALAMARI_CREDENTIALS_TOKEN"


# --- the file -----------------------------------------------------------------------------------


def test_the_file_is_private_and_holds_no_secret(deliverer: Deliverer) -> None:
    """0600, in the private folder, named by the environment; the token is in that one alone."""
    with DELIVERIES["profile"].open(deliverer.context()) as names:
        (path,) = deliverer.private.iterdir()
        assert names == {
            "AWS_CONFIG_FILE": str(path),
            "AWS_PROFILE": "calamari",
            "AWS_SDK_LOAD_CONFIG": "1",
            URI: names[URI],
            TOKEN_NAME: names[TOKEN_NAME],
        }
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        text = path.read_text("utf-8")
        assert SECRET not in text
        assert TOKEN not in text
        assert names[TOKEN_NAME] not in text
        assert names[URI] not in text
        assert names[TOKEN_NAME] in deliverer.registered
    assert deliverer.asked == 0


def test_a_planted_file_is_not_written_through(deliverer: Deliverer) -> None:
    """A link where the file belongs ends the attempt."""
    (deliverer.private / "aws-config").symlink_to(deliverer.private / "elsewhere")
    with pytest.raises(FileExistsError), DELIVERIES["profile"].open(deliverer.context()):
        pass
    assert not (deliverer.private / "elsewhere").exists()


@pytest.mark.parametrize("section", ["default", "profile calamari"])
@pytest.mark.parametrize("region", ["eu-west-1", None])
def test_both_profiles_say_the_same(section: str, region: str | None) -> None:
    """By either name: our process and, where it is known, the region."""
    settings = _parsed(config_text("/usr/bin/python3", region))[section]
    assert dict(settings) == {
        "credential_process": "/usr/bin/python3 -P -m calamari_py credentials --from-step",
        **({"region": region} if region else {}),
    }


@pytest.mark.process
@pytest.mark.parametrize(
    "python",
    ["/opt/my python/bin/python3", "/opt/it's/python", "/opt/$HOME/`id`/python", '/a"b/python'],
)
def test_an_interpreter_with_an_odd_path(python: str) -> None:
    """botocore splits the line as a shell does, other SDKs give it to one: both see one word."""
    line = _parsed(config_text(python, None))["default"]["credential_process"]
    words = [python, "-P", "-m", "calamari_py", "credentials", "--from-step"]
    assert shlex.split(line) == words
    shell = subprocess.run(
        ["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True
    )
    assert shell.stdout.splitlines() == words


def _parsed(text: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(default_section="none")
    parser.read_string(text)
    return parser


# --- what the process prints --------------------------------------------------------------------


def test_the_document_is_what_sdks_read(deliverer: Deliverer) -> None:
    """``credential_process``, version 1."""
    with DELIVERIES["profile"].open(deliverer.context()) as names:
        document = json.loads(fetch_process_document(names))
    assert document.pop("Expiration").endswith("Z")
    assert document == {
        "Version": 1,
        "AccessKeyId": "ASIADELIVERED0000001",
        "SecretAccessKey": f"{SECRET}1",
        "SessionToken": f"{TOKEN}1",
        "AccountId": "111111111111",
    }


def test_long_lived_keys_have_no_session_token(deliverer: Deliverer) -> None:
    """It is left out, which a process may do."""
    deliverer.answer = lambda: credentials(token=None)
    with DELIVERIES["profile"].open(deliverer.context()) as names:
        assert "SessionToken" not in json.loads(fetch_process_document(names))


def test_no_proxy_is_asked(deliverer: Deliverer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the step's environment says of proxies."""
    with closing(socket.create_server(("127.0.0.1", 0))) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        with DELIVERIES["profile"].open(deliverer.context()) as names:
            fetch_process_document(names)
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param({URI: ""}, "'CALAMARI_CREDENTIALS_URI' is not set", id="no-uri"),
        pytest.param({TOKEN_NAME: ""}, "'CALAMARI_CREDENTIALS_TOKEN' is not set", id="no-token"),
        pytest.param({TOKEN_NAME: "0" * 64}, "answered 401", id="wrong-token"),
        pytest.param({TOKEN_NAME: "a\r\nX: b"}, "was changed", id="header-in-token"),
        pytest.param({URI: "http://evil.test/v1/credentials"}, "was changed", id="other-host"),
        pytest.param({URI: "http://127.0.0.1:1@evil.test/"}, "was changed", id="user-info"),
        pytest.param({URI: "http://127.0.0.1:99999/v1/credentials"}, "was changed", id="no-port"),
        pytest.param({URI: "http://127.0.0.1:80/x"}, "was changed", id="other-path"),
        pytest.param({URI: "file:///etc/passwd"}, "was changed", id="file"),
    ],
)
def test_outside_a_step_it_says_so(
    change: Mapping[str, str], message: str, deliverer: Deliverer
) -> None:
    """One sentence, a hint, and no token in either; a token goes to 127.0.0.1 only."""
    with DELIVERIES["profile"].open(deliverer.context()) as names:
        with pytest.raises(IdentityError, match=message) as caught:
            fetch_process_document({**names, **change})
        assert names[TOKEN_NAME] not in f"{caught.value} {caught.value.hint}"
    assert caught.value.hint is not None
    assert "profile" in caught.value.hint


def test_after_the_step_the_server_is_gone(deliverer: Deliverer) -> None:
    """A process that outlives its step is told."""
    with DELIVERIES["profile"].open(deliverer.context()) as names:
        pass
    with pytest.raises(IdentityError, match="server is gone"):
        fetch_process_document(names)


def test_a_failed_renewal_points_at_the_log(deliverer: Deliverer) -> None:
    """The step's output does not repeat what the log says."""

    def refused() -> AwsCredentials:
        raise RoleNotAssumable("cannot assume role 'x'")

    deliverer.answer = refused
    with (
        DELIVERIES["profile"].open(deliverer.context()) as names,
        pytest.raises(IdentityError, match="could not be renewed") as caught,
    ):
        fetch_process_document(names)
    assert caught.value.hint == "the log of calamari says why"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(b"", "server is gone", id="hangs-up"),
        pytest.param(b"SSH-2.0-x\r\n", "server is gone", id="no-http"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n<html>", "no credentials", id="no-json"),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n[]", "no credentials", id="list"),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\n\r\n", "302", id="302"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"AccessKeyId": "A"}', "answered half", id="half"),
        pytest.param(b'HTTP/1.1 200 OK\r\n\r\n{"Token": null}', "answered half", id="null"),
    ],
)
def test_another_server_on_the_port(answer: bytes, message: str) -> None:
    """What is no answer of ours is an error, never a traceback."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=_answer_once, args=(server, answer))
        thread.start()
        uri = f"http://127.0.0.1:{server.getsockname()[1]}/v1/credentials"
        with pytest.raises(IdentityError, match=message):
            fetch_process_document({URI: uri, TOKEN_NAME: "0" * 64})
        thread.join()


def _answer_once(server: socket.socket, answer: bytes) -> None:
    connection, _ = server.accept()
    with closing(connection):
        connection.recv(65_536)
        connection.sendall(answer)


def test_a_server_that_does_not_answer(deliverer: Deliverer) -> None:
    """The wait has an end."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        uri = f"http://127.0.0.1:{server.getsockname()[1]}/v1/credentials"
        with pytest.raises(IdentityError, match="did not answer in"):
            fetch_process_document({URI: uri, TOKEN_NAME: "0" * 64}, timeout=0.1)
