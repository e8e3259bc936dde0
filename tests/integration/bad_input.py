"""Mistakes that people make, and what the modules say about them: option, value, and what would be right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SET = {"name": "bad", "version": "1"}
IDS = ["bad-1", "bad-2"]
ASSIGN: Mapping[str, Any] = {"distribution_set": SET, "fleet": {"ids": IDS}}
ROLLOUT: Mapping[str, Any] = {"name": "bad new", "distribution_set": SET, "fleet": {"ids": IDS}}
WINDOW = {"schedule": "0 0 3 ? * SUN", "duration": "02:00:00", "timezone": "+02:00"}
MODULE = {"name": "bad-new", "version": "1", "type": "os"}
NEW_SET = {"name": "bad-new", "version": "1", "type": "os"}


@dataclass(frozen=True)
class Mistake:
    """One mistake: a module with options, and the message. {host}, {files} and other names are filled in.

    `code`: error.code; None for what Ansible itself finds. `only`: the servers on which it is one, all if empty.
    `refused`: whether only the server can tell, so that a write is sent and refused.
    """

    title: str
    module: str
    options: Mapping[str, Any]
    msg: str
    code: str | None = "invalid_input"
    only: tuple[str, ...] = ()
    refused: bool = False


def assign(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in an assignment that is right otherwise."""
    return Mistake(title, "distribution_set_assign", {**ASSIGN, **options}, msg, code)


def rollout(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in a rollout that is right otherwise."""
    return Mistake(title, "hawkbit_rollout", {**ROLLOUT, **options}, msg, code)


def target(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in a target."""
    return Mistake(title, "target", options, msg, code)


def module(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in a software module that is right otherwise."""
    return Mistake(title, "hawkbit_software_module", {**MODULE, **options}, msg, code)


def bundle(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in a distribution set that is right otherwise."""
    return Mistake(title, "distribution_set", {**NEW_SET, **options}, msg, code)


def action(title: str, msg: str, code: str = "invalid_input", **options: Any) -> Mistake:
    """A mistake in what is to be done to actions."""
    options.setdefault("action", "cancel")
    return Mistake(title, "target_action", options, msg, code)


MISTAKES = (
    # -- the connection
    target(
        "url missing",
        "url is not set: give the base address of the server in url or in HAWKBIT_URL.",
        controller_id="bad-3",
        url="",
    ),
    target(
        "url without scheme",
        "url is 'updates.example.com': give an address such as https://updates.example.com.",
        controller_id="bad-3",
        url="updates.example.com",
    ),
    target(
        "credentials in url",
        "url contains credentials: give them in username and password instead.",
        controller_id="bad-3",
        url="https://admin:{hawkbit_password}@{host}",
    ),
    target(
        "credentials missing",
        "username is not set: give username and password, or token, as options or in the environment "
        "(HAWKBIT_USERNAME, HAWKBIT_PASSWORD, HAWKBIT_TOKEN).",
        controller_id="bad-3",
        username=None,
        password=None,
    ),
    target(
        "password empty",
        "password is not set: give username and password, or token, as options or in the environment "
        "(HAWKBIT_USERNAME, HAWKBIT_PASSWORD, HAWKBIT_TOKEN).",
        controller_id="bad-3",
        password="",
    ),
    target(
        "password wrong",
        "Cannot list targets: the server refused the credentials (401); check username and password, or token.",
        "auth",
        controller_id="bad-3",
        password="wrong",
    ),
    target(
        "server not there",
        "Cannot list targets: 127.0.0.1:9 cannot be reached (Failed to establish a new connection: [Errno 111] "
        "Connection refused); check url and the network. 2 tries were made.",
        "unreachable",
        controller_id="bad-3",
        url="http://127.0.0.1:9",
        request_retries=1,
    ),
    target(
        "certificate not trusted",
        "Cannot list targets: TLS with {tls_host} failed (certificate verify failed: unable to get local issuer "
        "certificate); set ca_path to the authority that signed the server's certificate.",
        "unreachable",
        controller_id="bad-3",
        url="{tls_url}",
    ),
    target(
        "no TLS there",
        "Cannot list targets: TLS with {host} failed ({no_tls}); check in url whether it is https "
        "that the server speaks at this port.",
        "unreachable",
        controller_id="bad-3",
        url="https://{host}",
    ),
    target(
        "ca_path not there",
        "ca_path is '{files}/none.pem', but there is no such file: give the path of a PEM file.",
        controller_id="bad-3",
        ca_path="{files}/none.pem",
    ),
    target(
        "ca_path no certificate",
        "ca_path is '{files}/new.bin', which holds no certificates (no certificate or crl found): give the path "
        "of a PEM file.",
        controller_id="bad-3",
        ca_path="{files}/new.bin",
    ),
    target(
        "web page",
        "url is '{html_url}', but what answers there does not behave like hawkBit: give the base address of a "
        "hawkBit server. Cannot list targets: {html_host} answered 200 with HTML instead of JSON: Nothing here It"
        " works! 2 tries were made.",
        "bad_answer",
        controller_id="bad-3",
        url="{html_url}",
    ),
    target(
        "other API",
        "url is '{json_url}', but no hawkBit Management API answers there ({json_host} answered 404 to "
        "/rest/v1/targets): give the base address of a hawkBit server.",
        "unsupported",
        controller_id="bad-3",
        url="{json_url}",
    ),
    Mistake(
        "other API, by platform_info",
        "platform_info",
        {"url": "{json_url}"},
        "url is '{json_url}', but no hawkBit Management API answers there ({json_host} answered 404 to "
        "/rest/v1/targets): give the base address of a hawkBit server.",
        "unsupported",
    ),
    Mistake(
        "web page, by platform_info",
        "platform_info",
        {"url": "{html_url}"},
        "url is '{html_url}', but what answers there does not behave like hawkBit: give the base address of a "
        "hawkBit server. Cannot list actions: {html_host} answered 200 with HTML instead of JSON: Nothing here It"
        " works! 2 tries were made.",
        "unsupported",
    ),
    assign(
        "other API, by an assignment",
        "url is '{json_url}', but no hawkBit Management API answers there ({json_host} answered 404 to "
        "/rest/v1/distributionsets): give the base address of a hawkBit server.",
        "unsupported",
        url="{json_url}",
    ),
    target(
        "request_timeout 0",
        "request_timeout is 0.0: give seconds above 0, at most 86400.",
        controller_id="bad-3",
        request_timeout=0,
    ),
    target(
        "request_retries negative", "request_retries is -1: give 0 or more.", controller_id="bad-3", request_retries=-1
    ),
    # -- targets
    target("no target", "targets is an empty list: give at least one target, or leave the task out.", targets=[]),
    target(
        "target twice",
        "controller_id 'bad-3' is given twice: list each target once.",
        targets=[{"controller_id": "bad-3"}, {"controller_id": "bad-3"}],
    ),
    target("blank in id", "controller_id is 'bad 3': give 1 to 256 characters without blanks.", controller_id="bad 3"),
    target(
        "slash in id",
        "controller_id is 'bad/3': hawkBit cannot be asked for ids with / \\ ; or % in them, nor for . and .., so "
        "give another one.",
        controller_id="bad/3",
    ),
    target(
        "description too long",
        "description of 'bad-3' is 513 characters long: 512 is the most.",
        controller_id="bad-3",
        description="x" * 513,
    ),
    target(
        "HTML in name",
        "name of target 'bad-3' looks like HTML, which hawkBit refuses: leave out the <>.",
        controller_id="bad-3",
        name="<b>bold</b>",
    ),
    target(
        "empty name", "name of target 'bad-3' is empty: give at least one character.", controller_id="bad-3", name=""
    ),
    target(
        "too much to remove",
        "max_removals is 1, but 2 targets would be removed (bad-1, bad-2): nothing was done; raise it, or select "
        "fewer.",
        query="controllerid=in=(bad-1,bad-2)",
        max_removals=1,
        state="absent",
    ),
    target(
        "removal by an empty query",
        "query is empty, which would find all targets: give a query, or leave it out.",
        query=" ",
        state="absent",
        max_removals=1000,
    ),
    target(
        "removal by query without limit",
        "query removes what it finds: say in max_removals how many that may be at most.",
        query="controllerid==bad-*",
        state="absent",
    ),
    target(
        "query that removes nothing",
        "query goes with state=absent only: leave it out, or set state to absent.",
        query="controllerid==bad-*",
        max_removals=1,
    ),
    target(
        "query of a removal",
        "exclusive_query is 'bogus==1', which hawkBit cannot use as a query: {unknown_field}; correct it.",
        controller_id="bad-1",
        exclusive_query="bogus==1",
        max_removals=1,
    ),
    target(
        "tag wanted and not",
        "tags and tags_absent both have 'canary': give it in one of them.",
        controller_id="bad-1",
        tags=["canary"],
        tags_absent=["canary"],
    ),
    target(
        "key of metadata",
        "metadata of 'bad-1' has the key 'a/b': give text without blanks at the ends and without / \\ ; %.",
        targets=[{"controller_id": "bad-1", "metadata": {"a/b": "1"}}],
    ),
    target(
        "metadata no text",
        "metadata: 'site' is no text: give text, or list the key in metadata_absent.",
        controller_id="bad-1",
        metadata={"site": ["hall 1"]},
    ),
    # -- software modules
    module(
        "file missing",
        "src is '{files}/none.bin', which cannot be read (No such file or directory): give a file on the host "
        "where the module runs, usually the controller.",
        artifacts=[{"src": "{files}/none.bin"}],
    ),
    module(
        "file is a folder",
        "src is '{files}', which is a folder: give a file, such as an archive of the folder.",
        artifacts=[{"src": "{files}"}],
    ),
    module(
        "file empty",
        "src is '{files}/empty.bin', which is empty: hawkBit refuses empty files; give one with content.",
        artifacts=[{"src": "{files}/empty.bin"}],
    ),
    module(
        "file name twice",
        "artifacts names 'NEW.bin' twice (src '{files}/new.bin' and '{files}/old.bin'): hawkBit takes each name "
        "once, upper and lower case being the same; set another filename.",
        artifacts=[{"src": "{files}/new.bin"}, {"src": "{files}/old.bin", "filename": "NEW.bin"}],
    ),
    module(
        "slash in file name",
        "filename is 'a/b': a device could not download it; leave out / \\ ; % and control characters, and do not "
        "use '.' or '..'.",
        artifacts=[{"src": "{files}/new.bin", "filename": "a/b"}],
    ),
    module(
        "type missing",
        "type is not set, and there is no software module 'bad-new' version '1' yet: give the type's key, one of "
        "'application', 'os'.",
        type=None,
    ),
    module(
        "type not known",
        "type is 'firmware', which the server does not know: give one of 'application', 'os'.",
        type="firmware",
    ),
    module("version too long", "version is 65 characters long: 64 is the most.", version="1" * 65),
    module(
        "HTML in vendor",
        "vendor is '<script>', which looks like HTML: hawkBit refuses that, so leave out the <>.",
        vendor="<script>",
    ),
    # -- distribution sets
    bundle(
        "software module not known",
        "Software module 'bad-none' version '1' does not exist: there is none named 'bad-none'; create it first, "
        "or check the spelling (upper and lower case differ).",
        modules=[{"name": "bad-none", "version": "1"}],
    ),
    bundle(
        "version of software module not known",
        "Software module 'bad-os' version '7' does not exist: there is version '1' (type 'os').",
        modules=[{"name": "bad-os", "version": "7"}],
    ),
    bundle(
        "software module of a wrong type",
        "modules has 'bad-app' version '1' of type 'application', but a distribution set of type 'os' takes only "
        "modules of type 'os'.",
        modules=[{"name": "bad-app", "version": "1"}],
    ),
    bundle(
        "software module twice",
        "modules lists 'bad-os' version '1' twice: list each module once.",
        modules=[{"name": "bad-os", "version": "1"}, {"name": "bad-os", "version": "1"}],
    ),
    bundle(
        "type of set not known",
        "type is 'firmware', which the server does not know: give one of 'app', 'os', 'os_app'.",
        type="firmware",
    ),
    bundle(
        "type of set changed",
        "type is 'app', but distribution set 'bad' version '1' has the type 'os', which cannot be changed: give "
        "another version, or remove that set first.",
        name="bad",
        type="app",
    ),
    bundle(
        "modules of an assigned set",
        "Distribution set 'bad-used' version '1' was assigned already, so its modules and required_migration_step"
        " cannot be changed: make a new version.",
        "conflict",
        name="bad-used",
        modules=[],
    ),
    bundle(
        "metadata that is no text",
        "metadata: 'commit' is no text: give text, or list the key in metadata_absent.",
        metadata={"commit": None},
    ),
    bundle(
        "slash in a key of metadata",
        "metadata has the key 'a/b': give text without blanks at the ends and without / \\ ; %.",
        metadata={"a/b": "1"},
    ),
    bundle(
        "tag of sets not known",
        "tags has 'bad-none', but hawkBit has no such distribution set tag: there are bad-tag. Create it with "
        "hawkbit_tag and kind=distribution_set first.",
        tags=["bad-none"],
    ),
    bundle(
        "invalidation of what is to be there",
        "invalidation is only for state=invalidated: leave it out.",
        invalidation={"actions": "soft"},
    ),
    # -- tags, types, filters, settings
    Mistake(
        "blank at the end of a tag's name",
        "hawkbit_tag",
        {"name": "bad "},
        "name is 'bad ': hawkBit cuts blanks at the ends off, so give it without them.",
    ),
    Mistake(
        "colour too long",
        "hawkbit_tag",
        {"name": "bad", "colour": "rgb(255, 255, 255)"},
        "colour is 18 characters long: 16 is the most.",
    ),
    Mistake(
        "option of another kind",
        "hawkbit_type",
        {"kind": "target", "key": "bad", "mandatory_modules": ["os"]},
        "mandatory_modules is only for kind=distribution_set: leave it out.",
    ),
    Mistake(
        "module type not known",
        "hawkbit_type",
        {"kind": "distribution_set", "key": "bad", "mandatory_modules": ["firmware"]},
        "mandatory_modules has 'firmware', but hawkBit has no such software module type: give some of application, os.",
    ),
    Mistake(
        "module types of a type in use",
        "hawkbit_type",
        {"kind": "distribution_set", "key": "os", "optional_modules": ["application"]},
        "The distribution set type 'os' has distribution sets, so its module types cannot be changed: make another "
        "type.",
        "conflict",
    ),
    Mistake(
        "filter without query",
        "target_filter",
        {"name": "bad"},
        "query is missing: hawkBit has no target filter 'bad' yet.",
    ),
    Mistake(
        "filter with a query that cannot be read",
        "target_filter",
        {"name": "bad", "query": "bogus==1"},
        "query is 'bogus==1', which hawkBit cannot use as a query: {unknown_field}; correct it.",
    ),
    Mistake(
        "filter that assigns an incomplete set",
        "target_filter",
        {
            "name": "bad",
            "query": "controllerid==bad-none",
            "auto_assign": {"distribution_set": {"name": "bad-incomplete", "version": "1"}},
        },
        "distribution_set bad-incomplete 1 is incomplete: add the modules that its type 'os' demands.",
    ),
    Mistake(
        "duration without quotes",
        "hawkbit_tenant_configuration",
        {"settings": {"pollingTime": 43200}},
        "settings: 'pollingTime' is '43200': give a duration in quotes, such as '00:05:00'.",
    ),
    Mistake(
        "switch that is neither on nor off",
        "hawkbit_tenant_configuration",
        {"settings": {"authentication.targettoken.enabled": "maybe"}},
        "settings: 'authentication.targettoken.enabled' is 'maybe': give true or false.",
    ),
    Mistake(
        "setting set and reset",
        "hawkbit_tenant_configuration",
        {"settings": {"pollingTime": "00:05:00"}, "reset": ["pollingTime"]},
        "'pollingTime' is in settings and in reset: give it in one of them.",
    ),
    Mistake(
        "secret among the settings",
        "hawkbit_tenant_configuration",
        {"settings": {"authentication.gatewaytoken.key": "bad"}},
        "settings has 'authentication.gatewaytoken.key', which is a secret: give it in gateway_token.",
    ),
    # -- assignments
    assign(
        "set not known",
        "Distribution set 'bad-none' version '1' does not exist: there is none named 'bad-none'; create it first,"
        " or check the spelling (upper and lower case differ).",
        distribution_set={"name": "bad-none", "version": "1"},
    ),
    assign(
        "version of set not known",
        "Distribution set 'bad' version '7' does not exist: there is version '1' (type 'os').",
        distribution_set={"name": "bad", "version": "7"},
    ),
    assign(
        "set incomplete",
        "distribution_set bad-incomplete 1 is incomplete: add the modules that its type 'os' demands.",
        distribution_set={"name": "bad-incomplete", "version": "1"},
    ),
    assign(
        "targets not known",
        "fleet.ids names 2 of 3 devices that hawkBit does not know (bad-7, bad-8): correct them, or set "
        "on_unknown_device to ignore.",
        fleet={"ids": ["bad-1", "bad-7", "bad-8"]},
    ),
    assign(
        "target twice",
        "fleet.ids names bad-1 more than once: list each device once.",
        fleet={"ids": ["bad-1", "bad-2", "bad-1"]},
    ),
    assign("no target", "fleet.ids is empty: give at least one device, or leave the task out.", fleet={"ids": []}),
    assign(
        "nobody found",
        "fleet.tag is 'bad-none', which selects no device: correct it, or register the devices first.",
        fleet={"tag": "bad-none"},
    ),
    assign(
        "no fleet",
        "fleet wants exactly one of ids, names, query, tag, group, groups, filter_id, all, but nothing is given.",
        fleet=None,
    ),
    assign(
        "two ways to say whom",
        "fleet wants exactly one of ids, names, query, tag, group, groups, filter_id, all, but ids and all are given.",
        fleet={"ids": IDS, "all": True},
    ),
    assign(
        "a way that hawkBit does not know",
        "fleet.serial_numbers is not known to hawkBit: select by one of ids, names, query, tag, group, groups, "
        "filter_id, all.",
        "unsupported",
        fleet={"serial_numbers": ["1"]},
    ),
    assign(
        "query not well formed",
        "fleet.query is 'controllerid==', which hawkBit cannot use as a query: {unparsable}; correct it.",
        fleet={"query": "controllerid=="},
    ),
    assign(
        "field of query not known",
        "fleet.query is 'bogus==1', which hawkBit cannot use as a query: {unknown_field}; correct it.",
        fleet={"query": "bogus==1"},
    ),
    assign(
        "target filter not known",
        "fleet.filter_id is '999999', but hawkBit has no target filter of that id: correct it, or make the filter"
        " first.",
        fleet={"filter_id": "999999"},
    ),
    assign(
        "fleet over its limit",
        "fleet_limit is 1, but 2 devices would get bad:1: raise the limit or select fewer devices.",
        fleet_limit=1,
    ),
    assign(
        "cron with too few fields",
        "maintenance_window.schedule is '0 3 * * SUN': give 6 or 7 fields in Quartz cron notation, such as '0 0 3"
        " ? * SUN' for Sundays at 3.",
        maintenance_window={**WINDOW, "schedule": "0 3 * * SUN"},
    ),
    assign(
        "cron with a wrong hour",
        "maintenance_window.schedule is '0 0 25 ? * SUN': give for hours, which is '25', values from 0 to 23 in "
        "Quartz cron notation.",
        maintenance_window={**WINDOW, "schedule": "0 0 25 ? * SUN"},
    ),
    assign(
        "cron with both days",
        "maintenance_window.schedule is '0 0 3 1 * SUN': give '?' for exactly one of day of month and day of "
        "week, such as '0 0 3 ? * SUN' for Sundays at 3.",
        maintenance_window={**WINDOW, "schedule": "0 0 3 1 * SUN"},
    ),
    assign(
        "window too long",
        "maintenance_window.duration is '25:00:00': give a time below a day in quotes, such as '02:00:00'.",
        maintenance_window={**WINDOW, "duration": "25:00:00"},
    ),
    assign(
        "window with a zone's name",
        "maintenance_window.timezone is 'Europe/Berlin': give an offset in quotes, such as '+02:00'; names are not"
        " understood.",
        maintenance_window={**WINDOW, "timezone": "Europe/Berlin"},
    ),
    assign(
        "window without zone",
        "maintenance_window lacks timezone: give schedule, duration and timezone, or none of them.",
        maintenance_window={**WINDOW, "timezone": None},
    ),
    assign(
        "forcetime missing",
        "forcetime and assignment_type=timeforced belong together: give both or neither.",
        assignment_type="timeforced",
    ),
    assign(
        "forcetime without offset",
        "forcetime is '2026-12-24 03:00': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00, or "
        "milliseconds since 1970.",
        assignment_type="timeforced",
        forcetime="2026-12-24 03:00",
    ),
    Mistake(
        "several sets without multi-assignment",
        "distribution_set_assign",
        {"distribution_sets": [SET, {"name": "bad-used", "version": "1"}], "fleet": {"ids": IDS}},
        "distribution_sets names 2 sets, but multi-assignment {no_multi_assignment}",
        "unsupported",
    ),
    Mistake(
        "same set twice",
        "distribution_set_assign",
        {"distribution_sets": [SET, SET], "fleet": {"ids": IDS}},
        "distribution_sets names bad:1 twice: list each set once.",
    ),
    assign(
        "confirmation switched off",
        "confirmation_required is true, but {no_confirmation}",
        "unsupported",
        confirmation_required=True,
    ),
    assign(
        "wait for what is recorded",
        "wait=true does not go with offline=true, which is over at once: leave wait out.",
        offline=True,
        wait=True,
    ),
    assign("weight too large", "weight is 1001: give a number from 0 to 1000.", weight=1001),
    assign(
        "percentage too large",
        "min_success_percentage is 101: give a percentage from 0 to 100.",
        min_success_percentage=101,
    ),
    assign("no time to wait", "wait_timeout is 0: give 1 second or more.", wait=True, wait_timeout=0),
    assign(
        "given again",
        "redeploy is 'always', but hawkBit cannot give a set again to targets that have it (bad-has-it): use "
        "redeploy=failed, or a new version.",
        "unsupported",
        distribution_set={"name": "bad-used", "version": "1"},
        redeploy="always",
        fleet={"ids": ["bad-has-it"]},
    ),
    # -- actions
    action(
        "target of action not known",
        "controller_id is 'bad-7', but hawkBit has no such target.",
        controller_id="bad-7",
    ),
    action(
        "action not known",
        "action_id is 999999, but target 'bad-1' has no such action: it has none.",
        controller_id="bad-1",
        action_id=999999,
    ),
    action(
        "set of actions not known",
        "Distribution set 'bad-none' version '1' does not exist: there is none named 'bad-none'; create it first,"
        " or check the spelling (upper and lower case differ).",
        distribution_set={"name": "bad-none", "version": "1"},
    ),
    action(
        "more than are to be changed",
        "action_limit is 1, but 2 would be changed: raise it or select fewer.",
        action="request_attributes",
        fleet={"ids": IDS},
        action_limit=1,
    ),
    action(
        "words without an answer",
        "code and details go with action=confirm and action=deny only: leave them out.",
        controller_id="bad-1",
        details=["because"],
    ),
    # -- rollouts
    rollout(
        "set not known",
        "Distribution set 'bad-none' version '1' does not exist: there is none named 'bad-none'; create it first,"
        " or check the spelling (upper and lower case differ).",
        distribution_set={"name": "bad-none", "version": "1"},
    ),
    rollout(
        "set incomplete",
        "distribution_set bad-incomplete 1 is incomplete: add the modules that its type 'os' demands.",
        distribution_set={"name": "bad-incomplete", "version": "1"},
    ),
    rollout(
        "targets not known",
        "fleet.ids names 1 of 2 devices that hawkBit does not know (bad-7): correct them, or set "
        "on_unknown_device to ignore.",
        fleet={"ids": ["bad-1", "bad-7"]},
    ),
    rollout(
        "nobody found",
        "fleet selects no device (query controllerid==bad-none-*): correct it, or register the devices first.",
        fleet={"query": "controllerid==bad-none-*"},
    ),
    rollout(
        "query not well formed",
        "fleet.query is 'controllerid==', which hawkBit cannot use as a query: {unparsable}; correct it.",
        fleet={"query": "controllerid=="},
    ),
    rollout(
        "field of a group's query not known",
        "groups: query of 'a' is 'bogus==1', which hawkBit cannot use as a query: {unknown_field}; correct it.",
        groups=[{"name": "a", "query": "bogus==1"}, {"name": "b"}],
    ),
    rollout("no fleet", "fleet is missing: hawkBit has no rollout 'bad new' yet, and a new one needs it.", fleet=None),
    rollout(
        "no set",
        "distribution_set is missing: hawkBit has no rollout 'bad new' yet, and a new one needs it.",
        distribution_set=None,
    ),
    rollout(
        "fleet over its limit",
        "fleet_limit is 1, but the rollout would go to 2 devices: raise the limit or select fewer devices.",
        fleet_limit=1,
    ),
    rollout(
        "list of ids too long",
        "fleet makes a query of 1495 characters, hawkBit takes 1024: select by query, tag or group, or use "
        "distribution_set_assign.",
        fleet={"ids": IDS + [f"bad-many-{number:03}" for number in range(50)]},
        on_unknown_device="ignore",
    ),
    rollout("no group", "groups is an empty list: give at least one group, or leave it out.", groups=[]),
    rollout(
        "group twice",
        "groups has the name 'a' more than once: give each group a name of its own.",
        groups=[{"name": "a", "percentage": 50}, {"name": "a"}],
    ),
    rollout(
        "groups too small",
        "groups: the percentages add up to 90: make it 100, or leave out the last one.",
        groups=[{"name": "a", "percentage": 50}, {"name": "b", "percentage": 40}],
    ),
    rollout(
        "groups too large",
        "groups: the percentages add up to 110: make it 100 at most.",
        groups=[{"name": "a", "percentage": 50}, {"name": "b", "percentage": 60}],
    ),
    rollout(
        "threshold too large", "success_threshold is 101: give a whole percentage from 0 to 100.", success_threshold=101
    ),
    rollout("too many groups", "amount_groups is 501: give a number from 1 to 500.", amount_groups=501),
    rollout(
        "group to wait for not known",
        "wait_group is 'b', which is no name in groups: give one of a.",
        groups=[{"name": "a"}],
        wait=True,
        wait_group="b",
    ),
    rollout(
        "start without an offset",
        "start_at is '2031-05-04T02:00:00': give a time with its offset from UTC, such as 2026-12-24T03:00:00+01:00, "
        "or milliseconds since 1970.",
        state="present",
        start_at="2031-05-04T02:00:00",
    ),
    rollout(
        "start later and at once",
        "start_at needs state=present: with state=started the rollout starts at once.",
        start_at="2031-05-04T02:00:00Z",
    ),
    rollout(
        "nobody says which group",
        "trigger_group and state=triggered belong together: give both or neither.",
        state="triggered",
    ),
    rollout(
        "remark without a decision",
        "approval_remark is only for state=approved and state=denied: leave it out.",
        approval_remark="fine",
    ),
    rollout(
        "denial where nobody has asked",
        "rollout 'bad there' is ready, so it cannot be denied: choose another name or state.",
        "conflict",
        name="bad there",
        state="denied",
        fleet=None,
        distribution_set=None,
    ),
    rollout(
        "nothing to resume",
        "name is 'bad new', but hawkBit has no rollout of that name to be resumed: correct it, or create the "
        "rollout first.",
        state="resumed",
    ),
    rollout(
        "another set",
        "name: the rollout 'bad there' exists and deploys bad 1, not bad-used 1: choose another name.",
        name="bad there",
        distribution_set={"name": "bad-used", "version": "1"},
    ),
    rollout(
        "other targets",
        'name: the rollout \'bad there\' exists for the targets of (controllerid=="bad-1",controllerid=="bad-2"), '
        'not of controllerid=="bad-1", and cannot be changed: choose another name.',
        name="bad there",
        fleet={"ids": ["bad-1"]},
    ),
    rollout(
        "pause of what is not started",
        "rollout 'bad there' is ready, so it cannot be paused: choose another name or state.",
        "conflict",
        name="bad there",
        state="paused",
        fleet=None,
        distribution_set=None,
    ),
    # -- reading
    Mistake("limit 0", "hawkbit_rollout_info", {"limit": 0}, "limit is 0: give 1 or more."),
    Mistake(
        "query of rollouts",
        "hawkbit_rollout_info",
        {"query": "bogus==1"},
        "query is 'bogus==1', which hawkBit refuses ({unknown_rollout_field}): see the chapter on queries of "
        "hawkBit's documentation.",
    ),
    Mistake(
        "query of targets",
        "target_info",
        {"query": "bogus==1"},
        "query is 'bogus==1', which hawkBit refuses ({unknown_field}): see the chapter on queries of hawkBit's "
        "documentation.",
    ),
    Mistake(
        "sort of targets",
        "target_info",
        {"sort": "bogus:ASC"},
        "sort is 'bogus:ASC', which hawkBit refuses (The given sort parameter field does not exist): give fields "
        "of a target, such as name:ASC.",
        "invalid_input",
    ),
    Mistake(
        "sort of actions",
        "target_info",
        {"controller_id": "bad-1", "gather": ["actions"], "action_sort": "bogus:ASC"},
        "action_sort is 'bogus:ASC', which hawkBit refuses (The given sort parameter field does not exist): give "
        "fields of an action, such as id:ASC.",
    ),
    Mistake(
        "query of actions left alone",
        "target_info",
        {"controller_id": "bad-1", "action_query": "id==1"},
        "action_query is 'id==1', but gather does not have actions: add it there.",
    ),
    Mistake(
        "query of metadata",
        "target_info",
        {"controller_id": "bad-1", "gather": ["metadata"], "metadata_query": "site==hall 1"},
        "metadata_query is 'site==hall 1': compare key and value with == or !=, such as key==site;value==hall*, joined "
        "by ; for and, by a comma for or.",
    ),
)
