"""Whether runs train, and for how long that is to keep an otherwise unused server alive."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from rapidfire_lab.server.engine import state_of
from rapidfire_lab.server.handler import default_home

if TYPE_CHECKING:
    from tornado.web import Application

ACTIVITY_KEY = "rapidfire_lab"


def is_training() -> bool:
    """Whether a live engine has runs to train."""
    return state_of(default_home()) == "running"


def last_other_activity(web_app: Application) -> datetime:
    """When somebody or something but training last used the server."""
    times: dict[str, Any] = web_app.settings["last_activity_times"]
    ours = times.pop(ACTIVITY_KEY, None)
    try:
        last: datetime = web_app.last_activity()  # type: ignore[attr-defined]
    finally:
        if ours is not None:
            times[ACTIVITY_KEY] = ours
    return last


def may_keep_alive(web_app: Application, hours: float) -> bool:
    """Whether training still counts: it does for so many hours after the last use of the server."""
    return datetime.now(timezone.utc) - last_other_activity(web_app) < timedelta(hours=hours)


def note_activity(web_app: Application) -> None:
    """Let the server, and so a hub, see that it is in use."""
    web_app.settings["last_activity_times"][ACTIVITY_KEY] = datetime.now(timezone.utc)
