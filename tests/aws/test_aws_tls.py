"""TLS is verified always: what is wrong with a certificate is one clear sentence, and final."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from calamari_py.errors import CloudError, Temporary
from tests.aws.aws_world import DEPLOY, World, credentials_of, make_world, request
from tests.fake_sts import FakeSts


@contextmanager
def tls_world(certificate: Path, *, longest: ssl.TLSVersion | None = None) -> Iterator[World]:
    """A world whose server speaks TLS with `certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if longest is not None:
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = longest
    with FakeSts(tls=context) as sts:
        yield make_world(sts)


def refused_by(world: World, **environ: str) -> CloudError:
    """The error of a call that TLS stops; the server has seen no request, and nothing was tried
    twice.
    """
    with pytest.raises(CloudError) as caught:
        world.aws(environ).assume_role(world.credentials, request())
    error = caught.value
    assert error.code == "TlsError"
    assert not isinstance(error, Temporary)
    assert error.hint is not None
    assert "AWS_CA_BUNDLE" in error.hint
    assert world.sts.requests == []
    assert world.time.slept == []
    return error


def test_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    """A self-signed certificate is not trusted; AWS_CA_BUNDLE makes it so, for every service."""
    certificate = make_certificate(tmp_path)
    with tls_world(certificate) as world:
        error = refused_by(world)
        assert "self-signed certificate" in str(error)
        aws = world.aws({"AWS_CA_BUNDLE": str(certificate)})
        assert aws.assume_role(world.credentials, request()).duration == 3600
        aws.sign_in_url(credentials_of(world.sts.add_session(DEPLOY, "step")))


@pytest.mark.parametrize(
    ("names", "days", "text"),
    [
        pytest.param("192.0.2.1", (-1, 1), "certificate is another host's", id="another host"),
        pytest.param("127.0.0.1", (-9, -1), "certificate has expired", id="expired"),
        pytest.param("127.0.0.1", (1, 9), "not yet valid", id="not yet valid"),
    ],
)
def test_a_trusted_authority_is_not_enough(
    tmp_path: Path, names: str, days: tuple[int, int], text: str
) -> None:
    """Host and dates are checked as well, and the sentence says which of them is wrong."""
    certificate = make_certificate(tmp_path, address=names, days=days)
    with tls_world(certificate) as world:
        assert text in str(refused_by(world, AWS_CA_BUNDLE=str(certificate)))


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_protocol_is_refused(tmp_path: Path) -> None:
    """A server that goes no further than TLS 1.1 is not talked to."""
    certificate = make_certificate(tmp_path)
    with tls_world(certificate, longest=ssl.TLSVersion.TLSv1_1) as world:
        error = refused_by(world, AWS_CA_BUNDLE=str(certificate))
        assert "no TLS of version 1.2 or newer" in str(error)


def test_no_variable_turns_verification_off(tmp_path: Path) -> None:
    """Blank bundles and the variables of other libraries change nothing."""
    certificate = make_certificate(tmp_path)
    with tls_world(certificate) as world:
        refused_by(
            world,
            AWS_CA_BUNDLE=" ",
            REQUESTS_CA_BUNDLE=str(certificate),
            CURL_CA_BUNDLE="",
            PYTHONHTTPSVERIFY="0",
        )


@pytest.mark.parametrize(
    "status", [pytest.param(code, id=str(code)) for code in (301, 302, 303, 307, 308)]
)
def test_a_redirect_to_clear_text_is_not_followed(
    world: World, tmp_path: Path, status: int
) -> None:
    """Neither signed request nor token reach where the answer points to."""
    certificate = make_certificate(tmp_path)
    with tls_world(certificate) as secure:
        secure.sts.answer_next(b"", status=status, headers={"Location": world.sts.url})
        aws = secure.aws({"AWS_CA_BUNDLE": str(certificate)})
        with pytest.raises(CloudError) as caught:
            aws.assume_role(secure.credentials, request())
        assert caught.value.code == "UnexpectedAnswer"
        assert len(secure.sts.requests) == 1
    assert world.sts.connections == 0


def test_tls_to_what_speaks_none_is_final(world: World) -> None:
    """A handshake with a plain server is wrong now and later."""
    url = world.sts.url.replace("http:", "https:")
    with pytest.raises(CloudError, match="TLS") as caught:
        world.aws(url=url).assume_role(world.credentials, request())
    assert caught.value.code == "TlsError"
    assert not isinstance(caught.value, Temporary)


def test_a_bundle_without_certificates_is_a_sentence(tmp_path: Path, world: World) -> None:
    """A file that is no bundle is no traceback."""
    bundle = tmp_path / "empty.pem"
    bundle.write_text("nothing")
    url = world.sts.url.replace("http:", "https:")
    aws = world.aws({"AWS_CA_BUNDLE": str(bundle)}, url=url)
    with pytest.raises(CloudError) as caught:
        aws.caller_identity(world.credentials)
    assert caught.value.code == "TlsError"


def make_certificate(
    folder: Path, *, address: str = "127.0.0.1", days: tuple[int, int] = (-1, 1)
) -> Path:
    """A self-signed certificate of `address` and its key, in one file; `days` from now."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake STS")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "fake-sts.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path
