"""The filter rollout_record: its keys, and what it does with text that comes from elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar

from ansible_collections.fleet.deploy.plugins.filter import rollout_record as plugin
from ansible_collections.fleet.deploy.plugins.filter.rollout_plan import rollout_plan
from ansible_collections.fleet.deploy.plugins.plugin_utils._inventory import unsafe

HOSTILE = "{{ 6 * 7 }}{% raw %}"
WAVES = [{"name": "canary", "percentage": 50}, {"name": "rest"}]
COUNTS = {
    "selected": 2, "skipped": 0, "pending": 0, "running": 1, "succeeded": 0, "failed": 1, "aborted": 0, "unknown": 0,
}  # fmt: skip
DEVICE = {
    "id": HOSTILE, "name": HOSTILE, "state": "failed", "native_state": "error", "code": HOSTILE, "message": HOSTILE,
    "log": HOSTILE,
}  # fmt: skip
TOP = {
    "schema", "rollout_id", "message", "fleet", "deployment", "counts", "waves", "devices", "rollback", "attach",
    "error", "http",
}  # fmt: skip
FAILURE = {
    "code": "auth",
    "message": "No.",
    "details": {},
    "request_id": "q1",
    "http": {"method": "GET", "path": "/", "status": 401},
}


def rollout(text: str = "r") -> dict[str, Any]:
    """Return a rollout whose texts are all this one."""
    return {
        "id": "1", "name": text, "description": f"fleet.deploy: {text}", "status": "paused", "query": text,
        "distribution_set_id": "2", "created_at": None, "last_modified_at": None, "counts": COUNTS,
        "groups": [
            {
                "name": text, "status": "running", "last_modified_at": None, "success_threshold": "0",
                "error_threshold": "50", "counts": COUNTS,
            }
        ],
    }  # fmt: skip


def record(found: dict[str, Any] | None, text: str = "r", **more: Any) -> dict[str, Any]:
    """Return the record of it."""
    made: dict[str, Any] = plugin.rollout_record(
        found, text, {"name": text, "version": text}, rollout_plan(WAVES)["waves"], **more
    )
    return made


@pytest.mark.parametrize("found", [None, {}, rollout()], ids=["none", "empty", "there"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"failure": {}, "rollback": {}, "failed": [], "fleet": {}, "selected": 0},
        {"failure": None, "rollback": None, "failed": None, "fleet": None, "selected": None},
        {"failure": FAILURE, "rollback": {"software": {}, "devices": []}, "failed": [DEVICE], "fleet": {"all": True}},
        {"failure": {"message": "x", "code": "", "details": "", "request_id": "", "http": ""}},
    ],
    ids=["nothing", "empty", "none", "all", "from-the-rescue"],
)
def test_keys_are_always_there(found: dict[str, Any] | None, more: dict[str, Any]) -> None:
    made = record(found, **more)
    assert set(made) == TOP
    assert set(made["fleet"]) == {"selection", "query", "updated_query"}
    assert set(made["deployment"]) == {
        "platform", "id", "name", "state", "native_state", "software", "created", "finished",
    }  # fmt: skip
    assert set(made["deployment"]["software"]) == {"id", "name", "version", "type"}
    assert set(made["counts"]) == set(COUNTS)
    assert set(made["devices"]) == {"failed", "skipped", "unknown", "truncated"}
    assert set(made["error"]) == {"code", "message", "details", "request_id"}
    assert set(made["http"]) == {"method", "path", "status"}
    assert (made["error"]["code"] is None) == (made["error"]["message"] is None)
    assert made["error"]["code"] is None or made["error"]["message"] == made["message"]
    for wave in made["waves"]:
        assert set(wave) == {"name", "percentage", "query", "gate", "begun", "decision", "reason", "counts", "changed"}
        assert set(wave["gate"]) == {"min_success_percentage", "max_failure_percentage"}
        assert set(wave["counts"]) == set(COUNTS)
    assert json.loads(json.dumps(made)) == made


def test_failure_is_told_as_it_was() -> None:
    made = record(None, failure=FAILURE)
    assert made["error"] == {name: FAILURE[name] for name in ("code", "message", "details", "request_id")}
    assert made["http"] == FAILURE["http"]


@pytest.mark.parametrize("failure", [None, {"code": "rejected", "message": HOSTILE, "details": {"said": HOSTILE}}])
def test_text_from_elsewhere_stays_text(failure: dict[str, Any] | None) -> None:
    rollback = {"software": {"name": HOSTILE}, "devices": [HOSTILE], "remaining": [], "reason": HOSTILE}
    made = record(rollout(HOSTILE), HOSTILE, failed=[DEVICE], failure=failure, rollback=rollback)
    template: Any = "{{ record }}"
    if not unsafe.MARKING_NEEDED:
        from ansible.template import trust_as_template

        template = trust_as_template(template)
    templar = Templar(loader=DataLoader(), variables={"record": made})
    assert templar.template(template) == made
    assert made["devices"]["failed"] == [DEVICE]
    assert made["message"] == HOSTILE
    assert json.dumps(made).count(HOSTILE) > 12


def test_is_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin, "untrusted", lambda data: ("marked", data["rollout_id"]))
    assert record(rollout()) == ("marked", "r")


def test_platform_that_is_not_there() -> None:
    with pytest.raises(AnsibleFilterError) as error:
        record(rollout(), platform="junos_space")
    assert str(error.value) == "rollout_record: platform is 'junos_space', give one of hawkbit, mender."


def test_given_data_is_not_changed() -> None:
    given = rollout()
    before = json.dumps(given)
    made = record(given, failed=[DEVICE])
    made["counts"]["failed"] = made["waves"][0]["counts"]["failed"] = 99
    assert json.dumps(given) == before


def test_filter_is_known() -> None:
    assert plugin.FilterModule().filters() == {"rollout_record": plugin.rollout_record}
