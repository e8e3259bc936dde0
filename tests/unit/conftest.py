"""Make `ansible_collections.fleet.deploy` importable in the test process, as Ansible does in its own."""

from __future__ import annotations

import os

from ansible.utils.collection_loader import AnsibleCollectionConfig
from ansible.utils.collection_loader._collection_finder import _AnsibleCollectionFinder

if AnsibleCollectionConfig.collection_finder is None:
    # tests/conftest.py, which pytest loads before this file, has put the checkout there
    _AnsibleCollectionFinder(paths=[os.environ["ANSIBLE_COLLECTIONS_PATH"]])._install()
