"""As much of a Mender server as an upload needs, as a program: it takes an artifact as fast as the network brings it.

The simulated server parses and stores what it gets, which takes longer than sending it and would hide what is measured.
This one knows what the artifact is from the file that its argument names, and forgets it when it is told to (DELETE).
"""

from __future__ import annotations

import json
import secrets
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

BLOCK = 1024 * 1024
ARTIFACTS = "/management/v1/deployments/artifacts"
LIST = "/management/v2/deployments/artifacts"


class Handler(BaseHTTPRequestHandler):
    """Answers for one artifact, which is there or not."""

    protocol_version = "HTTP/1.1"
    artifact: dict[str, Any]
    token = secrets.token_urlsafe(24)
    there = False

    def do_GET(self) -> None:
        """List the artifact, or show it."""
        path = self.path.partition("?")[0].removeprefix("/api")
        if path == LIST:
            self._answer(200, [self.artifact] if Handler.there else [])
        elif path == f"{ARTIFACTS}/{self.artifact['id']}" and Handler.there:
            self._answer(200, self.artifact)
        else:
            self._answer(404, {"error": "Resource not found"})

    def do_POST(self) -> None:
        """Take it, and throw it away."""
        left = int(self.headers["Content-Length"])
        buffer = memoryview(bytearray(BLOCK))
        while left:
            got = self.rfile.readinto(buffer[: min(BLOCK, left)])
            if not got:
                return
            left -= got
        Handler.there = True
        self._answer(201, None, Location=f"/api{ARTIFACTS}/{self.artifact['id']}")

    def do_DELETE(self) -> None:
        """Forget it."""
        Handler.there = False
        self._answer(204, None)

    def _answer(self, status: int, data: Any, **headers: str) -> None:
        allowed = self.headers.get("Authorization") == f"Bearer {self.token}"
        status, data = (status, data) if allowed else (401, {"error": "unauthorized"})
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


def main() -> None:
    """Run it."""
    Handler.artifact = json.loads(Path(sys.argv[1]).read_text())
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port, "token": Handler.token}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
