# Copyright (c) 2026 the mintnet developers
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One way to a cluster: a kubeconfig and a context that somebody named.

The library kubernetes is imported on the first use, because that alone takes a quarter of a second.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import ssl
import tempfile
import typing as t
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from ansible_collections.mintnet.kubernetes.plugins.module_utils._errors import MintnetError, MissingLibraryError

#: Seconds to connect, seconds to wait for an answer. The client's own default is to wait for ever.
TIMEOUT = (5.0, 30.0)

#: In place of a context, for a check run: the cluster is still to be made, and nothing is in it.
TO_BE_MADE = "(to be made)"

#: The reason of an error where another server answers than the kubeconfig trusts.
UNTRUSTED = "Untrusted"

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "kubeconfig": {"type": "path"},
    "context": {"type": "str"},
}


class ClusterError(MintnetError):
    """A cluster could not be reached, or refused a request.

    ``status`` and ``reason`` are those of the API's answer (404 and NotFound, 409 and AlreadyExists or Conflict ...);
    without an answer they are None, but for the reason UNTRUSTED.
    """

    def __init__(self, message: str, status: int | None = None, reason: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason

    @property
    def passing(self) -> bool:
        """Whether the same request may succeed a little later, as while an API server is started."""
        if self.status is None:
            return self.reason != UNTRUSTED
        return self.status == 429 or self.status >= 500


class Cluster:
    """A client for one context. ``certificate`` is the one that its user shows, if there is one."""

    def __init__(self, api: t.Any, context: str, certificate: bytes = b"") -> None:
        self.api = api
        self.context = context
        self.certificate = certificate

    @property
    def server(self) -> str:
        return str(self.api.configuration.host)

    def call(self, doing: str, request: Callable[..., t.Any], *args: t.Any, **options: t.Any) -> t.Any:
        """Send one request; whatever goes wrong becomes a ClusterError that begins with ``doing``."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        options.setdefault("_request_timeout", TIMEOUT)
        try:
            return request(*args, **options)
        except ApiException as error:
            if error.status:
                raise self._refused(doing, error) from error
            raise self._unreachable(doing, error) from error
        except (HTTPError, OSError) as error:
            raise self._unreachable(doing, error) from error

    def _refused(self, doing: str, error: t.Any) -> ClusterError:
        try:
            answer = json.loads(error.body)
            reason, message = answer.get("reason"), answer.get("message")
        except (TypeError, ValueError, AttributeError):
            reason, message = None, None
        hint = {
            401: f"; the credentials of context {self.context} are refused{self._expired()}: renew them",
            403: f"; the user of context {self.context} lacks this right: ask for it or name another context",
        }.get(error.status, "")
        return ClusterError(f"{doing}: {message or error.reason} ({error.status}){hint}", error.status, reason)

    def _expired(self) -> str:
        """Since when, where it is a client certificate that is too old."""
        from cryptography import x509

        try:
            certificate = x509.load_pem_x509_certificate(self.certificate)
        except ValueError:  # no certificate, but a token or a password
            return ""
        end = certificate.not_valid_after_utc
        return f" (its client certificate expired on {end:%Y-%m-%d at %H:%M} UTC)" if end < datetime.now(UTC) else ""

    def _unreachable(self, doing: str, error: BaseException) -> ClusterError:
        if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _chain(error)):
            return ClusterError(
                f"{doing}: the API of context {self.context} at {self.server} is not trusted: {_root_cause(error)}; "
                "get the cluster's kubeconfig anew",
                reason=UNTRUSTED,
            )
        return ClusterError(
            f"{doing}: the API of context {self.context} at {self.server} does not answer: {_root_cause(error)}; "
            "check that the cluster runs and that this machine reaches it"
        )


def connect(kubeconfig: str | None, context: str | None) -> Cluster:
    """A client for ``context`` of ``kubeconfig`` (default: $KUBECONFIG, else ~/.kube/config). Sends no request."""
    if context == TO_BE_MADE:
        return Cluster(None, TO_BE_MADE)
    try:
        import kubernetes.config  # noqa: F401  # pylint: disable=unused-import
    except ImportError as error:
        raise MissingLibraryError("kubernetes>=31.0.0", "reaching the cluster", error) from error

    path = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    doing = f"reading the kubeconfig {path}"
    if not any(Path(part).expanduser().exists() for part in path.split(os.pathsep) if part):
        raise ClusterError(f"{doing}: no such file; name one with the option kubeconfig or with $KUBECONFIG")
    if not context:
        # The current context may be anybody's: nothing is ever sent to a cluster that nobody named.
        raise ClusterError(f"{doing}: no context is named; {_choose_from(path)}")
    try:
        api, certificate = _client(path, context)
    except Exception as error:  # the library lets through whatever a malformed file provokes
        names = _context_names(path)
        if names is not None and context not in names:
            raise ClusterError(f"{doing}: it has no context {context}; {_choose_from(path)}") from error
        cause = " ".join(str(error).split())
        raise ClusterError(f"{doing}: context {context} cannot be used: {cause}; repair or replace the file") from error
    return Cluster(api, context, certificate)


def _client(path: str, context: str) -> tuple[t.Any, bytes]:
    """The library's client, and its user's certificate, which is no secret, or nothing where there is none.

    The library would write the user's private key to a temporary file, which stays there when somebody kills the run.
    Here it is read into the TLS context of all connections from a file that never has a name.
    """
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config import kube_config

    merged = kube_config.KubeConfigMerger(path).config
    if merged is None:
        raise ValueError("there is no configuration in it")
    named = merged["contexts"].get_with_name(context)["context"]
    cluster = merged["clusters"].get_with_name(named["cluster"]).value["cluster"]
    user = merged["users"].get_with_name(named["user"]).value["user"] if named.safe_get("user") else {}
    authority, certificate, key = (
        _taken(cluster, "certificate-authority"),
        _taken(user, "client-certificate"),
        _taken(user, "client-key"),
    )
    # As a type, or it would be a copy of whatever somebody has set as the default.
    configuration = type.__call__(Configuration)
    try:
        # Without a way to write refreshed tokens into the user's file.
        kube_config.KubeConfigLoader(merged, active_context=context, config_base_path=None).load_and_set(configuration)
        if not certificate and configuration.cert_file:
            certificate = Path(configuration.cert_file).read_bytes()
        api = ApiClient(configuration)
        if configuration.host.startswith("https:"):
            options = api.rest_client.pool_manager.connection_pool_kw
            for name in ("ca_certs", "ca_cert_data", "cert_file", "key_file"):
                options.pop(name, None)
            options["ssl_context"] = _tls(configuration, authority, certificate, key)
        return api, certificate
    finally:
        # What a program that gives credentials has given.
        kube_config._cleanup_temp_files()


def _taken(entry: t.Any, name: str) -> bytes:
    """What a kubeconfig holds itself, out of what the library sees of it."""
    text = (entry or {}).pop(f"{name}-data", None)
    return base64.b64decode(text, validate=True) if text else b""


def _tls(configuration: t.Any, authority: bytes, certificate: bytes, key: bytes) -> ssl.SSLContext:
    from urllib3.util.ssl_ import create_urllib3_context

    verified = ssl.CERT_REQUIRED if configuration.verify_ssl else ssl.CERT_NONE
    context: ssl.SSLContext = create_urllib3_context(cert_reqs=verified)
    if authority or configuration.ssl_ca_cert:
        context.load_verify_locations(configuration.ssl_ca_cert, cadata=authority.decode() or None)
    else:
        context.load_default_certs()
    with contextlib.ExitStack() as stack:
        files = [
            stack.enter_context(_nameless(held)) if held else given
            for held, given in ((certificate, configuration.cert_file), (key, configuration.key_file))
        ]
        if files[0]:
            context.load_cert_chain(*files)
    return context


@contextlib.contextmanager
def _nameless(content: bytes) -> Iterator[str]:
    """Python reads certificates and keys from paths alone."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        file.seek(0)
        yield f"/dev/fd/{file.fileno()}"


def _choose_from(path: str) -> str:
    names = _context_names(path)
    if not names:
        return "the file has no context at all: name another file"
    return f"name one of its contexts with the option context: {', '.join(names)}"


def _context_names(path: str) -> list[str] | None:
    """All contexts of the file, or None where it cannot be read."""
    from kubernetes.config import ConfigException
    from kubernetes.config.kube_config import KubeConfigMerger
    from yaml import YAMLError

    try:
        contexts = KubeConfigMerger(path).config.value.get("contexts") or []
        return sorted(str(context["name"]) for context in contexts)
    except (ConfigException, YAMLError, OSError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _root_cause(error: BaseException) -> str:
    """The innermost reason: urllib3 wraps the system's error several times, each with an object's address in it."""
    innermost = list(_chain(error))[-1]
    return (isinstance(innermost, OSError) and innermost.strerror) or str(innermost) or type(innermost).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    while following is not None:
        yield following
        reason = getattr(following, "reason", None)
        following = reason if isinstance(reason, BaseException) else following.__cause__
