# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of the hawkBit inventory: those of the modules, with the environment in Ansible's own form."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base address of the hawkBit server, without C(/rest/v1). Required.
      - May be a template in the inventory file.
    type: str
    env:
      - name: HAWKBIT_URL
  username:
    description:
      - User of the Management API. Hosted servers want C(tenant\user).
      - If none of O(username), O(password) and O(token) is set in the inventory file, the environment variables are
        used. As soon as one is set there, none of the three variables counts.
      - May be a template in the inventory file.
    type: str
    env:
      - name: HAWKBIT_USERNAME
  password:
    description:
      - Password of O(username).
      - May be a template in the inventory file, such as a lookup, or encrypted by C(ansible-vault encrypt_string).
    type: str
    env:
      - name: HAWKBIT_PASSWORD
  token:
    description:
      - OpenID Connect access token, sent as bearer token instead of O(username) and O(password).
      - May be a template in the inventory file.
    type: str
    env:
      - name: HAWKBIT_TOKEN
  validate_certs:
    description:
      - Whether the server's certificate must be valid.
    type: bool
    default: true
    env:
      - name: HAWKBIT_VALIDATE_CERTS
  ca_path:
    description:
      - File or folder of the certificate authorities to trust, in PEM format.
    type: path
    env:
      - name: HAWKBIT_CA_PATH
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
    type: float
    default: 30.0
    env:
      - name: HAWKBIT_REQUEST_TIMEOUT
  request_retries:
    description:
      - How often a request is repeated when the server or the connection has a passing fault.
    type: int
    default: 5
requirements:
  - requests
"""
