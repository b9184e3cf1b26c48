"""Owns who is let in how often: machines and people by their key, wrong keys by their address.

A key that has held is remembered by its hash, so that who asks too often costs no question to the
database, and so that others behind the address of somebody who guesses are let in.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from app.errors import TooMany
from app.pace import REMEMBERED_MAX, Pace

IPV6_NETWORK_BITS = 64
"""Whoever has an address of IPv6 has all of these."""


class Door:
    """Lets holders of a key in at a pace of each, and addresses that send wrong keys at another.

    What is shown at the door is known by its hash.
    """

    def __init__(
        self, pace: Pace, refusals: Pace, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._pace = pace
        self._refusals = refusals
        self._clock_s = clock_s
        self._holders: OrderedDict[bytes, str] = OrderedDict()

    def look(self, address: str, shown: bytes) -> None:
        """Raise TooMany before what is shown is looked up: its holder comes too often, or it is
        not known, and its address has shown too much that did not hold.
        """
        holder = self._holders.get(shown)
        if holder is None:
            _demand(self._refusals, self._refusals.wait_s(network(address), self._clock_s()))
        else:
            _demand(self._pace, self._pace.wait_s(holder, self._clock_s()))

    def admit(self, shown: bytes, holder: str) -> None:
        """Remember that what is shown holds. Raises TooMany if its holder comes too often."""
        self._holders[shown] = holder
        self._holders.move_to_end(shown)
        if len(self._holders) > REMEMBERED_MAX:
            self._holders.popitem(last=False)
        _demand(self._pace, self._pace.take(holder, self._clock_s()))

    def refuse(self, address: str, shown: bytes | None = None) -> None:
        """Note that somebody is not let in, and forget what they showed: it holds no longer."""
        if shown is not None:
            self._holders.pop(shown, None)
        self._refusals.take(network(address), self._clock_s())


def _demand(pace: Pace, wait_s: float) -> None:
    if wait_s > 0:
        raise TooMany(pace.name, pace.per_minute, math.ceil(wait_s))


def network(address: str) -> str:
    """Return whose address it is: of IPv6 the network.

    >>> network("2001:db8::1:2"), network("10.0.0.1"), network("unix")
    ('2001:db8::', '10.0.0.1', 'unix')
    """
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 4:
        return str(known)
    return str(ipaddress.ip_network((known, IPV6_NETWORK_BITS), strict=False).network_address)
