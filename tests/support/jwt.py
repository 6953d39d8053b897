"""NATS operators, accounts and users in pure Python: what `nsc` would make."""

import base64
import hashlib
import json
import os
import time
from dataclasses import dataclass
from typing import Any

import nkeys


@dataclass(frozen=True)
class Key:
    """An nkey: its seed and public key."""

    seed: str
    public: str


def make_key(kind: int) -> Key:
    """A fresh key; `kind` is one of nkeys' PREFIX_BYTE_*."""
    seed = nkeys.encode_seed(os.urandom(32), kind)
    pair = nkeys.from_seed(bytearray(seed))
    return Key(bytes(seed).decode(), pair.public_key.decode())


def user_key() -> Key:
    return make_key(nkeys.PREFIX_BYTE_USER)


def encode_jwt(
    name: str, subject: Key, issuer: Key, nats: dict[str, Any], *, seconds: float | None = None
) -> str:
    """A JWT as https://docs.nats.io describes it, signed by the issuer, valid for so many seconds."""
    claims: dict[str, Any] = {
        "iss": issuer.public,
        "sub": subject.public,
        "iat": int(time.time()),
        "name": name,
        "nats": {"version": 2, **nats},
    }
    if seconds is not None:
        claims["exp"] = int(time.time() + seconds)
    claims["jti"] = hashlib.sha256(json.dumps(claims).encode()).hexdigest()
    head = _encoded({"typ": "JWT", "alg": "ed25519-nkey"})
    body = f"{head}.{_encoded(claims)}"
    signature = nkeys.from_seed(bytearray(issuer.seed.encode())).sign(body.encode())
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def operator_config(operator: Key, accounts: dict[str, str]) -> str:
    """A nats-server configuration that trusts the operator and knows those account JWTs by public key."""
    token = encode_jwt("operator", operator, operator, {"type": "operator"})
    system = make_key(nkeys.PREFIX_BYTE_ACCOUNT)
    jwts = accounts | {system.public: encode_jwt("SYS", system, operator, {"type": "account"})}
    known = ", ".join(f'{public}: "{jwt}"' for public, jwt in jwts.items())
    return (
        f'operator: "{token}"\nsystem_account: {system.public}\n'
        f"resolver: MEMORY\nresolver_preload: {{ {known} }}\n"
    )


@dataclass(frozen=True)
class Tenant:
    """An operator's only account, and one user in it."""

    config: str
    account: Key
    user: Key

    def creds(self, *, signed_by: Key | None = None, seconds: float | None = None) -> str:
        """The text of the user's `.creds` file."""
        rights = {"type": "user", "subs": -1, "data": -1, "payload": -1}
        return creds_file(
            encode_jwt("user", self.user, signed_by or self.account, rights, seconds=seconds), self.user
        )


def make_tenant() -> Tenant:
    """A server's configuration with one account that has JetStream, and its keys."""
    operator, account = make_key(nkeys.PREFIX_BYTE_OPERATOR), make_key(nkeys.PREFIX_BYTE_ACCOUNT)
    limits = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "conn": -1, "subs": -1}
    everything = {"type": "account", "limits": {**limits, "data": -1, "payload": -1, "leaf": -1}}
    known = {account.public: encode_jwt("account", account, operator, everything)}
    return Tenant(operator_config(operator, known), account, user_key())


def creds_file(jwt: str, user: Key) -> str:
    """The text of a `.creds` file."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
