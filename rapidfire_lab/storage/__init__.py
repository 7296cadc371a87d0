"""Files in folders, in S3 and in Google Storage, behind one contract: `Store`.

``publish`` and ``fetch`` move sets of files with a manifest; ``put_files`` and ``get_files`` move files without
one. No client library is loaded before a store that needs it is made.
"""

from rapidfire_lab.storage.content import Digest, StoredObject, digest_of, fingerprint
from rapidfire_lab.storage.manifest import MANIFEST, fetch, publish, read_manifest, record, retract
from rapidfire_lab.storage.retry import Retry
from rapidfire_lab.storage.store import Store
from rapidfire_lab.storage.transfer import Options, Progress, files_below, get_files, put_files
from rapidfire_lab.storage.urls import open_store, path_of, url_of

__all__ = [
    "MANIFEST",
    "Digest",
    "Options",
    "Progress",
    "Retry",
    "Store",
    "StoredObject",
    "digest_of",
    "fetch",
    "files_below",
    "fingerprint",
    "get_files",
    "open_store",
    "path_of",
    "publish",
    "put_files",
    "read_manifest",
    "record",
    "retract",
    "url_of",
]
