"""Artifacts in a folder: the same contract as the swarm's object store, without a swarm."""

import asyncio
import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from ..errors import SwarmError
from ..swarm.records import ArtifactRef


@dataclass(frozen=True, slots=True)
class LocalArtifacts:
    """Bodies as files named by their digest; satisfies `capabilities.executor.Artifacts`."""

    folder: Path

    async def put(self, data: bytes, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a body under its digest; storing it again is harmless."""
        digest = hashlib.sha256(data).hexdigest()
        await asyncio.to_thread(self._write, digest, data)
        return ArtifactRef(
            name=digest, size=len(data), digest=digest, media_type=media_type, filename=filename
        )

    async def put_file(self, path: Path, *, media_type: str, filename: str | None = None) -> ArtifactRef:
        """Store a file's content under its digest."""
        data = await asyncio.to_thread(path.read_bytes)
        return await self.put(data, media_type=media_type, filename=filename)

    async def get(self, ref: ArtifactRef) -> bytes:
        """Fetch a body; raises SwarmError when it is gone or does not match its digest."""
        try:
            data = await asyncio.to_thread((self.folder / ref.digest).read_bytes)
        except FileNotFoundError:
            raise SwarmError(f"artifact {ref.name} is gone: send the request again") from None
        if hashlib.sha256(data).hexdigest() != ref.digest:
            raise SwarmError(f"artifact {ref.name} was damaged: send the request again")
        return data

    async def get_file(self, ref: ArtifactRef, path: Path) -> None:
        """Fetch a body into a file; raises SwarmError when it is gone or does not match its digest."""
        await self.get(ref)
        await asyncio.to_thread(shutil.copyfile, self.folder / ref.digest, path)

    def _write(self, digest: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished = self.folder / f".{digest}-{secrets.token_hex(4)}"
        unfinished.write_bytes(data)
        os.replace(unfinished, self.folder / digest)
