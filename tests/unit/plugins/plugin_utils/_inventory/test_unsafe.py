"""Marking of device data, on this ansible-core and as the older ones need it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory import unsafe

HOSTILE = "{{ 6 * 7 }}"
DATA = {"name": HOSTILE, "list": [HOSTILE, {HOSTILE: [1, None, True]}], "plain": "6 * 7"}


@pytest.mark.parametrize("name", ["name", "list", "plain"])
def test_device_data_stays_text(name: str) -> None:
    templar = Templar(loader=DataLoader(), variables=unsafe.untrusted(DATA))
    template: Any = f"{{{{ {name} }}}}"
    if not unsafe.MARKING_NEEDED:
        from ansible.template import trust_as_template

        template = trust_as_template(template)
    assert templar.template(template) == DATA[name]


def test_values_are_not_changed() -> None:
    assert unsafe.untrusted(DATA) == DATA


@pytest.mark.parametrize("needed", [True, False])
def test_marks_where_it_is_needed(needed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsafe, "MARKING_NEEDED", needed)
    monkeypatch.setattr(unsafe, "wrap_var", lambda data: ("marked", data))
    assert unsafe.untrusted(DATA) == (("marked", DATA) if needed else DATA)
