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


def encode_jwt(name: str, subject: Key, issuer: Key, nats: dict[str, Any]) -> str:
    """A JWT as https://docs.nats.io describes it, signed by the issuer."""
    claims: dict[str, Any] = {
        "iss": issuer.public,
        "sub": subject.public,
        "iat": int(time.time()),
        "name": name,
        "nats": {"version": 2, **nats},
    }
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


def creds_file(jwt: str, user: Key) -> str:
    """The text of a `.creds` file."""
    return (
        f"-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )


def _encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
