"""Mistakes that people make with Mender, and what the modules say about them: option, value, what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from integration.bad_input import Mistake

SEED, OLD, NEW, PAID = "seed-open_source", "4.5-open_source", "4.1-open_source", "4.1-enterprise"
IDS = ["bad-1", "bad-2"]
DEPLOY: Mapping[str, Any] = {"name": "bad new", "artifact_name": "bad", "fleet": {"ids": IDS}}
LATER, MUCH_LATER = "2100-01-01T01:00:00+01:00", "2100-01-02T01:00:00+01:00"
GENERATE: Mapping[str, Any] = {
    "name": "bad-made",
    "device_types_compatible": ["gateway"],
    "args": {"dest_dir": "/etc"},
}
MANY = 27_000
NOBODY = "00000000-0000-4000-8000-000000000000"


def storage(
    title: str, msg: str, code: str | None = "invalid_input", only: tuple[str, ...] = (), **options: Any
) -> Mistake:
    """A mistake in the connection."""
    return Mistake(title, "mender_storage_info", options, msg, code, only)


def upload(
    title: str, msg: str, code: str = "invalid_input", only: tuple[str, ...] = (), refused: bool = False, **options: Any
) -> Mistake:
    """A mistake in what is to be uploaded."""
    return Mistake(title, "artifact_upload", options, msg, code, only, refused)


def artifact(title: str, msg: str, code: str = "invalid_input", refused: bool = False, **options: Any) -> Mistake:
    """A mistake in what is to become of an artifact."""
    return Mistake(title, "artifact", options, msg, code, refused=refused)


def deploy(title: str, msg: str, code: str = "invalid_input", only: tuple[str, ...] = (), **options: Any) -> Mistake:
    """A mistake in a deployment that is right otherwise."""
    return Mistake(title, "deployment", {**DEPLOY, **options}, msg, code, only)


def abort(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in an abort."""
    return Mistake(title, "deployment", {**options, "state": "aborted"}, msg, code)


def release(
    title: str, msg: str, code: str = "invalid_input", only: tuple[str, ...] = (), refused: bool = False, **options: Any
) -> Mistake:
    """A mistake in a release."""
    return Mistake(title, "mender_release", {"name": "bad", **options}, msg, code, only, refused)


def reading(title: str, msg: str, code: str = "invalid_input", only: tuple[str, ...] = (), **options: Any) -> Mistake:
    """A mistake in a question about deployments."""
    return Mistake(title, "deployment_info", options, msg, code, only)


MISTAKES = (
    # -- the connection
    storage(
        "url without scheme",
        "url is 'updates.example.com': give an address such as https://updates.example.com.",
        url="updates.example.com",
    ),
    storage(
        "credentials in url",
        "url contains credentials: give them in username and password instead.",
        url="https://admin:{password}@{host}",
    ),
    storage(
        "credentials missing",
        "username is not set: give username and password, or token, as options or in the environment "
        "(MENDER_USERNAME, MENDER_PASSWORD, MENDER_TOKEN).",
        token=None,
    ),
    storage(
        "password without user",
        "parameters are required together: username, password",
        None,
        token=None,
        password="wrong",
    ),
    storage(
        "token and password",
        "parameters are mutually exclusive: token|username, token|password",
        None,
        username="{username}",
        password="{password}",
    ),
    storage("token and code", "parameters are mutually exclusive: token|token2fa", None, token2fa="123456"),
    storage(
        "token wrong",
        "Cannot read the storage limit: the server refused the credentials (401); check token, or username, "
        "password and token2fa.",
        "auth",
        token="wrong",
    ),
    storage(
        "token with a line end",
        "token has blanks, line ends or characters beyond ASCII in it: give the token alone.",
        token="wrong\nwrong",
    ),
    storage(
        "token expired",
        "The token has expired, on 2026-11-20 at 07:51 UTC: give a new one in token or in MENDER_TOKEN.",
        "auth",
        token="{expired}",
    ),
    storage(
        "password wrong",
        "Cannot log in as '{username}': the server refused the credentials (401); check username and "
        "password; a user with a second factor needs token2fa too.",
        "auth",
        token=None,
        username="{username}",
        password="wrong",
    ),
    storage(
        "code missing",
        "Cannot log in as '{username}': the server refused the credentials (401); check username and "
        "password; a user with a second factor needs token2fa too.",
        "auth",
        token=None,
        username="{username}",
        password="{password}",
    ),
    storage(
        "code wrong",
        "Cannot log in as '{username}': the server refused the credentials (401); check username, password "
        "and token2fa, whose code is good for half a minute and one login.",
        "auth",
        token=None,
        username="{username}",
        password="{password}",
        token2fa="999999",
    ),
    storage(
        "user of another login",
        "Cannot log in as '{stranger}': the server wants another way to log in, such as single sign-on; give "
        "a personal access token in token.",
        "auth",
        token=None,
        username="{stranger}",
        password="{password}",
    ),
    storage(
        "server not there",
        "Cannot read the storage limit: 127.0.0.1:9 cannot be reached (Failed to establish a new connection: "
        "[Errno 111] Connection refused); check url and the network. 2 tries were made.",
        "unreachable",
        url="http://127.0.0.1:9",
        request_retries=1,
    ),
    storage(
        "certificate not trusted",
        "Cannot read the storage limit: TLS with {tls_host} failed (certificate verify failed: unable to get "
        "local issuer certificate); set ca_path to the authority that signed the server's certificate.",
        "unreachable",
        url="{tls_url}",
    ),
    storage(
        "no TLS there",
        "Cannot read the storage limit: TLS with {host} failed ({no_tls}); check in url whether "
        "it is https that the server speaks at this port.",
        "unreachable",
        url="https://{host}",
    ),
    storage(
        "ca_path not there",
        "ca_path is '{files}/none.pem', but there is no such file: give the path of a PEM file.",
        ca_path="{files}/none.pem",
    ),
    storage(
        "web page",
        "url is '{html_url}', but what answers there does not behave like Mender: give the base address of a "
        "Mender server. Cannot read the storage limit: {html_host} answered 200 with HTML instead of JSON: "
        "Nothing here It works! 2 tries were made.",
        "bad_answer",
        url="{html_url}",
        request_retries=1,
    ),
    storage(
        "other API",
        "url is '{json_url}', but what answers there does not behave like Mender: give the base address of a "
        "Mender server.",
        "unsupported",
        url="{json_url}",
    ),
    Mistake(
        "other API, by a deployment",
        "deployment",
        {**DEPLOY, "url": "{json_url}"},
        "url is '{json_url}', but what answers there does not behave like Mender: give the base address of a "
        "Mender server.",
        "unsupported",
    ),
    Mistake(
        "web page, by an upload",
        "artifact_upload",
        {"src": "{files}/good.mender", "url": "{html_url}", "request_retries": 1},
        "url is '{html_url}', but what answers there does not behave like Mender: give the base address of a "
        "Mender server. Cannot list artifacts: {html_host} answered 200 with HTML instead of JSON: Nothing "
        "here It works! 2 tries were made.",
        "bad_answer",
    ),
    storage("request_timeout 0", "request_timeout is 0.0: give seconds above 0, at most 86400.", request_timeout=0),
    # -- uploads
    upload(
        "file missing",
        "src is '{files}/none.mender', which cannot be read (No such file or directory): give a file on the "
        "host where the module runs, usually the controller.",
        src="{files}/none.mender",
    ),
    upload("file is a folder", "src is '{files}', which is a folder: give a file.", src="{files}"),
    upload(
        "file empty",
        "src is '{files}/empty.mender', which is empty: give a file with content.",
        src="{files}/empty.mender",
    ),
    upload(
        "no Mender file",
        "src is '{files}/text.mender', which is not a usable Mender artifact: it is no tar archive, or is "
        "cut off. Give a .mender file as mender-artifact writes it.",
        src="{files}/text.mender",
    ),
    upload(
        "archive that is no artifact",
        "src is '{files}/archive.mender', which is not a usable Mender artifact: it holds 'README', which "
        "does not belong there. Give a .mender file as mender-artifact writes it.",
        src="{files}/archive.mender",
    ),
    upload(
        "file cut off in its header",
        "src is '{files}/cut.mender', which is not a usable Mender artifact: it is cut off. Give a .mender "
        "file as mender-artifact writes it.",
        src="{files}/cut.mender",
    ),
    upload(
        "file cut off in its payload",
        "src is '{files}/cut_later.mender', which is not a usable Mender artifact: it is cut off. Give a "
        ".mender file as mender-artifact writes it.",
        src="{files}/cut_later.mender",
    ),
    upload(
        "header damaged",
        "src is '{files}/damaged.mender', which is not a usable Mender artifact: the checksum of its "
        "header.tar is not what its manifest says. Give a .mender file as mender-artifact writes it.",
        src="{files}/damaged.mender",
    ),
    upload(
        "content of a name that is taken",
        "src is '{files}/other.mender', and the server has another artifact 'bad' for the device types "
        "gateway (id {id}): the checksum of the file payload.txt differs. Artifacts never change: give the "
        "new content a new name, or remove the one on the server first.",
        "conflict",
        src="{files}/other.mender",
    ),
    upload(
        "device type of a name that is taken",
        "src is '{files}/wider.mender', and the server has another artifact 'bad' for the device types "
        "gateway (id {id}): it is not for toaster. Artifacts never change: give the new content a new name, "
        "or remove the one on the server first.",
        "conflict",
        src="{files}/wider.mender",
    ),
    upload(
        "artifact in use described",
        "Cannot change the description of artifact 'bad-used': Image has already been used in deployment. "
        "(HTTP 422) An artifact that was used in a deployment, even a finished one, keeps its description: "
        "leave description out, or give the present one, ''.",
        "rejected",
        src="{files}/used.mender",
        description="New",
        refused=True,
    ),
    upload(
        "format of 2016 where servers do not take it",
        "Cannot upload artifact 'bad-1': reading artifact error: reader: Mender-Artifact version 1 is no "
        "longer supported. (HTTP 400) The artifact in src, '{files}/format1.mender', is of format version 1, "
        "which servers of 2023 and newer do not take: write it anew with a newer mender-artifact.",
        "rejected",
        (OLD, NEW, PAID),
        True,
        src="{files}/format1.mender",
    ),
    upload(
        "no folder on the device",
        "generate.args.dest_dir is not set: give the absolute path of the folder on the device for the file.",
        src="{files}/text.mender",
        generate={**GENERATE, "args": None},
    ),
    upload(
        "relative folder on the device",
        "generate.args.dest_dir is 'etc': give the absolute path of the folder on the device for the file.",
        src="{files}/text.mender",
        generate={**GENERATE, "args": {"dest_dir": "etc"}},
    ),
    upload(
        "path for a name on the device",
        "generate.args.filename is 'a/b': give the name of the file on the device, no path.",
        src="{files}/text.mender",
        generate={**GENERATE, "args": {"dest_dir": "/etc", "filename": "a/b"}},
    ),
    upload(
        "commas in a device type",
        "generate.device_types_compatible has 'a,b': the server splits it at commas and cuts blanks off; "
        "give one device type an entry.",
        src="{files}/text.mender",
        generate={**GENERATE, "device_types_compatible": ["a,b"]},
    ),
    upload(
        "no device type",
        "generate.device_types_compatible is empty: give at least one device type.",
        src="{files}/text.mender",
        generate={**GENERATE, "device_types_compatible": []},
    ),
    # -- artifacts
    artifact(
        "artifact not known",
        "name is 'bad-none', but there is no such artifact on the server: upload it first.",
        name="bad-none",
        description="New",
    ),
    artifact(
        "device type not known",
        "name is 'bad', but there is no such artifact for the device types 'toaster' on the server: upload it first.",
        name="bad",
        device_types_compatible=["toaster"],
        description="New",
    ),
    artifact(
        "artifact not clear",
        "name is 'bad-two', and there are 2 artifacts of that name, for the device types 'camera' (id {id}); "
        "'gateway' (id {id}): say in device_types_compatible or id which one.",
        name="bad-two",
        description="New",
    ),
    artifact("id no UUID", "id is 'bad': give a UUID such as 0c13a0e6-6b63-475d-8260-ee42a590e8ff.", id="bad"),
    artifact(
        "id not known",
        "id is '00000000-0000-4000-8000-000000000000', but there is no such artifact on the server: upload it first.",
        id=NOBODY,
    ),
    artifact(
        "artifact in use described",
        "Cannot change the description of artifact 'bad-used': Image has already been used in deployment. "
        "(HTTP 422) An artifact that was used in a deployment, even a finished one, keeps its description: "
        "leave description out, or give the present one, ''.",
        "rejected",
        name="bad-used",
        description="New",
        refused=True,
    ),
    artifact(
        "artifact in use removed",
        "Cannot remove artifact 'bad-used': Artifact is used in active deployment. (HTTP 409) Wait until the "
        "deployments that use it have finished, or abort them.",
        "conflict",
        name="bad-used",
        state="absent",
        refused=True,
    ),
    artifact(
        "artifact gone and described",
        "description is set, but state is 'absent': leave it out, or set state to 'present'.",
        name="bad",
        state="absent",
        description="New",
    ),
    artifact(
        "download and link",
        "dest and link_only are both set: give dest to download, or link_only for the link.",
        name="bad",
        dest="{files}/copy.mender",
        link_only=True,
    ),
    artifact(
        "folder not there",
        "dest is '{files}/none/copy.mender', but there is no folder '{files}/none': make it first.",
        name="bad",
        dest="{files}/none/copy.mender",
    ),
    Mistake("limit of artifacts", "artifact_info", {"limit": -1}, "limit is -1: give 0 or more."),
    # -- deployments
    deploy(
        "artifact name not known",
        "artifact_name is 'bad-none', but there is no artifact of that name on the server: upload it first.",
        artifact_name="bad-none",
    ),
    deploy(
        "artifact name empty", "artifact_name is missing: a deployment needs an artifact and a fleet.", artifact_name=""
    ),
    deploy(
        "artifact name missing",
        "artifact_name is missing: a deployment needs an artifact and a fleet.",
        artifact_name=None,
    ),
    deploy("no fleet", "fleet is missing: a deployment needs an artifact and a fleet.", fleet=None),
    deploy(
        "two ways to say whom",
        "fleet wants exactly one of ids, group, groups, filters, filter_id, all, but ids and all are given.",
        fleet={"ids": IDS, "all": True},
    ),
    deploy(
        "a way that Mender does not know",
        "fleet.tag is not known to Mender: select by one of ids, group, groups, filters, filter_id, all.",
        "unsupported",
        fleet={"tag": "canary"},
    ),
    deploy(
        "list of ids empty", "fleet.ids is empty: give at least one device, or leave the task out.", fleet={"ids": []}
    ),
    deploy(
        "device twice",
        "fleet.ids names bad-1 more than once: list each once.",
        fleet={"ids": ["bad-1", "bad-2", "bad-1"]},
    ),
    deploy(
        "device not known",
        "fleet.ids names 1 of 2 devices that Mender does not know or has not accepted (bad-7): correct them, "
        "or set on_unknown_device to ignore.",
        fleet={"ids": ["bad-1", "bad-7"]},
    ),
    deploy(
        "device not accepted",
        "fleet.ids names 1 of 1 devices that Mender does not know or has not accepted (bad-pending): correct "
        "them, or set on_unknown_device to ignore.",
        fleet={"ids": ["bad-pending"]},
    ),
    deploy(
        "group empty",
        "fleet.group is 'bad-none', which selects no accepted device: correct it, or have the devices accepted first.",
        fleet={"group": "bad-none"},
    ),
    deploy(
        "groups empty",
        "fleet.groups is 'bad-none, bad-no-one', which selects no accepted device: correct it, or have the "
        "devices accepted first.",
        fleet={"groups": ["bad-none", "bad-no-one"]},
    ),
    deploy(
        "filter without a name",
        'fleet.filters is [{"scope": "inventory", "type": "$eq", "value": "x"}], which Mender refuses '
        "(failed to decode request body: filters: scope, attribute or type is not valid): give scope, "
        "attribute, type and value in each entry.",
        "invalid_input",
        (OLD, NEW, PAID),
        fleet={"filters": [{"scope": "inventory", "type": "$eq", "value": "x"}]},
    ),
    deploy(
        "fleet over its limit",
        "fleet_limit is 1, but 2 devices would get bad: raise the limit or select fewer devices.",
        fleet_limit=1,
    ),
    deploy(
        "too many ids",
        "fleet selects 27000 devices, whose ids make a request larger than this Mender server accepts (1 "
        "MiB, some 26,000 devices): select them by group or all, or use several deployments.",
        only=(NEW, PAID),
        fleet={"groups": ["bad-many"]},
    ),
    deploy(
        "phases where they would be passed over",
        "phases is given, but this Mender server is the open source edition (GET "
        "/api/management/v2/inventory/filters answers 404), which would pass it over and start on all "
        "devices at once: leave it out, or use a server of the Enterprise edition.",
        "unsupported",
        (SEED, OLD, NEW),
        phases=[{"batch_size": 50}, {"start_ts": LATER}],
    ),
    deploy(
        "retries where they would be passed over",
        "retries is given, but this Mender server is the open source edition (GET "
        "/api/management/v2/inventory/filters answers 404), which would pass it over and start on all "
        "devices at once: leave it out, or use a server of the Enterprise edition.",
        "unsupported",
        (SEED, OLD, NEW),
        retries=3,
    ),
    deploy(
        "saved filter where there is none",
        "fleet.filter_id is given, but this Mender server is the open source edition (GET "
        "/api/management/v2/inventory/filters answers 404), which would pass it over and start on all "
        "devices at once: leave it out, or use a server of the Enterprise edition.",
        "unsupported",
        (SEED, OLD, NEW),
        fleet={"filter_id": "0"},
    ),
    deploy(
        "phases against what the task says",
        "phases is given, but this Mender server is the Professional edition (edition is 'professional'), "
        "which has deployments in one phase only, of these options: leave it out, or use a server of the "
        "Enterprise edition.",
        "unsupported",
        edition="professional",
        phases=[{"batch_size": 50}, {"start_ts": LATER}],
    ),
    deploy(
        "saved filter not known",
        "fleet.filter_id is '00000000-0000-4000-8000-000000000000', but Mender has no saved filter of that "
        "id: correct it, or save the filter first.",
        only=(PAID,),
        fleet={"filter_id": NOBODY},
    ),
    deploy(
        "batch that rounds to zero",
        "phases[0].batch_size is 10, but 10 percent of 2 devices is less than one device: give a larger "
        "percentage, or batch_size_devices.",
        only=(PAID,),
        phases=[{"batch_size": 10}, {"start_ts": LATER}],
    ),
    deploy(
        "uniform batch that rounds to zero",
        "uniform_phases.batch_size is 49, but 49 percent of 2 devices is less than one device: give a larger "
        "percentage, or batch_size_devices.",
        only=(PAID,),
        uniform_phases={"batch_size": 49, "time_interval": "PT1H"},
    ),
    deploy("no phase", "phases is an empty list: give at least one phase, or leave the option out.", phases=[]),
    deploy(
        "phases in two ways",
        "phases and uniform_phases are both given: give one of them.",
        phases=[{"start_ts": LATER}],
        uniform_phases={"batch_size": 50, "time_interval": "PT1H"},
    ),
    deploy(
        "phase without size",
        "phases[0].batch_size is missing: only the last of several phases may take the rest.",
        phases=[{}, {"start_ts": LATER}],
    ),
    deploy(
        "phase without start",
        "phases[1].start_ts is missing: only the first phase may begin at once.",
        phases=[{"batch_size": 50}, {}],
    ),
    deploy(
        "phases in disorder",
        "phases[1].start_ts is '2100-01-01T01:00:00+01:00', which is before the phase in front of it: put "
        "the phases in the order of time.",
        phases=[{"batch_size": 50, "start_ts": MUCH_LATER}, {"start_ts": LATER}],
    ),
    deploy(
        "start without an offset",
        "phases[0].start_ts is '2100-01-01 01:00:00': give a time with its offset from UTC, such as "
        "2026-12-24T03:00:00+01:00.",
        phases=[{"start_ts": "2100-01-01 01:00:00"}],
    ),
    deploy(
        "phases too large",
        "phases: the percentages of batch_size add up to 110: 100 is the most.",
        phases=[{"batch_size": 60}, {"batch_size": 50, "start_ts": LATER}],
    ),
    deploy(
        "batch above the whole",
        "phases[0].batch_size is 101: give a percentage from 1 to 100.",
        phases=[{"batch_size": 101}, {"start_ts": LATER}],
    ),
    deploy(
        "phase with two sizes",
        "phases[0] has batch_size and batch_size_devices: give one of them.",
        phases=[{"batch_size": 50, "batch_size_devices": 1}, {"start_ts": LATER}],
    ),
    deploy(
        "distance of phases no duration",
        "uniform_phases.time_interval is '1 h': give a duration of ISO 8601, such as PT2H.",
        uniform_phases={"batch_size": 50, "time_interval": "1 h"},
    ),
    deploy("retries negative", "retries is -1: give 0 or more.", retries=-1),
    deploy(
        "most devices without a filter",
        "max_devices is 5, which only goes with fleet.filter_id: leave it out, or use fleet_limit.",
        max_devices=5,
    ),
    deploy(
        "force on an old server",
        "force_installation is true, but this Mender server is too old to know it and would pass it over: "
        "leave it out, or update the server.",
        "unsupported",
        (SEED,),
        force_installation=True,
    ),
    deploy(
        "filters on an old server",
        "fleet.filters is given, but this Mender server has no search of devices: select by ids, group, groups or all.",
        "unsupported",
        (SEED,),
        fleet={"filters": [{"scope": "inventory", "attribute": "device_type", "type": "$eq", "value": "gateway"}]},
    ),
    deploy(
        "wait for who is switched on",
        "wait_until is 'online', but Mender does not tell which devices are switched on: use "
        "min_success_percentage to be content with a part of them.",
        "unsupported",
        wait=True,
        wait_until="online",
    ),
    deploy(
        "percentage too large",
        "min_success_percentage is 101: give a percentage from 0 to 100.",
        min_success_percentage=101,
    ),
    deploy("no time to wait", "wait_timeout is 0: give 1 second or more.", wait=True, wait_timeout=0),
    deploy("name too long", "name has more than 256 characters: shorten it.", name="x" * 257),
    deploy(
        "name and id",
        "name does not go with id, which says which deployment is meant: leave one of them out.",
        id=NOBODY,
    ),
    Mistake(
        "deployment not known",
        "deployment",
        {"id": NOBODY, "wait": True},
        "id is '00000000-0000-4000-8000-000000000000', but Mender has no such deployment: correct it.",
    ),
    Mistake(
        "id of a deployment no UUID",
        "deployment",
        {"id": "bad", "wait": True},
        "id is 'bad': give a UUID such as 0c13a0e6-6b63-475d-8260-ee42a590e8ff.",
    ),
    abort(
        "nothing to be aborted is named",
        "state is 'aborted': say in id, or in name, which deployment is to be aborted.",
    ),
    abort(
        "abort of a deployment not known",
        "id is '00000000-0000-4000-8000-000000000000', but Mender has no such deployment: correct it.",
        id=NOBODY,
    ),
    abort(
        "abort of one of two",
        "2 active deployments are meant ({id}, {id}): say in id which one is to be aborted, or give name, "
        "artifact_name and fleet.",
        artifact_name="bad-used",
    ),
    # -- reading
    reading(
        "id of what is read no UUID", "id is 'bad': give a UUID such as 0c13a0e6-6b63-475d-8260-ee42a590e8ff.", id="bad"
    ),
    reading(
        "time without an offset",
        "created_after is '2026-11-20 03:00': give a time with its offset from UTC, such as "
        "2026-11-20T03:00:00Z, or seconds since 1970.",
        created_after="2026-11-20 03:00",
    ),
    reading("limit of deployments", "limit is -1: give 1 or more.", limit=-1),
    reading(
        "history where the server is too old",
        "This Mender server is too old to tell the deployments of a device ('bad-1'): read the devices of a "
        "deployment, or update the server.",
        "unsupported",
        (SEED,),
        device_id="bad-1",
    ),
    # -- devices
    Mistake(
        "device without a name",
        "mender_device_deployments",
        {"device_id": " "},
        "device_id is empty: give the id of a device.",
    ),
    # -- releases
    release(
        "release not known",
        "name is 'bad-none', but there is no such release: a release appears with its first artifact, so "
        "upload that first.",
        name="bad-none",
        notes="New",
    ),
    release("notes too long", "notes is 1025 characters long: 1024 is the most.", notes="x" * 1025),
    release("tag with a blank", "tags has 'eu west': use letters, digits, '-', '_' and '.' only.", tags=["eu west"]),
    release("too many tags", "tags has 21 entries: 20 is the most.", tags=[f"t{number}" for number in range(21)]),
    release(
        "release gone and tagged",
        "tags is set, but state is 'absent': leave it out, or set state to 'present'.",
        state="absent",
        tags=["prod"],
    ),
    release(
        "tags on an old server",
        "tags is given, but the Mender server at {host} is too old to have tags of releases: leave tags out, "
        "or update the server.",
        "unsupported",
        (SEED, OLD),
        tags=["prod"],
    ),
    release(
        "release in use removed by its artifacts",
        "Cannot remove artifact 'bad-used': Artifact is used in active deployment. (HTTP 409) Wait until the "
        "deployments that use it have finished, or abort them.",
        "conflict",
        (SEED, OLD),
        True,
        name="bad-used",
        state="absent",
    ),
    release(
        "release in use removed",
        "Cannot remove release 'bad-used': release(s) used in active deployment. (HTTP 409) Wait until the "
        "deployments that use it have finished ({id}, {id}), or abort them.",
        "conflict",
        (NEW, PAID),
        True,
        name="bad-used",
        state="absent",
    ),
    Mistake(
        "tags read on an old server",
        "mender_release_info",
        {"tags": ["prod"]},
        "tags is given, but the Mender server at {host} is too old to have tags of releases: leave tags out, "
        "or update the server.",
        "unsupported",
        (SEED, OLD),
    ),
    Mistake("limit of releases", "mender_release_info", {"limit": -1}, "limit is -1: give 0 or more."),
)
