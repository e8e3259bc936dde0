# Copyright (c) 2026 Fleet Deploy Authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts and groups made of what devices and operators say. Private to the collection.

A device may choose what it is called. Its name must not become an option of ssh, a path, a pattern, a template, the
control node, or the name of another device or of a group.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import re
import socket
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

# Letters and digits of any script, and what occurs in addresses, serial numbers and names for people. No braces,
# slashes, quotes, wildcards or commas; nothing but a letter, a digit or an underscore in front.
_USABLE = re.compile(r"\w(?:[\w .:+=()-]*[\w.:+=()-])?")
_NOT_PLAIN = re.compile(r"[^\w.:+=-]+")
_NOT_IN_GROUP = re.compile(r"^[\d\W]|\W")
_LABELS = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
# also what is no address in the usual form is one to the resolver: 127.1, 0x7f000001
_NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)")
_NUMBERS = re.compile(r"[0-9a-fx.]+")
# what lists of hosts commonly call the machine that they lie on
_LOCAL = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
LONGEST = 253


@dataclass
class Naming:
    """What the devices are called, and what went not as wished.

    Args:
        names: name of the host by the device's id.
        shared: names that several devices claim, with the ids of these.
        unusable: names that cannot be a host's, with the ids of the devices that would have them.
    """

    names: dict[str, str] = field(default_factory=dict)
    shared: dict[str, list[str]] = field(default_factory=dict)
    unusable: dict[str, list[str]] = field(default_factory=dict)


def usable(name: str, reserved: Collection[str] = ()) -> bool:
    """Tell whether a device may be called so."""
    return len(name) <= LONGEST and _USABLE.fullmatch(name) is not None and name not in reserved and not _is_local(name)


def group_name(*parts: str) -> str:
    """Return the name of a group: the parts with underscores between them, and for what a name cannot have."""
    return _NOT_IN_GROUP.sub("_", "_".join(parts))


def address(value: str | None) -> str | None:
    """Return an IP address or a host name as it is; None for everything else, and for the control node itself."""
    if not value or _is_local(value):
        return None
    if _ip(value):
        return value
    last = value.lower().rpartition(".")[2]
    return value if len(value) <= LONGEST and _LABELS.fullmatch(value) and not _NUMBER.fullmatch(last) else None


def _ip(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(value)
    except ValueError:
        return None


def _is_local(name: str) -> bool:
    """Tell whether a name means the control node: a host of that name would take the place of Ansible's own."""
    plain = name.lower().rstrip(".")
    if plain in _LOCAL or plain.endswith(".localhost"):
        return True
    ip = _ip(plain)
    if ip is None and _NUMBERS.fullmatch(plain):
        # as the resolver reads it
        with contextlib.suppress(OSError):
            ip = ipaddress.IPv4Address(socket.inet_aton(plain))
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return ip is not None and (ip.is_loopback or ip.is_unspecified)


def choose(wishes: Mapping[str, Sequence[str]], platform: str, reserved: Collection[str] = ()) -> Naming:
    """Give each device its first wish that is usable and that no other device has or claims.

    A name that several claim goes to none of them: the order in which devices appear must not decide, and no device
    may take the name of another one. For the same reason nobody is called what is another device's id.

    Args:
        wishes: names in order of preference by the device's id, which is always the last wish.
        platform: begins the name of a device that has no usable one.
        reserved: names of groups.
    """
    naming = Naming()
    chains = {
        device: [*dict.fromkeys((*names, device)), _made_up(device, platform)] for device, names in wishes.items()
    }
    holders: dict[str, str] = {}

    def claim(device: str) -> str:
        """Return the next name of a device that it may have; what comes before is given up."""
        for name in tuple(chains[device]):
            if name != device and name in wishes:
                naming.shared.setdefault(name, [name]).append(device)
            elif usable(name, reserved):
                return name
            else:
                naming.unusable.setdefault(name, []).append(device)
            del chains[device][0]
        raise AssertionError("a name that is made up can be used")

    pending = list(chains)
    while pending:
        claimed = {device: claim(device) for device in pending}
        claims = Counter(claimed.values())
        pending = []
        for device, name in claimed.items():
            if claims[name] == 1 and name not in holders:
                holders[name] = device
            else:
                naming.shared.setdefault(name, [holders[name]] if name in holders else []).append(device)
                pending.append(device)
                del chains[device][0]
    names_of = {device: name for name, device in holders.items()}
    naming.names = {device: names_of[device] for device in wishes}
    return naming


def _made_up(device: str, platform: str) -> str:
    """Return a name that only this id can have, and that resembles it."""
    digest = hashlib.sha256(device.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    plain = _NOT_PLAIN.sub("_", device)[:40].strip("_")
    return "-".join(part for part in (platform, plain, digest) if part)
