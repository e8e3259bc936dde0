"""The object storage of the simulated Mender server: presigned links on another host name and port."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, urlencode

from aiohttp import web

CHUNK = 1 << 20
BUCKET = "mender-artifact-storage"
MEDIA_TYPE = "application/vnd.mender-artifact"


class Storage:
    """Files in `folder` that are read and written by signed links, and by nothing else.

    `url` is the address that links begin with. A link is good for one method and one file until it expires; as
    with S3, a request that has an Authorization header as well is refused.
    """

    def __init__(self) -> None:
        self.folder = Path()
        self.url = ""
        self.served = 0
        self._key = secrets.token_bytes(32)

    def path(self, key: str) -> Path:
        """Where a file lies."""
        return self.folder / key

    def keep(self, path: Path, key: str) -> Path:
        """Put a file that has been received under its key."""
        return path.rename(self.path(key))

    @staticmethod
    def drop(path: Path) -> None:
        """Delete a file if it is there."""
        path.unlink(missing_ok=True)

    def _signature(self, method: str, key: str, signed: str) -> str:
        return hmac.new(self._key, f"{method}\n{key}\n{signed}".encode(), hashlib.sha256).hexdigest()

    def link(self, key: str, seconds: float, *, method: str = "GET", filename: str = "") -> tuple[str, str]:
        """A link to a file and when it expires."""
        now = time.time()
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"simulator/{time.strftime('%Y%m%d', time.gmtime(now))}/us-east-1/s3/aws4_request",
            "X-Amz-Date": f"{now:.3f}",
            "X-Amz-Expires": f"{seconds:g}",
            "X-Amz-SignedHeaders": "host",
        }
        if filename:
            query["response-content-disposition"] = f'attachment; filename="{filename}"'
            query["response-content-type"] = MEDIA_TYPE
        query["x-id"] = "GetObject" if method == "GET" else "PutObject"
        signed = urlencode(query, quote_via=quote)
        expire = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"
        signature = self._signature(method, key, signed)
        return f"{self.url}/{BUCKET}/{key}?{signed}&X-Amz-Signature={signature}", expire

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        path, _sign, query = request.raw_path.partition("?")
        key = path.removeprefix(f"/{BUCKET}/")
        signed, _sign, signature = query.partition("&X-Amz-Signature=")
        if "Authorization" in request.headers:
            return _error(400, "InvalidArgument", "Only one auth mechanism allowed")
        method = request.method
        if not hmac.compare_digest(signature, self._signature(method, key, signed)):
            return _error(403, "SignatureDoesNotMatch", "The request signature does not match")
        if time.time() > float(request.query["X-Amz-Date"]) + float(request.query["X-Amz-Expires"]):
            return _error(403, "AccessDenied", "Request has expired")
        if method == "PUT":
            await self._store(request, key)
            return web.Response(headers={"Content-Type": "text/html; charset=utf-8"})
        file = self.path(key)
        if not file.is_file():
            return _error(404, "NoSuchKey", "The specified key does not exist.")
        self.served += 1
        headers = {"Content-Type": request.query.get("response-content-type", "binary/octet-stream")}
        if "response-content-disposition" in request.query:
            headers["Content-Disposition"] = request.query["response-content-disposition"]
        return web.FileResponse(file, chunk_size=CHUNK, headers=headers)

    async def _store(self, request: web.BaseRequest, key: str) -> None:
        with self.path(key).open("wb") as file:
            async for chunk in request.content.iter_any():
                file.write(chunk)


def _error(status: int, code: str, message: str) -> web.Response:
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return web.Response(status=status, text=text, content_type="application/xml")
