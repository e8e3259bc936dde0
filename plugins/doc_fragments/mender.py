# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of the Mender modules; the same as C(mender_spec)."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base address of the Mender server, without C(/api/management).
      - If not set, the environment variable E(MENDER_URL) is used, and without it C(https://hosted.mender.io). Hosted
        Mender in Europe is C(https://eu.hosted.mender.io).
    type: str
  username:
    description:
      - User to log in as, usually a mail address. Each task logs in once.
      - Mender keeps ten logins of a user and throws out the oldest at the eleventh. Prefer O(token) where many tasks
        run at the same time.
      - If none of O(username), O(password) and O(token) is set, E(MENDER_USERNAME), E(MENDER_PASSWORD) and
        E(MENDER_TOKEN) are used. As soon as one is set, none of these variables counts.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  token:
    description:
      - Personal access token, or another token of a user, instead of O(username) and O(password).
    type: str
  token2fa:
    description:
      - Code of the second factor, for users who have one. It is good for one login within half a minute, so use
        O(token) for more than one task.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be valid.
      - If not set, the environment variable E(MENDER_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder of the certificate authorities to trust, in PEM format.
      - If not set, the environment variable E(MENDER_CA_PATH) is used.
    type: path
  client_cert:
    description:
      - The client's certificate in PEM format, for servers that ask for one. May hold the key as well.
    type: path
  client_key:
    description:
      - Key of O(client_cert) in PEM format, when it is a file of its own.
    type: path
  request_timeout:
    description:
      - How long to wait for the answer to one request, in seconds.
      - If not set, the environment variable E(MENDER_REQUEST_TIMEOUT) is used.
    type: float
    default: 30.0
  request_retries:
    description:
      - How often a request is repeated when the server or the connection has a passing fault.
      - A request that changes something is only repeated when it cannot have reached the server, or after reading back
        has shown that it had no effect.
    type: int
    default: 5
requirements:
  - requests
"""
