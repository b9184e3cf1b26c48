"""A real OpenID provider on this machine: Authlib behind Flask, with discovery and rotating keys.

Its clients get access tokens by RFC 9068, whose claims they were registered with.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import flask
import httpx
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey
from werkzeug.serving import BaseWSGIServer, make_server

SECRET = "of no worth beyond this test"

SigningKey = RSAKey | ECKey | OKPKey


class Client(ClientMixin):
    """A person or a machine that gets tokens in its own name."""

    def __init__(self, name: str, audience: str, claims: Mapping[str, object]) -> None:
        self.name, self.audience, self.claims = name, audience, claims

    def get_client_id(self) -> str:
        return self.name

    def get_allowed_scope(self, scope: str | None) -> str:
        return scope or ""

    def check_client_secret(self, secret: str) -> bool:
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "client_credentials"


class Provider:
    """`issuer` is where it answers; `questions` how often it was asked for its keys."""

    def __init__(self) -> None:
        self.questions = 0
        self.lasts_s = 3_600
        self.clients: dict[str, Client] = {}
        self.signing: list[SigningKey] = [fresh("first")]
        self._app = flask.Flask(__name__)
        self._server = self._serve(0)
        self.issuer = f"http://127.0.0.1:{self._server.port}"
        self._describe()

    def rotate(self, key: SigningKey) -> None:
        """Sign with `key` from now on; the keys before it are published no more."""
        self.signing = [key]

    def token(self, audience: str, **claims: object) -> str:
        """Return an access token as a client gets one."""
        name = f"client-{len(self.clients)}"
        self.clients[name] = Client(name, audience, claims)
        answer = httpx.post(
            f"{self.issuer}/token",
            data={"grant_type": "client_credentials"},
            auth=(name, SECRET),
        )
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @contextmanager
    def away(self) -> Iterator[None]:
        """Answer nobody, then again at the same address."""
        port = self._server.port
        self.close()
        try:
            yield
        finally:
            self._server = self._serve(port)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, port: int) -> BaseWSGIServer:
        server = make_server("127.0.0.1", port, self._app, threaded=True)
        self._thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        self._thread.start()
        return server

    def _describe(self) -> None:
        provider, issuer = self, self.issuer

        class Generator(JWTBearerTokenGenerator):
            def get_jwks(self) -> KeySet:
                return KeySet([*provider.signing])

            def get_audiences(self, client: Client, user: object, scope: str) -> str:
                return client.audience

            def get_extra_claims(
                self, client: Client, grant_type: str, user: object, scope: str
            ) -> Mapping[str, object]:
                return client.claims

        server = AuthorizationServer(
            self._app, query_client=self.clients.get, save_token=lambda token, request: None
        )
        server.register_grant(ClientCredentialsGrant)
        server.register_token_generator(
            "default", Generator(issuer, expires_generator=lambda client, grant: self.lasts_s)
        )

        @self._app.get("/.well-known/openid-configuration")
        def describe() -> dict[str, object]:
            return {
                "issuer": issuer,
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/jwks",
                "grant_types_supported": ["client_credentials"],
            }

        @self._app.get("/jwks")
        def keys() -> dict[str, object]:
            provider.questions += 1
            return {"keys": [key.as_dict(private=False) for key in provider.signing]}

        @self._app.post("/token")
        def token() -> flask.Response:
            answer: flask.Response = server.create_token_response()
            return answer


def fresh(name: str) -> SigningKey:
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"}, private=True)
