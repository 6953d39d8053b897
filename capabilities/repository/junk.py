"""What no reviewer wants: folders and files that tools leave behind, and what looks like a secret."""

from fnmatch import fnmatch
from pathlib import PurePosixPath

JUNK_FOLDERS = frozenset(
    {
        ".git", ".hg", ".svn", ".bzr", "node_modules", "bower_components", "__pycache__", ".venv", "venv",
        ".tox", ".nox", ".eggs", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
        ".import_linter_cache", ".ipynb_checkpoints", ".idea", ".vscode", ".gradle", ".terraform",
        ".next", ".cache", "site-packages",
    }
)  # fmt: skip
JUNK_FILES = ("*.pyc", "*.pyo", "*.swp", "*~", ".DS_Store", "Thumbs.db")

SECRET_NAMES = (
    ".env", ".env.*", "*.env", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12",
    "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.creds", "*.nk", ".netrc", ".pgpass", ".htpasswd",
    ".npmrc", ".pypirc", "credentials", "credentials.*", "secrets.*", "*.tfstate", "*.tfvars",
    "kubeconfig", "service-account*.json",
)  # fmt: skip
HARMLESS_NAMES = ("*.example", "*.sample", "*.template", "*.dist", "secrets.py", "credentials.py")


def is_junk_folder(name: str) -> bool:
    """Return whether a folder of this name holds what tools left behind."""
    return name in JUNK_FOLDERS or name.endswith(".egg-info")


def is_junk_file(name: str) -> bool:
    """Return whether a file of this name is what a tool left behind."""
    return any(fnmatch(name, pattern) for pattern in JUNK_FILES)


def looks_secret(path: str) -> bool:
    """Return whether a file's name suggests that it holds a secret; its content is not looked at."""
    name = PurePosixPath(path).name.lower()
    if any(fnmatch(name, pattern) for pattern in HARMLESS_NAMES):
        return False
    return any(fnmatch(name, pattern) for pattern in SECRET_NAMES)
