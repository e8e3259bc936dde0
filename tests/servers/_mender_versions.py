"""What the versions of Mender's server do differently, for the simulator.

Sources: the API description of 2020 ("seed"), transcripts of calls to real servers of October 2023 ("4.5") and
September 2024 ("2024-09"), and the published source of 4.0.0 and 4.1.3.
"""

from __future__ import annotations

EDITIONS = ("open_source", "professional", "enterprise")

_OCTOBER_2023 = {
    "lists",  # paged lists: artifacts/list, releases/list, {id}/devices/list
    "groups",  # POST deployments/group/{name} and all_devices
    "bulk_statistics",  # POST deployments/statistics/list
    "history",  # GET deployments/devices/{id}, DELETE …/history
    "inventory_v2",  # POST filters/search and GET filters/attributes
    "depends",  # 409 for a conflicting upload, and the artifact's provides and depends
    "images",  # lists of a deployment's devices repeat the artifact
    "pauses",  # counters for the pauses and for decommissioned devices
    "update_wrapper",  # files are in updates[], not on the top level of the artifact
    "max_devices",  # in the deployment
    "drop_on_unknown",  # GET of an unknown deployment makes the server panic
    "shouting_releases",  # keys of v1 releases begin with a capital
}
_SEPTEMBER_2024 = _OCTOBER_2023 | {
    "releases_v2",
    "started",  # of a device in a deployment
    "release_notes",  # tags and notes in releases
    "duplicate_check",  # 409 for the same active deployment
    "direct_depends_text",  # another text for the conflict of an upload
}
_4_0 = (_SEPTEMBER_2024 - {"drop_on_unknown"}) | {
    "deployments_v2",
    "release_get",  # GET releases/{name}
    "filter_terms",  # every deployment, also in lists, carries the ids of its devices
    "error_on_unknown",  # the panic is caught: 500
}
_4_1 = (_4_0 - {"error_on_unknown"}) | {
    "artifacts_v2",
    "absolute_location",
    "body_limit",  # 1 MiB
    "pending_preset",  # the counter pending begins with the number of targets
    "new_paging",  # other texts, and rel=last
    "conflict_metadata",  # the answer to a conflicting upload says with what it conflicts
    "key_set",  # identity/id can be filtered and sorted by
}
FEATURES: dict[str, frozenset[str]] = {
    "seed": frozenset(),
    "4.5": frozenset(_OCTOBER_2023),
    "2024-09": frozenset(_SEPTEMBER_2024),
    "4.0": frozenset(_4_0),
    "4.1": frozenset(_4_1),
}
ALL_FEATURES = frozenset().union(*FEATURES.values())

# in the order in which servers sort them (and by which they know ranges of them)
STATUSES = (
    "failure",
    "aborted",
    "pause_before_installing",
    "pause_before_committing",
    "pause_before_rebooting",
    "downloading",
    "installing",
    "rebooting",
    "pending",
    "success",
    "noartifact",
    "already-installed",
    "decommissioned",
)
PAUSES = STATUSES[2:5]
ACTIVE = STATUSES[2:9]
FINISHED = tuple(status for status in STATUSES if status not in ACTIVE)
# the counters of the API description of 2020
OLD_COUNTERS = tuple(status for status in STATUSES if status not in PAUSES and status != "decommissioned")


def features(version: str, changes: dict[str, bool] | None = None) -> frozenset[str]:
    """What a version can do; `changes` switches single features on or off. ValueError for an unknown word."""
    if version not in FEATURES:
        raise ValueError(f"no such version: {version!r}; there are {', '.join(FEATURES)}")
    unknown = set(changes or ()) - ALL_FEATURES
    if unknown:
        raise ValueError(f"no such feature: {', '.join(sorted(unknown))}")
    on = {name for name, wanted in (changes or {}).items() if wanted}
    return (FEATURES[version] | on) - (set(changes or ()) - on)
