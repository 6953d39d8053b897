"""Artifacts: bodies that are too large for a message, in the object store, by their digest."""

import asyncio
import base64
import hashlib
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import ObjectMeta, ObjectMetaOptions, StorageType
from nats.js.object_store import ObjectStore

from ..errors import BodyGone, SwarmError, SwarmTimeout
from .kv import last_message
from .records import ArtifactRef, read_json
from .subjects import EXPECTED_SUBJECT_SEQ, Names
from .wire import WRONG_LAST_SEQUENCE, ApiError, NobodyListens, Wire

log = logging.getLogger(__name__)

T = TypeVar("T")

TRANSFER_TIMEOUT = timedelta(minutes=5)
_CHUNK = 128 * 1024
_READ = 1 << 20
_RETRY = 0.25
_LEAST = 10.0
"""Seconds that one try of a transfer has at least; a connection that broke may leave it waiting for ever."""
_SLOWEST = 256 * 1024
"""Bytes a second of the slowest transfer that is not given up."""
_AWAY = (
    TimeoutError,
    SwarmTimeout,
    NobodyListens,
    nats.errors.NoRespondersError,
    nats.js.errors.NoStreamResponseError,
)


class ArtifactStore:
    """The object store of one H-id; satisfies `capabilities.executor.Artifacts`."""

    def __init__(
        self,
        client: Client,
        wire: Wire,
        names: Names,
        *,
        replicas: int,
        size: int | None = None,
        patience: timedelta = TRANSFER_TIMEOUT,
    ) -> None:
        """`size`: bytes that it may hold where it is made here; None: what the server's store holds.

        `patience`: for how long a transfer is tried again while the server is away.
        """
        self._wire = wire
        self._patience = patience.total_seconds()
        self._size = size
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
                    max_bytes=-1 if self._size is None else self._size,
                    replicas=self._replicas,
                )
        return self._store

    async def _patiently(self, size: int, transfer: Callable[[ObjectStore], Awaitable[T]]) -> T:
        """Carry a transfer out, again where the server was away meanwhile: no fault of whoever needs it.

        Raises TimeoutError, or the last error, once the patience is over.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience
        async with asyncio.timeout(TRANSFER_TIMEOUT.total_seconds()):
            while True:
                try:
                    async with asyncio.timeout(_LEAST + size / _SLOWEST):
                        return await transfer(await self._open())
                except (*_AWAY, nats.js.errors.ServiceUnavailableError) as error:
                    refused = isinstance(error, nats.js.errors.ServiceUnavailableError) and error.err_code
                    if refused or loop.time() >= until:
                        raise
                    log.debug("a transfer is tried again: %s", error)
                    self._store = None
                    await asyncio.sleep(_RETRY)

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
        async def transfer(store: ObjectStore) -> None:
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

        try:
            await self._patiently(ref.size, transfer)
        except TimeoutError:
            raise SwarmTimeout(
                f"an artifact of {ref.size} bytes could not be stored in time: check the NATS server"
            ) from None
        except nats.errors.Error as error:
            self._store = None  # it may have gone with its server: make it anew for the next one
            raise SwarmError(
                f"the NATS server refused an artifact of {ref.size} bytes: {error}; free space there"
            ) from error

    async def renew(self, ref: ArtifactRef) -> bool:
        """See to it that a body stays as long as one that is stored now; False when it is gone."""
        try:
            return await self._patiently(0, lambda store: self._stands(store, ref))
        except TimeoutError:
            raise SwarmTimeout(f"artifact {ref.name} could not be looked up in time") from None
        except nats.errors.Error as error:
            raise SwarmError(f"artifact {ref.name} cannot be looked up: {error}") from error

    async def _stands(self, store: ObjectStore, ref: ArtifactRef) -> bool:
        """Return whether the body is there, and surely stays until the log refers to it.

        Its record is written anew, so that it counts as stored just now; by compare-and-set, so that one
        which is being removed at this moment counts as gone.
        """
        subject = meta_subject(self._bucket, ref.name)
        stored = await last_message(self._wire, f"OBJ_{self._bucket}", subject)
        if stored is None:
            return False
        info = read_json(stored.data, "the artifact's record")
        if not isinstance(info, dict) or info.get("deleted") or info.get("size") != ref.size:
            return False
        headers = {EXPECTED_SUBJECT_SEQ: str(stored.seq), "Nats-Rollup": "sub"}
        try:
            await self._wire.store(subject, stored.data, headers=headers)
        except ApiError as error:
            if error.code != WRONG_LAST_SEQUENCE:
                raise
            # Somebody stored it anew, or removed it.
            return await self._stands(store, ref)
        return True

    async def get(self, ref: ArtifactRef) -> bytes:
        """Fetch a body; raises BodyGone when it is gone or does not match its digest."""
        try:
            found = await self._patiently(ref.size, lambda store: store.get(ref.name))
        except TimeoutError:
            raise SwarmTimeout(f"artifact {ref.name} could not be fetched in time") from None
        except nats.js.errors.NotFoundError:
            raise BodyGone(f"artifact {ref.name} is gone: it has expired, send the request again") from None
        except nats.errors.Error as error:
            raise SwarmError(f"artifact {ref.name} cannot be fetched: {error}") from error
        data = found.data or b""
        if hashlib.sha256(data).hexdigest() != ref.digest:
            raise BodyGone(f"artifact {ref.name} does not match its digest: it was damaged or replaced")
        return data

    async def get_file(self, ref: ArtifactRef, path: Path) -> None:
        """Fetch a body into a file; raises BodyGone when it is gone or does not match its digest."""
        data = await self.get(ref)
        await asyncio.to_thread(path.write_bytes, data)

    async def delete(self, name: str) -> None:
        """Remove a body; one that is gone already is fine."""
        store = await self._open()
        try:
            await store.delete(name)
        except nats.js.errors.NotFoundError:
            return


def meta_subject(bucket: str, name: str) -> str:
    """Return where an object's record stands, as every NATS client writes it."""
    return f"$O.{bucket}.M.{base64.urlsafe_b64encode(name.encode()).decode()}"


def _digest(path: Path) -> tuple[str, int]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest(), file.tell()
