# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """Connection options of the Mender inventory: those of the modules, with the environment in Ansible's own form."""

    DOCUMENTATION = r"""
options:
  url:
    description:
      - Base address of the Mender server, without C(/api/management). C(https://hosted.mender.io) if not set. Hosted
        Mender in Europe is C(https://eu.hosted.mender.io).
      - May be a template in the inventory file.
    type: str
    env:
      - name: MENDER_URL
  username:
    description:
      - User to log in as, usually a mail address. Each reading of the inventory logs in once, unless it comes from the
        cache.
      - Mender keeps ten logins of a user and throws out the oldest at the eleventh. Prefer O(token) where the inventory
        is read often.
      - If none of O(username), O(password) and O(token) is set in the inventory file, the environment variables are
        used. As soon as one is set there, none of the three variables counts.
      - May be a template in the inventory file.
    type: str
    env:
      - name: MENDER_USERNAME
  password:
    description:
      - Password of O(username).
      - May be a template in the inventory file, such as a lookup, or encrypted by C(ansible-vault encrypt_string).
    type: str
    env:
      - name: MENDER_PASSWORD
  token:
    description:
      - Personal access token, or another token of a user, instead of O(username) and O(password).
      - May be a template in the inventory file.
    type: str
    env:
      - name: MENDER_TOKEN
  token2fa:
    description:
      - Code of the second factor, for users who have one. It is good for one login within half a minute, so a
        O(token) is the better way.
      - May be a template in the inventory file.
    type: str
  validate_certs:
    description:
      - Whether the server's certificate must be valid.
    type: bool
    default: true
    env:
      - name: MENDER_VALIDATE_CERTS
  ca_path:
    description:
      - File or folder of the certificate authorities to trust, in PEM format.
    type: path
    env:
      - name: MENDER_CA_PATH
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
      - name: MENDER_REQUEST_TIMEOUT
  request_retries:
    description:
      - How often a request is repeated when the server or the connection has a passing fault.
    type: int
    default: 5
requirements:
  - requests
"""
