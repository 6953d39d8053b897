"""Artifacts: bodies that are too large for a message, in the object store, by their digest."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import ObjectMeta, ObjectMetaOptions, StorageType
from nats.js.object_store import ObjectStore

from ..errors import SwarmError, SwarmTimeout
from .records import ArtifactRef
from .subjects import Names

TRANSFER_TIMEOUT = timedelta(minutes=5)
_CHUNK = 128 * 1024
_READ = 1 << 20


class ArtifactStore:
    """The object store of one H-id; satisfies `capabilities.executor.Artifacts`."""

    def __init__(self, client: Client, names: Names, *, replicas: int, kept: timedelta) -> None:
        """`kept`: how long a body surely stays; one that is older is stored anew when it is wanted."""
        self._kept = kept
        self._js = client.jetstream()
        self._bucket = names.artifacts
        self._replicas = replicas
        self._store: ObjectStore | None = None

    async def _open(self) -> ObjectStore:
        if self._store is None:
            try:
                self._store = await self._js.object_store(self._bucket)
            except nats.js.errors.NotFoundError:
                self._store = await self._js.create_object_store(
                    self._bucket,
                    description="large bodies and repository snapshots",
                    storage=StorageType.FILE,
                    ttl=2 * self._kept.total_seconds(),
                    replicas=self._replicas,
                )
        return self._store

    async def put(self, data: bytes, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a body under its digest; storing it again is harmless."""
        digest = hashlib.sha256(data).hexdigest()
        ref = ArtifactRef(
            name=digest,
            size=len(data),
            digest=digest,
            media_type=media_type,
            filename=filename,
        )
        await self._put(ref, data)
        return ref

    async def put_file(self, path: Path, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a file's content under its digest."""
        digest, size = await asyncio.to_thread(_digest, path)
        ref = ArtifactRef(name=digest, size=size, digest=digest, media_type=media_type, filename=filename)
        await self._put(ref, path)
        return ref

    async def _put(self, ref: ArtifactRef, body: bytes | Path) -> None:
        try:
            async with asyncio.timeout(TRANSFER_TIMEOUT.total_seconds()):
                store = await self._open()
                if await self._stands(store, ref):
                    return
                meta = ObjectMeta(
                    name=ref.name,
                    description=ref.media_type,
                    options=ObjectMetaOptions(max_chunk_size=_CHUNK),
                )
                if isinstance(body, bytes):
                    await store.put(ref.name, body, meta)
                else:
                    with await asyncio.to_thread(body.open, "rb") as file:
                        await store.put(ref.name, file, meta)
        except TimeoutError:
            raise SwarmTimeout(
                f"an artifact of {ref.size} bytes could not be stored in time: check the NATS server"
            ) from None
        except nats.errors.Error as error:
            self._store = None  # it may have gone with its server: make it anew for the next one
            raise SwarmError(
                f"the NATS server refused an artifact of {ref.size} bytes: {error}; free space there"
            ) from error

    async def _stands(self, store: ObjectStore, ref: ArtifactRef) -> bool:
        try:
            info = await store.get_info(ref.name)
        except nats.js.errors.NotFoundError:
            return False
        fresh = info.mtime is not None and info.mtime != "" and _age(info.mtime) < self._kept
        return fresh and info.size == ref.size

    async def get(self, ref: ArtifactRef) -> bytes:
        """Fetch a body; raises SwarmError when it is gone or does not match its digest."""
        try:
            async with asyncio.timeout(TRANSFER_TIMEOUT.total_seconds()):
                store = await self._open()
                found = await store.get(ref.name)
        except TimeoutError:
            raise SwarmTimeout(f"artifact {ref.name} could not be fetched in time") from None
        except nats.js.errors.NotFoundError:
            raise SwarmError(f"artifact {ref.name} is gone: it has expired, send the request again") from None
        except nats.errors.Error as error:
            raise SwarmError(f"artifact {ref.name} cannot be fetched: {error}") from error
        data = found.data or b""
        if hashlib.sha256(data).hexdigest() != ref.digest:
            raise SwarmError(f"artifact {ref.name} does not match its digest: it was damaged or replaced")
        return data

    async def get_file(self, ref: ArtifactRef, path: Path) -> None:
        """Fetch a body into a file; raises SwarmError when it is gone or does not match its digest."""
        data = await self.get(ref)
        await asyncio.to_thread(path.write_bytes, data)

    async def delete(self, name: str) -> None:
        """Remove a body; one that is gone already is fine."""
        store = await self._open()
        try:
            await store.delete(name)
        except nats.js.errors.NotFoundError:
            return


def _age(stored: str) -> timedelta:
    return datetime.now(UTC) - datetime.fromisoformat(stored)


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()
