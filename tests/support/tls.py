"""Certificates for a test: an authority, a server's for 127.0.0.1 and localhost, a client's."""

from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files."""

    ca: Path
    cert: Path
    key: Path
    client_cert: Path
    client_key: Path

    def server_config(self, *, verify: bool = False) -> str:
        """The `tls` block of a nats-server's configuration."""
        demand = "verify: true" if verify else ""
        return f'tls {{ cert_file: "{self.cert}", key_file: "{self.key}", ca_file: "{self.ca}", {demand} }}'


def make_certificates(folder: Path, *hosts: str) -> Certificates:
    """Make an authority of its own, and a certificate for those hosts (default: this machine)."""
    authority = trustme.CA()
    server = authority.issue_cert(*(hosts or ("127.0.0.1", "localhost")))
    client = authority.issue_cert("node@example.org")
    names = ("ca", "cert", "key", "client_cert", "client_key")
    made = Certificates(**{name: folder / f"{name}.pem" for name in names})
    authority.cert_pem.write_to_path(str(made.ca))
    server.cert_chain_pems[0].write_to_path(str(made.cert))
    server.private_key_pem.write_to_path(str(made.key))
    client.cert_chain_pems[0].write_to_path(str(made.client_cert))
    client.private_key_pem.write_to_path(str(made.client_key))
    return made
