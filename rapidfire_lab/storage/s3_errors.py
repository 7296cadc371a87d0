"""What S3 and boto3 say went wrong, in words, and whether trying again may help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rapidfire_lab.errors import ObjectNotFoundError, StorageError
from rapidfire_lab.storage.retry import TransientError

if TYPE_CHECKING:
    from collections.abc import Mapping

_MISSING = frozenset({"404", "NoSuchKey", "NotFound"})
_DENIED = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem"})
_REGION = frozenset({"301", "307", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}) | {
    "PermanentRedirect",
    "TemporaryRedirect",
    "IncorrectEndpoint",
}
_CREDENTIALS = frozenset(
    {"ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch", "TokenRefreshRequired"}
)
_TRANSIENT = frozenset(
    {"429", "BadDigest", "InternalError", "OperationAborted", "RequestLimitExceeded", "RequestTimeout"}
) | {
    "RequestTimeoutException",
    "ServiceUnavailable",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequests",
    "XAmzContentChecksumMismatch",
}
_SERVER_ERROR = 500
_TOO_MANY = 429
_USER_IN_URL = re.compile(r"(?<=//)[^/\s@]+@")


def answered(address: str, action: str, response: Mapping[str, Any]) -> StorageError:
    """The error for an answer of S3 (``ClientError.response``)."""
    error, told = response.get("Error", {}), response.get("ResponseMetadata", {})
    code, status = str(error.get("Code", "")), int(told.get("HTTPStatusCode", 0))
    said = f"{code}: {error.get('Message', '')}".strip(": ") or f"HTTP status {status}"
    if code in _TRANSIENT or status >= _SERVER_ERROR or status == _TOO_MANY:
        return TransientError(f"{address}: cannot {action}: S3 is busy or in trouble ({said})")
    if code in _MISSING:
        return ObjectNotFoundError(f"{address} does not exist")
    return StorageError(f"{address}: cannot {action}: {_cause(code, told)} ({said})")


def _cause(code: str, told: Mapping[str, Any]) -> str:
    if code == "NoSuchBucket":
        return "there is no such bucket; check its name, or create it"
    if code in _DENIED:
        return "access is denied; the credentials in use need s3:PutObject, s3:GetObject and s3:ListBucket there"
    if code in _REGION:
        region = told.get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region")
        return f"the bucket is in {region}; set AWS_DEFAULT_REGION to it"
    if code in ("412", "PreconditionFailed"):
        return "it changed while it was read; fetch it again"
    if code in _CREDENTIALS:
        return "the credentials are not accepted; renew them where boto3 finds them"
    return "S3 refuses"


def unanswered(address: str, action: str, error: Exception) -> StorageError:
    """The error for a request without an answer (any ``BotoCoreError``, or a connection that broke)."""
    name = type(error).__name__
    said = _USER_IN_URL.sub("", str(error))
    if name in ("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"):
        cause = "boto3 finds no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws"
        return StorageError(f"{address}: cannot {action}: {cause}")
    if name == "SSLError" or not _is_connection(error):
        return StorageError(f"{address}: cannot {action}: {said}")
    return TransientError(f"{address}: cannot {action}: the connection failed ({said})")


def _is_connection(error: Exception) -> bool:
    from botocore import exceptions, parsers
    from urllib3.exceptions import HTTPError

    broken = (exceptions.ConnectionError, exceptions.HTTPClientError, exceptions.IncompleteReadError)
    damaged = (exceptions.FlexibleChecksumError, exceptions.ResponseStreamingError, parsers.ResponseParserError)
    return isinstance(error, (*broken, *damaged, HTTPError, ConnectionError, TimeoutError))
