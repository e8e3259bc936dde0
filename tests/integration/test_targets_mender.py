"""The targets of Mender's modules on simulated servers: by ansible-playbook, and once more in this process."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import pytest
from integration.inprocess import run_module
from integration.mender_side import MenderSide
from integration.targets_run import Targets, devices_of
from integration.test_targets import (
    pytest_generate_tests,
    test_change_is_shown_as_a_difference,
    test_check_mode_foretells_what_changes,
    test_check_mode_sends_no_write,
    test_example_succeeds,
    test_result_is_what_the_documentation_says,
    test_second_run_changes_nothing_and_only_reads,
    test_target_succeeds_without_a_word_of_warning,
    test_writes_go_through_for_real,
)

if TYPE_CHECKING:
    from integration.playing import Result

__all__ = [
    "pytest_generate_tests",
    "test_change_is_shown_as_a_difference",
    "test_check_mode_foretells_what_changes",
    "test_check_mode_sends_no_write",
    "test_example_succeeds",
    "test_result_is_what_the_documentation_says",
    "test_second_run_changes_nothing_and_only_reads",
    "test_target_succeeds_without_a_word_of_warning",
    "test_writes_go_through_for_real",
]

MODULES = MenderSide.modules
VERSIONS = ("seed", "4.5", "4.0", "4.1")
SERVERS = [(version, "open_source") for version in VERSIONS] + [("4.1", "enterprise")]
# what Ansible adds to a module's result, or what only one of the two ways has
ANSIBLE = {
    "attempts", "ansible_loop_var", "deprecations", "diff", "exception", "failed", "failed_when_result",
    "failed_when_suppressed_exception", "invocation", "item", "warnings",
}  # fmt: skip
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
LINK = re.compile(r"https?://\S+")
HOST = re.compile(r"127\.0\.0\.1:\d+")
TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?")

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session", params=SERVERS, ids="-".join)
def targets(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Targets]:
    """The targets of all modules that are tested in this session, under way."""
    version, edition = request.param
    wanted = {
        str(item.callspec.params["module"])
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec") and "module" in item.callspec.params
    }
    folder = tmp_path_factory.mktemp(f"targets-mender-{version}-{edition}")
    found = Targets(MenderSide(version, edition), folder, sorted(wanted))
    found.start()
    yield found
    found.stop()


class Twins:
    """Compares what is told of two servers, on which everything has another id and another time."""

    def __init__(self, words: Mapping[str, str]) -> None:
        self.words = dict(words)

    def translated(self, value: Any) -> Any:
        """Return options for one server as they are for the other."""
        if isinstance(value, str):
            for word, other in self.words.items():
                value = value.replace(word, other)
            return value
        if isinstance(value, dict):
            return {key: self.translated(item) for key, item in value.items()}
        return [self.translated(item) for item in value] if isinstance(value, list) else value

    def meet(self, one: Any, other: Any) -> None:
        """Learn the ids of one in the other."""
        if isinstance(one, str) and isinstance(other, str):
            for mine, theirs in zip(UUID.findall(one), UUID.findall(other), strict=False):
                self.words.setdefault(mine, theirs)
        elif isinstance(one, dict) and isinstance(other, dict):
            for key in one.keys() & other.keys():
                self.meet(one[key], other[key])
        elif isinstance(one, list) and isinstance(other, list):
            for mine, theirs in zip(one, other, strict=False):
                self.meet(mine, theirs)

    def plain(self, value: Any) -> Any:
        """Return a result without what is never the same: times, links, how long a wait took."""
        if isinstance(value, str):
            return HOST.sub("<host>", LINK.sub("<link>", TIME.sub("<time>", self.translated(value))))
        if isinstance(value, dict):
            return {self.translated(key): self.plain(item) for key, item in value.items()}
        return [self.plain(item) for item in value] if isinstance(value, list) else value


def own(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a module itself says."""
    return {key: value for key, value in result.items() if key not in ANSIBLE}


def played_once_more(result: Result, options: Mapping[str, Any], twins: Twins) -> dict[str, Any]:
    """Do in this process what has had a result; a task with "until" was repeated until it was right."""
    name, check = result.action.rpartition(".")[2], "check mode" in result.play
    left = 200 if "attempts" in result.data else 1
    while True:
        found = run_module(name, options, check_mode=check, diff_mode=True)
        twins.meet(own(result.data), own(found))
        left -= 1
        if not left or twins.plain(own(found)) == twins.plain(own(result.data)):
            return found
        time.sleep(0.05)


def test_in_process_the_same_comes_of_it(targets: Targets, module: str) -> None:
    run = targets.outcome(module).run
    calls = [
        result for result in run.results if result.action.startswith("fleet.deploy.") and result.data.get("invocation")
    ]
    with targets.side.place(devices_of(module)) as variables:
        files = targets.files(f"{module}-in-process")
        twins = Twins({str(targets.folder / module / "files"): str(files)})
        played = 0
        for result in calls:
            given = result.data["invocation"]["module_args"]
            options = twins.translated({name: value for name, value in given.items() if value is not None})
            options["url"] = variables["server_url"]
            options["token"] = variables["mender_token"]
            found = played_once_more(result, options, twins)
            assert twins.plain(own(found)) == twins.plain(own(result.data)), f"{result.play}: {result.name}"
            if "diff" in result.data:
                twins.meet(result.data["diff"], found.get("diff"))
                assert twins.plain(found.get("diff")) == twins.plain(result.data["diff"]), result.name
            played += 1
    assert played > 3
