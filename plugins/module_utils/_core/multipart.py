# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A multipart/form-data body that streams from disk. Private to the collection."""

from __future__ import annotations

import os
import uuid
from types import TracebackType

from .errors import InvalidInput

# One block must get through within the request's timeout: small enough for a slow line, large enough to be fast.
BLOCK = 256 * 1024


class MultipartFile:
    """Body with form fields and one file, read block by block while it is sent.

    Memory stays flat whatever the size. A file that changes underneath ends the upload with an error, since the
    server would store a mixture under a checksum that was computed before.

    Args:
        path: the file.
        filename: its name for the server; quotes and line ends are percent-encoded as HTML 4.10.21.8 wants.
        fields: further form fields, sent before the file.
        part: name of the file's part.

    Raises:
        InvalidInput: the file cannot be read, or its name cannot be sent.
    """

    def __init__(self, path: str, filename: str, fields: dict[str, str] | None = None, part: str = "file") -> None:
        boundary = uuid.uuid4().hex
        self.content_type = f"multipart/form-data; boundary={boundary}"
        head = "".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(name)}"\r\n\r\n{value}\r\n'
            for name, value in (fields or {}).items()
        )
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{_escape(part)}"; filename="{_escape(filename)}"'
            "\r\nContent-Type: application/octet-stream\r\n\r\n"
        )
        self._path = path
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        try:
            self._head = head.encode()
            self._file = open(path, "rb")  # closed by __exit__: the body outlives this method
        except UnicodeError:
            raise InvalidInput(f"file name {filename!a} is not UTF-8: rename the file.") from None
        except OSError as error:
            raise self._unreadable(error) from None
        self._before = self._fingerprint()
        self._left = self._before[0]
        self._length = len(self._head) + self._left + len(self._tail)

    def __len__(self) -> int:
        """Return the length of the whole body: requests sends it as Content-Length."""
        return self._length

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> MultipartFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes of the body, empty at its end. Blocks are larger than asked: fewer system calls."""
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._left:
            try:
                block = self._file.read(min(BLOCK, self._left))
            except OSError as error:
                raise self._unreadable(error) from None
            self._left -= len(block)
            if block:
                return block
        if self._left or (self._tail and self._fingerprint() != self._before):
            raise InvalidInput(f"'{self._path}' changed while it was uploaded: upload it when it is complete.")
        tail, self._tail = self._tail, b""
        return tail

    def _fingerprint(self) -> tuple[int, int, int]:
        stat = os.fstat(self._file.fileno())
        return stat.st_size, stat.st_mtime_ns, stat.st_ino

    def _unreadable(self, error: OSError) -> InvalidInput:
        return InvalidInput(f"'{self._path}' cannot be read ({error.strerror}): give the path of a readable file.")


def _escape(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
