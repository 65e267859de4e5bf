"""One channel for everybody: its url has {address} where each person's own mail address or number belongs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import quote

from sitewarden_collector.channels.base import DEADLINE_S, Channel, Notice, Receipt
from sitewarden_collector.errors import ChannelRejected, ConfigError

ADDRESS = "{address}"
KEPT_MAX = 200


class AddressedChannel:
    """Opens the channel of an address when it is first written to."""

    def __init__(self, name: str, url: str, open_one: Callable[[str, str], Channel]) -> None:
        self.name = name
        self.deadline_s = DEADLINE_S
        self._url = url
        self._open = open_one
        self._opened: OrderedDict[str, Channel] = OrderedDict()
        self._channel("somebody@example.com")  # a url that nothing understands is told at the start, not at night

    def send(self, notice: Notice) -> Receipt:
        if not notice.address:
            raise ChannelRejected(
                f"channel {self.name}: {notice.person} has no address for it; give one with `sitewarden oncall person "
                f"set {notice.person} --road {self.name}=ADDRESS`"
            )
        try:
            channel = self._channel(notice.address)
        except ConfigError as error:
            raise ChannelRejected(f"channel {self.name}: the address of {notice.person} cannot be used") from error
        return channel.send(notice)

    def _channel(self, address: str) -> Channel:
        if address not in self._opened:
            self._opened[address] = self._open(self.name, self._url.replace(ADDRESS, quote(address, safe="@+")))
            while len(self._opened) > KEPT_MAX:
                self._opened.popitem(last=False)
        self._opened.move_to_end(address)
        return self._opened[address]
