"""What the simulated Mender server answers to made-up requests fits the description of the open source server.

schemathesis makes requests up from the description, such as fit it and such as do not, and compares each answer with
it: status, type, headers and body. test_mender_openapi.py makes calls that are thought out instead. Where the server
differs from its description, real ones do the same; that is listed here, and what is listed must happen.
"""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from servers.mender import MenderServer, Settings

FILE = Path(__file__).resolve().parents[4] / "shared" / "reference" / "data" / "mender" / "openapi-oss.yaml"
V1, V2 = "/api/management/v1/deployments", "/api/management/v2/deployments"
INVENTORY, INVENTORY_V2 = "/api/management/v1/inventory", "/api/management/v2/inventory"
ADMISSION, DEVICES = "/api/management/v2/devauth", "/api/devices/v1"
SERVICES = {
    "artifacts": f"{V1}/(artifacts|limits)|{V2}/artifacts",
    "deployments": f"{V1}/deployments|{V2}/(deployments|releases)",
    "inventory": f"{INVENTORY}/|{INVENTORY_V2}/",
    "admission": f"{ADMISSION}/|.*/useradm/auth/log",
    "devices": f"{DEVICES}/(deployments|inventory)/",
}
# of each operation, of requests that fit the description and as many of such as do not
EXAMPLES = 12
# Where real servers differ: operation -> what (a status that is not described, or the check that fails) -> why. Nothing
# else that is known to differ is seen by these checks, since the description leaves it open.
_BODY = "response_schema_conformance"
_NO_UUID = "an id that is no UUID is refused, as a transcript of 2024 shows"
_NO_DESCRIPTION = "the description of an artifact is left out when it is empty, as transcripts show"
_NO_RELEASE = "a release that is not there, as a transcript of 2024 shows for its tags"
ALLOWED: dict[str, dict[int | str, str]] = {
    f"DELETE {V1}/artifacts/{{id}}": {400: _NO_UUID},
    f"GET {V2}/artifacts": {_BODY: _NO_DESCRIPTION, 400: "a page that is too large"},
    f"GET {V1}/deployments/{{id}}": {400: _NO_UUID},
    f"GET {V1}/deployments/{{deployment_id}}/statistics": {400: _NO_UUID},
    f"GET {V1}/deployments/{{deployment_id}}/devices": {400: _NO_UUID},
    f"GET {V1}/deployments/{{deployment_id}}/devices/list": {400: _NO_UUID},
    f"GET {V1}/deployments/devices/{{id}}": {400: "a page that is too large, as transcripts show"},
    f"POST {V1}/deployments/statistics/list": {_BODY: "an empty list is answered with {}"},
    f"GET {V2}/deployments/releases": {_BODY: _NO_DESCRIPTION},
    f"GET {V2}/deployments/releases/{{release_name}}": {_BODY: _NO_DESCRIPTION},
    f"PATCH {V2}/deployments/releases/{{release_name}}": {404: _NO_RELEASE},
    f"PUT {V2}/deployments/releases/{{release_name}}/tags": {404: _NO_RELEASE},
    f"GET {INVENTORY}/devices/{{id}}/group": {_BODY: "null without a group"},
}
# what the simulator does not have, and why
LEFT_OUT = {
    f"GET {DEVICES}/deployments/download/configuration/{{deployment_id}}/{{device_type}}/{{device_id}}": (
        "configuration deployments are not simulated"
    ),
    f"POST {ADMISSION}/devices": "devices are made by add_devices()",
    f"DELETE {ADMISSION}/devices/{{id}}/auth/{{aid}}": "a device has one identity only",
    f"DELETE {ADMISSION}/tokens/{{id}}": "tokens of devices do not end",
    f"GET {ADMISSION}/limits/max_devices": "there is no limit",
    f"GET {INVENTORY_V2}/statistics": "newer than 4.1",
}


class Scene:
    """A server with something of everything, whose objects take the place of made-up ones in every other request.

    It has no gateway, as the description describes the services behind it.
    """

    def __init__(self, server: MenderServer, folder: Path, path: str) -> None:
        self.server = server
        self.path = path
        server.add_devices(["dev-1", "dev-2"], group="g", attributes={"load": 1})
        server.add_devices(["lonely"])
        self.artifact = server.add_artifact("rel-1", ["generic-x86_64"])
        with server.session() as session:
            body = {"name": "d", "artifact_name": "rel-1", "devices": ["dev-1", "dev-2"]}
            answer = session.post(f"{server.url}{V1}/deployments", json=body, timeout=60)
        self.deployment = answer.headers["Location"].rpartition("/")[2]
        token = server.device_token("dev-1") if path.startswith(DEVICES) else server.token
        self.headers = {"Authorization": f"Bearer {token}"}
        self._number = itertools.count()

    def known(self, name: str) -> str:
        """An object that there is for a variable part of the path."""
        if name == "id" and "/artifacts/" in self.path:
            return self.artifact
        if name == "deployment_id" or (name == "id" and re.search(r"/deployments/\{id\}", self.path)):
            return self.deployment
        if name == "id":
            return "lonely" if self.path.endswith("/group") else "dev-1"
        return {"device_id": "dev-1", "release_name": "rel-1", "name": "g"}.get(name, "none")

    def ask(self, case: Any) -> Any:
        """Send a made-up request, every other time with what there is; return the answer."""
        if next(self._number) % 2:
            case.path_parameters = {name: self.known(name) for name in case.path_parameters or {}}
            if isinstance(case.body, dict) and isinstance(case.body.get("artifact_name"), str):
                case.body["artifact_name"] = "rel-1"
        # also where it was made up to be missing: it is the gateway that looks
        case.headers = {**(case.headers or {}), **self.headers}
        return case.call(base_url=self.server.url, timeout=60)


def differences(operation: Any, folder: Path) -> dict[int | str, str]:
    """Make requests up for one operation; return what differs from the description, each with an example."""
    import hypothesis
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.core.failures import FailureGroup
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
        not_a_server_error,
    )
    quick = hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    found: dict[int | str, str] = {}
    # the services do not check tokens; the gateway does, and is not described
    with MenderServer(gateway=False, settings=Settings(direct_upload=True, generate_seconds=0.01)) as server:
        scene = Scene(server, folder, operation.path)

        def check(case: Any) -> None:
            answer = scene.ask(case)
            for one in checks:
                try:
                    case.validate_response(answer, checks=[one])
                except FailureGroup as group:
                    what = answer.status_code if one is status_code_conformance else one.__name__
                    found.setdefault(what, f"{answer.text[:200]} ({group.exceptions[0]})"[:600])

        for mode in (schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE):
            run = quick(hypothesis.given(case=operation.as_strategy(generation_mode=mode))(check))
            # of some operations every request fits
            with contextlib.suppress(hypothesis.errors.Unsatisfiable):
                run()
        if server.faults:
            found["faults"] = "the simulator itself has failed"
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("service", SERVICES)
def test_made_up_requests(service: str, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="needs schemathesis, which is not installed")
    if not FILE.is_file():
        pytest.skip("the description of Mender's interfaces is not part of the collection")
    import hypothesis.configuration
    import schemathesis

    # not into the checkout
    hypothesis.configuration.set_hypothesis_home_dir(tmp_path)
    document = yaml.load(FILE.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    document["paths"] = {path: one for path, one in document["paths"].items() if re.match(SERVICES[service], path)}
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    found = {one.label: differences(one, tmp_path) for one in operations if one.label not in LEFT_OUT}
    there = {label: texts for label, texts in found.items() if texts}
    allowed = {label: entries for label, entries in ALLOWED.items() if label in found}
    new = [
        f"{label}: {what}: {text}"
        for label, texts in there.items()
        for what, text in texts.items()
        if what not in allowed.get(label, {})
    ]
    assert not new, "\n".join(new)
    gone = [(label, what) for label, entries in allowed.items() for what in entries if what not in there.get(label, {})]
    assert gone == [], "what is allowed has not happened"
    assert found
