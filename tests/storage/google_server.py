"""As much of Google Storage's JSON API as its own library asks of it for our store, in a thread."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

_generations = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    """One request. ``server.objects`` has (metadata, content) by bucket and name."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        bucket, name, query = self._asked()
        if name is None:
            self._list(bucket, query)
        elif (bucket, name) not in self.server.objects:
            self._refuse(404, "Not Found")
        elif query.get("alt") == "media":
            self._content(*self.server.objects[bucket, name], query)
        else:
            self._json(self.server.objects[bucket, name][0])

    def do_POST(self):
        bucket, _, _ = self._asked()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        boundary = re.search(r'boundary="?([^"]+)"?', self.headers["Content-Type"])[1].encode()
        described, content = (part.partition(b"\r\n\r\n")[2][:-2] for part in body.split(b"--" + boundary)[1:3])
        about = json.loads(described)
        md5 = base64.b64encode(hashlib.md5(content).digest()).decode()
        if about.get("md5Hash", md5) != md5:
            self._refuse(400, "Provided MD5 hash doesn't match calculated MD5 hash.")
            return
        made = {"bucket": bucket, "size": str(len(content)), "generation": str(next(_generations)), "md5Hash": md5}
        self.server.objects[bucket, about["name"]] = ({**about, **made}, content)
        self._json(self.server.objects[bucket, about["name"]][0])

    def do_DELETE(self):
        bucket, name, _ = self._asked()
        found = self.server.objects.pop((bucket, name), None)
        self._reply(204, b"") if found else self._refuse(404, "Not Found")

    def _asked(self):
        parts = urlsplit(self.path)
        matched = re.search(r"/b/([^/]+)(?:/o(?:/(.+))?)?$", parts.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        return matched[1], matched[2] and unquote(matched[2]), query

    def _list(self, bucket, query):
        names = sorted(name for owner, name in self.server.objects if owner == bucket)
        names = [name for name in names if name.startswith(query.get("prefix", ""))]
        start = int(query.get("pageToken", 0))
        page = {"items": [self.server.objects[bucket, name][0] for name in names[start : start + 5]]}
        more = {"nextPageToken": str(start + 5)} if names[start + 5 :] else {}
        self._json({**page, **more})

    def _content(self, about, content, query):
        if query.get("ifGenerationMatch", about["generation"]) != about["generation"]:
            self._refuse(412, "Precondition Failed")
            return
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if span is None:
            self._reply(200, content)
            return
        start, end = int(span[1]), int(span[2] or len(content) - 1)
        headers = {"Content-Range": f"bytes {start}-{min(end, len(content) - 1)}/{len(content)}"}
        self._reply(206, content[start : end + 1], headers)

    def _json(self, answer):
        self._reply(200, json.dumps(answer).encode(), {"Content-Type": "application/json"})

    def _refuse(self, status, message):
        self._reply(status, json.dumps({"error": {"code": status, "message": message}}).encode())

    def _reply(self, status, body, headers=None):
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def google_server():
    """Yield the address of a server without objects; any bucket exists."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.objects = {}
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
