"""The deployments service of the simulated Mender server, for users and for devices."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import BodyPartReader

from servers._mender_artifacts import Artifact, Artifacts, parse, upload_id
from servers._mender_deployments import Deployment, Deployments, Progress
from servers._mender_file import write_artifact
from servers._mender_http import (
    CHUNK,
    Answer,
    Call,
    Drop,
    Refusal,
    Route,
    form_value,
    is_uuid,
    lenient_page,
    need_uuid,
    new_id,
    not_found,
    page_of,
    paged,
    typed,
)
from servers._mender_storage import Storage

V1 = "/api/management/v1/deployments"
V2 = "/api/management/v2/deployments"
DEVICES = "/api/devices/v1/deployments/device/deployments"
DEVICES_V2 = "/api/devices/v2/deployments/device/deployments"
INTERNAL = "internal error"
UPLOAD_LIMIT = 10 * 1024**3
GENERATE_LIMIT = 256 * 1024**2
DEVICE_LINK_SECONDS = 86_400
UPLOAD_LINK_SECONDS = 3600
HISTORY_PAGE = 20
IDS = 100
COMPLETE_LIMIT = 2048
FIELD_LENGTH = 256
TOO_MANY_BYTES = (
    "reading artifact error: reader: can not read version file: readNext: "
    "Failed to copy from tarReader to the buffer: read too many bytes"
)
TOO_FEW_BYTES = "reading artifact error: reader: can not read version file: unexpected EOF"
LIST_STATUSES = ("inprogress", "finished", "pending", "aborted")
OLD_LIST_STATUSES = ("inprogress", "finished", "pending", "scheduled")


@dataclass
class Settings:
    """What a test may choose about the service."""

    link_seconds: float = 900.0
    generate_seconds: float = 0.3
    storage_limit: int = 0
    storage_usage: int = 0
    direct_upload: bool = False
    upload_limit: int = UPLOAD_LIMIT
    generate_limit: int = GENERATE_LIMIT


class Management:
    """The interface of artifacts, releases and deployments."""

    def __init__(
        self,
        features: frozenset[str],
        artifacts: Artifacts,
        deployments: Deployments,
        storage: Storage,
        settings: Settings,
    ) -> None:
        self.features = features
        self.artifacts = artifacts
        self.deployments = deployments
        self.storage = storage
        self.settings = settings
        self.generated: dict[str, str] = {}
        self._new = "new_paging" in features
        self._links: set[str] = set()
        self._jobs: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        """End what works in the background."""
        for job in self._jobs:
            job.cancel()

    def routes(self) -> list[Route]:
        """The interface that the version and the edition have."""
        one, device = f"{V1}/deployments/{{id}}", f"{V1}/deployments/devices/{{id}}"
        routes = [
            Route("POST", f"{V1}/artifacts", self.upload),
            Route("GET", f"{V1}/artifacts", self.all_artifacts),
            Route("POST", f"{V1}/artifacts/generate", self.generate),
            Route("GET", f"{V1}/artifacts/{{id}}", self.artifact),
            Route("PUT", f"{V1}/artifacts/{{id}}", self.edit_artifact),
            Route("DELETE", f"{V1}/artifacts/{{id}}", self.delete_artifact),
            Route("GET", f"{V1}/artifacts/{{id}}/download", self.download_link),
            Route("GET", f"{V1}/limits/{{name}}", self.limit),
            Route("POST", f"{V1}/deployments", self.create),
            Route("GET", f"{V1}/deployments", self.list_v1),
            Route("GET", f"{V1}/deployments/releases", self.all_releases),
            Route("DELETE", device, self.leave),
            Route("GET", one, self.deployment),
            Route("GET", f"{one}/devices", self.all_devices),
            Route("GET", f"{one}/devices/{{device}}/log", self.log),
            Route("GET", f"{one}/statistics", self.statistics),
            Route("PUT", f"{one}/status", self.abort),
            Route("GET", f"{one}/device_list", self.targets),
            Route("GET", f"{DEVICES}/next", self.next, "device"),
            Route("POST", f"{DEVICES}/next", self.next, "device"),
            Route("PUT", f"{DEVICES}/{{id}}/status", self.report, "device"),
            Route("PUT", f"{DEVICES}/{{id}}/log", self.save_log, "device"),
        ]
        later = {
            "lists": [
                Route("GET", f"{V1}/artifacts/list", self.list_artifacts),
                Route("GET", f"{V1}/deployments/releases/list", self.list_releases_v1),
                Route("GET", f"{one}/devices/list", self.list_devices),
            ],
            "groups": [Route("POST", f"{V1}/deployments/group/{{group}}", self.create)],
            "bulk_statistics": [Route("POST", f"{V1}/deployments/statistics/list", self.all_statistics)],
            "history": [
                Route("GET", device, self.history),
                Route("DELETE", f"{device}/history", self.forget),
            ],
            "releases_v2": [
                Route("GET", f"{V2}/deployments/releases", self.list_releases_v2),
                Route("DELETE", f"{V2}/deployments/releases", self.delete_releases),
                Route("PATCH", f"{V2}/deployments/releases/{{name}}", self.release_notes),
                Route("PUT", f"{V2}/deployments/releases/{{name}}/tags", self.release_tags),
                Route("GET", f"{V2}/releases/all/tags", self.all_tags),
                Route("GET", f"{V2}/releases/all/types", self.all_types),
            ],
            "release_get": [Route("GET", f"{V2}/deployments/releases/{{name}}", self.release)],
            "deployments_v2": [Route("GET", f"{V2}/deployments", self.list_v2)],
            "artifacts_v2": [Route("GET", f"{V2}/artifacts", self.list_artifacts_v2)],
        }
        routes += [route for name, more in later.items() if name in self.features for route in more]
        if self.settings.direct_upload:
            routes += [
                Route("POST", f"{V1}/artifacts/directupload", self.upload_link),
                Route("POST", f"{V1}/artifacts/directupload/{{id}}/complete", self.complete),
            ]
        if self.deployments.edition != "open_source":
            routes += [
                Route("POST", f"{V2}/deployments", self.create_dynamic),
                Route("PATCH", one, self.control),
                Route("POST", f"{DEVICES_V2}/next", self.next, "device"),
            ]
        return routes

    # -- artifacts -----------------------------------------------------------------------------------------

    def _created(self, base: str, name: str) -> Answer:
        start = "/api" if "absolute_location" in self.features else "."
        return Answer(201, headers={"Location": f"{start}/management/v1/deployments/{base}/{name}"})

    async def upload(self, call: Call) -> Answer:
        """A new artifact: the parts are read one by one, and nothing behind the part artifact."""
        values: dict[str, str] = {}
        async for part in call.parts():
            name = (part.name or "").lower()
            if name == "artifact":
                return await self._upload(part, values)
            if name in ("description", "size", "artifact_id"):
                values[name] = await form_value(part)
                self._check_value(name, values[name])
        raise Refusal(400, "request does not contain the artifact file")

    def _check_value(self, name: str, value: str) -> None:
        if name == "size":
            if not value.isdigit():
                raise Refusal(400, f'strconv.ParseInt: parsing "{value}": invalid syntax')
            if int(value) > self.settings.upload_limit:
                raise Refusal(400, "Artifact file too large")
        if name == "artifact_id" and not is_uuid(value):
            raise Refusal(400, "artifact_id is not a valid UUID")

    async def _upload(self, part: BodyPartReader, values: dict[str, str]) -> Answer:
        name = upload_id(values.get("artifact_id", ""))
        path = self.storage.path(f"{name}.upload")
        size = int(values.get("size") or 0)
        limit = self.settings.upload_limit
        try:
            got = await _save(part, path, min(size, limit) if size else limit, TOO_MANY_BYTES if size else "")
            if size and got < size:
                raise Refusal(400, TOO_FEW_BYTES)
            await self._insert(name, path, values.get("description", ""))
        finally:
            self.storage.drop(path)
        return self._created("artifacts", name)

    async def _insert(self, name: str, path: Path, description: str) -> None:
        """Take an uploaded file for an artifact."""
        file = await asyncio.to_thread(parse, path, self.features)
        self.artifacts.check_unique(file)
        artifact = Artifact(name, file, self.storage.keep(path, name), description)
        self.artifacts.insert(artifact)
        self.deployments.join(artifact)

    async def all_artifacts(self, call: Call) -> Answer:
        """The list that has no pages."""
        return Answer(body=[artifact.body(self.features) for artifact in self._listed(call)])

    def _listed(self, call: Call) -> list[Artifact]:
        if "lists" not in self.features:
            return self.artifacts.listed()
        return self.artifacts.listed(
            call.get("name"), call.get("description"), call.get("device_type"), call.get("sort")
        )

    async def list_artifacts(self, call: Call) -> Answer:
        """The list with pages, where a page that is too large is silently one of 20."""
        answer = paged(call, lenient_page(call), self._listed(call), new=self._new)
        answer.body = [artifact.body(self.features) for artifact in answer.body]
        return answer

    async def list_artifacts_v2(self, call: Call) -> Answer:
        """The list of 4.1."""
        page = lenient_page(call)
        if (call.number("per_page") or 0) > 500:
            raise Refusal(400, "invalid filter: per_page: must be no greater than 500.")
        found = self.artifacts.listed_v2(call.query.get("name", []), call.get("description"), call.get("device_type"))
        answer = paged(call, page, found, new=self._new, total=False)
        answer.body = [artifact.body(self.features) for artifact in answer.body]
        return answer

    async def artifact(self, call: Call) -> Answer:
        """One artifact."""
        return Answer(body=self.artifacts.get(need_uuid(call["id"])).body(self.features))

    async def edit_artifact(self, call: Call) -> Answer:
        """Change the description of an artifact that no deployment ever had."""
        name = need_uuid(call["id"])
        body = await call.json()
        typed(body, {"description": str})
        artifact = self.artifacts.get(name)
        if self.deployments.uses(artifact, active=False):
            raise Refusal(422, "Image has already been used in deployment")
        artifact.description = body.get("description") or ""
        return Answer(204)

    async def delete_artifact(self, call: Call) -> Answer:
        """Delete an artifact that no active deployment has."""
        artifact = self.artifacts.get(need_uuid(call["id"]))
        if self.deployments.uses(artifact, active=True):
            raise Refusal(409, "Artifact is used in active deployment")
        self.artifacts.remove(artifact)
        return Answer(204)

    def _source(self, artifact: Artifact, seconds: float) -> dict[str, Any]:
        uri, expire = self.storage.link(artifact.id, seconds, filename=f"{artifact.file.name}.mender")
        body = {"uri": uri, "expire": expire}
        return body | {"method": "GET"} if "lists" in self.features else body

    async def download_link(self, call: Call) -> Answer:
        """A link to the file."""
        artifact = self.artifacts.get(need_uuid(call["id"]))
        return Answer(body=self._source(artifact, self.settings.link_seconds))

    async def limit(self, call: Call) -> Answer:
        """The limit of the storage."""
        if call["name"] != "storage":
            raise Refusal(400, f"unsupported limit {call['name']}")
        return Answer(body={"limit": self.settings.storage_limit, "usage": self.settings.storage_usage})

    # -- artifacts that come to be later -------------------------------------------------------------------

    def _later(self, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await asyncio.sleep(self.settings.generate_seconds)
            await work()

        job = asyncio.create_task(run())
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def generate(self, call: Call) -> Answer:
        """Queue the making of an artifact out of a raw file; whether that works is never told."""
        values: dict[str, str] = {}
        name = new_id()
        path = self.storage.path(f"{name}.raw")
        async for part in call.parts():
            field = (part.name or "").lower()
            if field == "file":
                self._check_generated(values)
                size = int(values.get("size") or 0)
                await _save(part, path, size or self.settings.generate_limit, "unexpected size" if size else "")
                break
            if field in ("name", "description", "device_types_compatible", "type", "args", "size"):
                values[field] = await form_value(part)
        self._check_generated(values)
        if not path.exists():
            raise Refusal(400, "api: invalid form parameters: missing 'file' section")
        types = [text.strip() for text in values["device_types_compatible"].split(",")]
        if any(set(types) & set(other.file.device_types) for other in self.artifacts.named(values["name"])):
            self.storage.drop(path)
            raise Refusal(422, "Artifact not unique")
        self._later(lambda: self._generate(name, path, values, types))
        return self._created("artifacts/generate", name)

    @staticmethod
    def _check_generated(values: dict[str, str]) -> None:
        for field in ("device_types_compatible", "name", "type"):
            if not values.get(field):
                raise Refusal(400, f"api: invalid form parameters: {field}: cannot be blank.")
            if len(values[field]) > FIELD_LENGTH:
                about = f"{field}: the length must be between 1 and {FIELD_LENGTH}."
                raise Refusal(400, f"api: invalid form parameters: {about}")

    async def _generate(self, name: str, path: Path, values: dict[str, str], types: list[str]) -> None:
        """What the worker does. It knows one type, and that type's arguments; all else fails without a word."""
        target = self.storage.path(f"{name}.upload")
        try:
            if values["type"] not in ("single_file", "single-file"):
                raise Refusal(400, f"no module for the type {values['type']}")
            arguments = json.loads(values.get("args") or "")
            files: dict[str, bytes | Path] = {
                "dest_dir": f"{arguments['dest_dir']}\n".encode(),
                "filename": f"{arguments['filename']}\n".encode(),
                "permissions": b"644\n",
                str(arguments["filename"]): path,
            }
            more = {"rootfs-image.single-file.version": values["name"]}
            clears = ["rootfs-image.single-file.*"]
            await asyncio.to_thread(
                write_artifact, target, values["name"], types, files, kind="single-file", provides=more, clears=clears
            )
            await self._insert(name, target, values.get("description", ""))
            self.generated[name] = ""
        except (Refusal, ValueError, KeyError, TypeError) as error:
            self.generated[name] = str(error) or "failed"
        finally:
            self.storage.drop(path)
            self.storage.drop(target)

    async def upload_link(self, call: Call) -> Answer:
        """A link to which a file may be sent."""
        name = new_id()
        self._links.add(name)
        uri, expire = self.storage.link(f"{name}.tmp", UPLOAD_LINK_SECONDS, method="PUT")
        return Answer(body={"id": name, "uri": uri, "expire": expire, "method": "PUT"})

    async def complete(self, call: Call) -> Answer:
        """The file has been sent: look at it later."""
        name = call["id"]
        text = await call.read()
        if name not in self._links:
            raise not_found()
        if len(text) > COMPLETE_LIMIT:
            raise Refusal(400, "invalid request body: too large")
        self._links.discard(name)
        path = self.storage.path(f"{name}.tmp")

        async def work() -> None:
            try:
                await self._insert(name, path, "")
                self.generated[name] = ""
            except (Refusal, OSError) as error:
                self.generated[name] = str(error)

        self._later(work)
        return Answer(202)

    # -- releases ------------------------------------------------------------------------------------------

    async def all_releases(self, call: Call) -> Answer:
        """The list that has no pages."""
        names = self.artifacts.releases(call.get("name"))
        return Answer(body=[self.artifacts.release_body(name, 1) for name in names])

    async def list_releases_v1(self, call: Call) -> Answer:
        """The list with pages whose keys begin with capitals."""
        answer = paged(
            call, lenient_page(call), self.artifacts.releases(call.get("name"), sort=call.get("sort")), new=self._new
        )
        answer.body = [self.artifacts.release_body(name, 1) for name in answer.body]
        return answer

    async def list_releases_v2(self, call: Call) -> Answer:
        """The list with filters."""
        names = self.artifacts.releases(
            call.get("name"), call.query.get("tag", []), call.get("update_type"), call.get("sort"), prefix=True
        )
        answer = paged(call, lenient_page(call), names, new=self._new)
        answer.body = [self.artifacts.release_body(name, 2) for name in answer.body]
        return answer

    async def release(self, call: Call) -> Answer:
        """One release."""
        return Answer(body=self.artifacts.release_body(call["name"], 2))

    async def release_notes(self, call: Call) -> Answer:
        """Replace the notes."""
        self.artifacts.set_notes(call["name"], await call.json(checked=False))
        return Answer(204)

    async def release_tags(self, call: Call) -> Answer:
        """Replace the tags."""
        self.artifacts.set_tags(call["name"], await call.json(list, checked=False))
        return Answer(204)

    async def delete_releases(self, call: Call) -> Answer:
        """Delete releases with all their artifacts, or none of them."""
        names = call.query.get("name", [])
        if not names:
            raise Refusal(400, "at least one release name has to be provided")
        users = self.deployments.of_releases(names)
        if users:
            raise Refusal(409, "release(s) used in active deployment", active_deployments=users)
        for artifact in [artifact for name in names for artifact in self.artifacts.named(name)]:
            self.artifacts.remove(artifact)
        return Answer(204)

    async def all_tags(self, call: Call) -> Answer:
        """All tags."""
        return Answer(body=self.artifacts.all_tags())

    async def all_types(self, call: Call) -> Answer:
        """All update types."""
        return Answer(body=self.artifacts.all_kinds())

    # -- deployments ---------------------------------------------------------------------------------------

    async def create(self, call: Call) -> Answer:
        """A new deployment, for devices or for the group in the path."""
        body = await _body(call)
        return self._created("deployments", self.deployments.create(body, call.parameters.get("group", "")).id)

    async def create_dynamic(self, call: Call) -> Answer:
        """A new deployment for a saved filter."""
        return self._created("deployments", self.deployments.create_dynamic(await _body(call)).id)

    async def control(self, call: Call) -> Answer:
        """Replace the update control map of a deployment that has one."""
        deployment = self.deployments.get(need_uuid(call["id"]))
        body = await call.json()
        typed(body, {"update_control_map": dict})
        if deployment.control is None:
            raise Refusal(409, "The deployment has no update control map")
        deployment.control = body.get("update_control_map") or {}
        return Answer(204)

    def _known(self, call: Call) -> Deployment:
        """The deployment of the path; what an unknown one leads to depends on the version."""
        name = need_uuid(call["id"])
        if name not in self.deployments.all:
            if "drop_on_unknown" in self.features:
                raise Drop
            if "error_on_unknown" in self.features:
                raise Refusal(500, INTERNAL)
        return self.deployments.get(name)

    async def deployment(self, call: Call) -> Answer:
        """One deployment."""
        return Answer(body=self._known(call).body(self.features))

    async def statistics(self, call: Call) -> Answer:
        """The counters."""
        return Answer(body=self.deployments.get(need_uuid(call["id"])).statistics(self.features))

    async def all_statistics(self, call: Call) -> Answer:
        """The counters of several deployments, in another order than they were asked for."""
        ids = (await call.json()).get("deployment_ids") or []
        if not ids:
            return Answer(body={})
        if not isinstance(ids, list) or len(ids) > IDS:
            raise Refusal(400, f"the length must be between 1 and {IDS}.")
        if not all(isinstance(name, str) and is_uuid(name) for name in ids):
            raise Refusal(400, "0: must be a valid UUID.")
        found = [self.deployments.all[name] for name in sorted(set(ids)) if name in self.deployments.all]
        if not found:
            raise Refusal(404, "Deployment not found")
        return Answer(body=[{"id": one.id, "stats": one.statistics(self.features)} for one in found])

    async def targets(self, call: Call) -> Answer:
        """The ids of all devices that it was made for."""
        return Answer(body=self._known(call).targets)

    def _progress(self, call: Call) -> list[Progress]:
        name = need_uuid(call["id"])
        if name not in self.deployments.all:
            raise Refusal(404, "Deployment not found")
        return self.deployments.devices(self.deployments.all[name], call.get("status"))

    async def all_devices(self, call: Call) -> Answer:
        """The devices that have asked, at once."""
        call.query.pop("status", None)
        return Answer(body=[progress.body(self.features) for progress in self._progress(call)])

    async def list_devices(self, call: Call) -> Answer:
        """The devices that have asked, with pages."""
        page = page_of(call, new=self._new)
        answer = paged(call, page, self._progress(call), new=self._new)
        answer.body = [progress.body(self.features) for progress in answer.body]
        return answer

    async def log(self, call: Call) -> Answer:
        """The log of a device as text."""
        return Answer(body=self.deployments.log(call["id"], call["device"]), content_type="text/plain")

    async def abort(self, call: Call) -> Answer:
        """Abort. Another status than "aborted" is refused, and aborts all the same."""
        name = need_uuid(call["id"])
        body = await call.json()
        typed(body, {"status": str})
        if body.get("status") == "aborted":
            self.deployments.abort(name)
            return Answer(204)
        if name in self.deployments.all and self.deployments.all[name].finished is None:
            self.deployments.abort(name)
        raise Refusal(400, "Unexpected deployment status")

    async def leave(self, call: Call) -> Answer:
        """Take a device out of all deployments."""
        self.deployments.leave(call["id"], "aborted" if "history" in self.features else "decommissioned")
        return Answer(204)

    async def forget(self, call: Call) -> Answer:
        """Delete the history of a device."""
        self.deployments.forget(call["id"])
        return Answer(204)

    async def history(self, call: Call) -> Answer:
        """What a device has done, at most 20 a page."""
        page = page_of(call, new=self._new, maximum=HISTORY_PAGE)
        answer = paged(call, page, self.deployments.history(call["id"], call.get("status")), new=self._new)
        answer.body = [
            {
                "id": progress.id,
                "deployment": progress.deployment.body(self.features),
                "device": progress.body(self.features),
            }
            for progress in answer.body
        ]
        return answer

    async def list_v1(self, call: Call) -> Answer:
        """The older list; it can search for text."""
        text = call.get("search").lower()
        return self._list(call, lambda one: text in one.name.lower() or text in one.artifact_name.lower())

    async def list_v2(self, call: Call) -> Answer:
        """The newer list; it knows ids and exact names."""
        ids, names = call.query.get("id"), call.query.get("name")
        return self._list(call, lambda one: (ids is None or one.id in ids) and (names is None or one.name in names))

    def _list(self, call: Call, wanted: Callable[[Deployment], bool]) -> Answer:
        status, kind, sort = call.get("status"), call.get("type"), call.get("sort").lower()
        known = LIST_STATUSES if self.deployments.edition == "open_source" else (*LIST_STATUSES, "scheduled")
        known = known if "lists" in self.features else OLD_LIST_STATUSES
        if sort not in ("", "asc", "desc"):
            raise Refusal(400, 'invalid form value: must be one of "asc" or "desc"')
        if status and status not in known:
            raise Refusal(400, f"unknown status {status}")
        if kind not in ("", "software", "configuration"):
            raise Refusal(400, f"unknown deployment type {kind}")
        after, before = _epoch(call, "created_after"), _epoch(call, "created_before")
        # for the server an aborted deployment is a finished one
        status = "finished" if status == "aborted" else status

        def fits(one: Deployment) -> bool:
            inside = (after is None or one.created >= after) and (before is None or one.created <= before)
            return inside and kind != "configuration" and status in ("", one.status) and wanted(one)

        page = page_of(call, new=self._new)
        answer = paged(call, page, self.deployments.listed(fits, sort == "asc"), new=self._new)
        answer.body = [one.body(self.features) for one in answer.body]
        return answer

    # -- devices -------------------------------------------------------------------------------------------

    async def next(self, call: Call) -> Answer:
        """What a device is to do; 204 is nothing."""
        provides: dict[str, Any] = {name: call.get(name) for name in ("artifact_name", "device_type")}
        if call.method == "POST":
            body = await call.json()
            provides = body.get("device_provides") or body
        progress = self.deployments.next(
            call.device, str(provides.get("artifact_name") or ""), str(provides.get("device_type") or "")
        )
        if progress is None or progress.artifact is None:
            return Answer(204)
        artifact = progress.artifact
        return Answer(
            body={
                "id": progress.deployment.id,
                "artifact": {
                    "id": artifact.id,
                    "artifact_name": artifact.file.name,
                    "source": self._source(artifact, DEVICE_LINK_SECONDS),
                    "device_types_compatible": artifact.file.device_types,
                },
            }
        )

    async def report(self, call: Call) -> Answer:
        """A device reports its status."""
        self.deployments.report(call["id"], call.device, await call.json())
        return Answer(204)

    async def save_log(self, call: Call) -> Answer:
        """A device sends its log."""
        self.deployments.save_log(call["id"], call.device, await call.json())
        return Answer(204)


async def _body(call: Call) -> dict[str, Any]:
    """The body of a request that creates a deployment."""
    try:
        found: dict[str, Any] = await call.json()
    except Refusal as refusal:
        if refusal.status == 400:
            raise Refusal(400, f"Validating request body: {refusal.error}") from None
        raise
    return found


def _epoch(call: Call, name: str) -> float | None:
    if not call.get(name):
        return None
    value = call.number(name)
    if value is None:
        raise Refusal(400, f"timestamp parsing failed for {name} parameter: invalid timestamp: {call.get(name)}")
    return value


async def _save(part: BodyPartReader, path: Path, limit: int, exact: str) -> int:
    """Write a part to a file and return its size; 413 over the limit, or 400 with the text `exact`."""
    size = 0
    with path.open("wb") as file:
        while chunk := await part.read_chunk(CHUNK):
            size += len(chunk)
            if size > limit:
                raise Refusal(400, exact) if exact else Refusal(413, "Artifact file too large")
            file.write(chunk)
    return size
