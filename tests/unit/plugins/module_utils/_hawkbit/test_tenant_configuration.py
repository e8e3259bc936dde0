"""hawkbit_tenant_configuration: types of values, what is reset, and that the gateway token is nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.fleet.deploy.plugins.module_utils._core.errors import InvalidInput
from ansible_collections.fleet.deploy.plugins.modules import hawkbit_tenant_configuration as module

from .conftest import Run
from .objects import Objects

KEY = "authentication.gatewaytoken.key"


@pytest.fixture
def objects() -> Iterator[Objects]:
    """A tenant with a setting of each type."""
    found = Objects()
    found.defaults = {"pollingTime": "00:05:00", "count": 3, "switch": False, "words": "", KEY: ""}
    found.settings = {key: {"value": value, "global": True} for key, value in found.defaults.items()}
    found.settings[KEY] = {"value": "present-token", "global": False}
    with found.server:
        yield found


def test_without_options_it_only_reads(objects: Objects, run: Run) -> None:
    done = run(module, objects.server.url)
    assert (done.result["changed"], objects.writes) == (False, [])
    assert done.result["settings"]["count"] == {"value": 3, "global": True}
    assert KEY not in done.result["settings"]


def test_settings_are_changed_and_reset(objects: Objects, run: Run) -> None:
    given = {"settings": {"pollingTime": "00:01:00", "count": "4", "switch": "yes", "words": ""}}
    planned = run(module, objects.server.url, check_mode=True, diff_mode=True, **given)
    assert objects.writes == []
    done = run(module, objects.server.url, diff_mode=True, **given)
    assert planned.result == done.result
    assert objects.writes == [f"PUT system/configs/{key}" for key in ("pollingTime", "count", "switch")]
    assert objects.bodies("PUT system/configs/switch") == [{"value": True}]
    assert not run(module, objects.server.url, **given).result["changed"]
    back: dict[str, Any] = {"reset": ["pollingTime", "count", "words"]}
    planned = run(module, objects.server.url, check_mode=True, **back)
    assert planned.result["settings"]["count"] == {"value": None, "global": True}
    done = run(module, objects.server.url, **back)
    assert done.result["settings"]["count"] == {"value": 3, "global": True}
    assert objects.writes[3:] == ["DELETE system/configs/pollingTime", "DELETE system/configs/count"]
    assert not run(module, objects.server.url, **back).result["changed"]


@pytest.mark.parametrize("check_mode", [True, False])
def test_the_gateway_token_is_nowhere(objects: Objects, run: Run, check_mode: bool) -> None:
    done = run(module, objects.server.url, check_mode=check_mode, diff_mode=True, gateway_token="wanted-token")
    assert done.result["diff"] == {
        "before": {KEY: {"value": "(not shown)"}},
        "after": {KEY: {"value": "(not shown), changed"}},
    }
    assert "-token" not in json.dumps(done.result)
    assert objects.settings[KEY]["value"] == ("present-token" if check_mode else "wanted-token")
    if not check_mode:
        assert not run(module, objects.server.url, gateway_token="wanted-token").result["changed"]
        gone = run(module, objects.server.url, diff_mode=True, reset=[KEY])
        assert gone.result["changed"]
        assert "-token" not in json.dumps(gone.result)


@pytest.mark.parametrize(
    "given, message",
    [
        ({"settings": {KEY: "x"}}, f"settings has '{KEY}', which is a secret: give it in gateway_token."),
        ({"settings": {"switch": "maybe"}}, "settings: 'switch' is 'maybe': give true or false."),
        ({"settings": {"count": 4.5}}, "settings: 'count' is '4.5': give a whole number."),
        ({"settings": {"count": None}}, "settings: 'count' is empty: give a value, or list the key in reset."),
        (
            {"settings": {"pollingTime": 43200}},
            "settings: 'pollingTime' is '43200': give a duration in quotes, such as '00:05:00'.",
        ),
        (
            {"settings": {"pollingTime": "00:01:00"}, "reset": ["pollingTime"]},
            "'pollingTime' is in settings and in reset: give it in one of them.",
        ),
    ],
)
def test_what_is_refused(objects: Objects, run: Run, given: dict[str, Any], message: str) -> None:
    done = run(module, objects.server.url, **given)
    assert isinstance(done.error, InvalidInput)
    assert (done.result["msg"], objects.writes) == (message, [])


@pytest.mark.parametrize("given", [{"settings": {"bogus": 1}}, {"reset": ["bogus"]}])
def test_an_unknown_setting_is_refused_with_those_that_there_are(
    objects: Objects, run: Run, given: dict[str, Any]
) -> None:
    done = run(module, objects.server.url, **given)
    assert isinstance(done.error, InvalidInput)
    assert done.result["msg"].startswith(
        "'bogus' is no setting that the server knows and shows: it has authentication."
    )


def test_durations_of_all_releases_are_taken(objects: Objects, run: Run) -> None:
    for value in ("PT5M", "00:01:00~10%", "00:01:00, group==x -> 00:00:10"):
        assert run(module, objects.server.url, settings={"pollingTime": value}).error is None


@pytest.mark.parametrize("fault", ["before", "after"])
@pytest.mark.parametrize("given", [{"settings": {"count": 4}}, {"reset": ["changed"]}, {"gateway_token": "new-token"}])
def test_each_write_has_one_effect(objects: Objects, run: Run, given: dict[str, Any], fault: str) -> None:
    objects.defaults["changed"] = 1
    objects.settings["changed"] = {"value": 2, "global": False}
    objects.fault = fault
    done = run(module, objects.server.url, **given)
    assert (done.error, done.result["changed"], len(objects.writes)) == (None, True, 1 + (fault == "before"))
    assert not run(module, objects.server.url, **given).result["changed"]
