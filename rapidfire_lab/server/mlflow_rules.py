"""What passes between a browser and MLflow: which requests, which headers, and what an answer may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from tornado.httputil import HTTPHeaders

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest

# What is not named here is not passed on. Above all MLflow never sees Jupyter's cookies and Authorization, nor can it
# set cookies. Host is ours, as MLflow answers to no other name, and so Origin would be wrong: we have checked it.
_ASKED = ("Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "If-Modified-Since", "If-None-Match", "Range")
_ANSWERED = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "Etag",
    "Expires",
    "Last-Modified",
)
_OWN_PREFIX = "X-Mlflow-"

# MLflow's page is made of these; its scripts are files, its styles are not, and it shows HTML artifacts in sandboxed
# frames of the blob kind, which inherit this policy: their scripts do not run.
_PAGE_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
    "font-src 'self' data:; worker-src 'self' blob:; frame-src 'self' blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'self'"
)
# All else may be something that a run wrote. Opened by itself, an HTML or SVG artifact is a document without origin
# and without scripts: it cannot act as the Jupyter user, nor ask for anything.
_SANDBOX_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; frame-ancestors 'self'"
)


def comes_from_our_pages(request: HTTPServerRequest) -> bool:
    """Whether the browser says that one of our own pages sends this."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    return urlsplit(request.headers.get("Origin", "")).netloc.lower() == request.host.lower()


def is_foreign_subresource(request: HTTPServerRequest) -> bool:
    """Whether another site's page, or an artifact, loads this as a script, an image or data."""
    foreign = request.headers.get("Sec-Fetch-Site") in {"cross-site", "same-site"}
    return foreign and request.headers.get("Sec-Fetch-Mode") != "navigate"


def headers_for_mlflow(request: HTTPServerRequest) -> HTTPHeaders:
    """What MLflow may know of a request."""
    headers = HTTPHeaders({"Host": "localhost", "Connection": "close"})
    for name, value in request.headers.get_all():
        if name in _ASKED or name.startswith(_OWN_PREFIX):
            headers.add(name, value)
    if request.body or request.method in {"POST", "PUT", "PATCH"}:
        headers["Content-Length"] = str(len(request.body))
    return headers


def headers_for_browser(target: str, answer: HTTPHeaders, prefix: str) -> HTTPHeaders:
    """What the browser is told of MLflow's answer, and what it may do with it."""
    headers = HTTPHeaders({"X-Frame-Options": "SAMEORIGIN"})
    for name, value in answer.get_all():
        if name in _ANSWERED or name.startswith(_OWN_PREFIX):
            headers[name] = value
    if "Location" in answer:
        headers["Location"] = below(prefix, answer["Location"])
    of_the_page = target.partition("?")[0] == "/" or target.startswith("/static-files/")
    headers["Content-Security-Policy"] = _PAGE_POLICY if of_the_page else _SANDBOX_POLICY
    return headers


def below(prefix: str, location: str) -> str:
    """A place that MLflow sends the browser to, as the browser finds it."""
    parts = urlsplit(location)
    if parts.netloc not in {"", "localhost"} or not parts.path.startswith("/"):
        return location
    return urlunsplit(("", "", prefix + parts.path, parts.query, parts.fragment))
