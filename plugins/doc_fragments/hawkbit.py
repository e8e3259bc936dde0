# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of the hawkBit modules; the same as C(connection_spec("hawkbit"))."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base address of the hawkBit server, without C(/rest/v1).
      - Required. If not set, the environment variable E(HAWKBIT_URL) is used.
    type: str
  username:
    description:
      - User of the Management API. Hosted servers want C(tenant\user).
      - If none of O(username), O(password) and O(token) is set, E(HAWKBIT_USERNAME), E(HAWKBIT_PASSWORD) and
        E(HAWKBIT_TOKEN) are used. As soon as one is set, none of these variables counts.
    type: str
  password:
    description:
      - Password of O(username).
    type: str
  token:
    description:
      - OpenID Connect access token, sent as bearer token instead of O(username) and O(password).
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be valid.
      - If not set, the environment variable E(HAWKBIT_VALIDATE_CERTS) is used.
    type: bool
    default: true
  ca_path:
    description:
      - File or folder of the certificate authorities to trust, in PEM format.
      - If not set, the environment variable E(HAWKBIT_CA_PATH) is used.
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
      - Uploads, and assignments to many targets, are given more time in proportion to their size.
      - If not set, the environment variable E(HAWKBIT_REQUEST_TIMEOUT) is used.
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
