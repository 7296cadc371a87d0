"""Who watches a transfer: hears how far it is, and may end it."""

from __future__ import annotations

import time


class Watch:
    """The watcher of one file's transfer. This one hears nothing and lets it go on."""

    def at(self, done: int) -> None:
        """Hear that so many bytes are there. Raises `TransferCancelledError` to end the transfer."""

    def pause(self, seconds: float) -> None:
        """Wait between two attempts. Raises `TransferCancelledError` to end the transfer."""
        time.sleep(seconds)


NOBODY = Watch()
