"""Where a browser finds an experiment's MLflow."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

MLFLOW_NAMESPACE = "/rapidfire-lab/mlflow"


def mlflow_url(tracking_uri: str | None, *, tracking: bool = True, home_uri: str | None = None) -> str | None:
    """Address of an experiment's MLflow.

    Parameters
    ----------
    tracking_uri
        The experiment's own, as the journal has it; None stands for the engine home's store.
    tracking
        The engine's setting.
    home_uri
        Address of the home's store, should ``tracking_uri`` name it.

    Returns
    -------
    The path below the server's base URL, a remote server's address without what may be secret in it, or None where
    nothing is tracked or no browser can look. A run's page is at ``#/runs/<MLflow run id>`` of it.
    """
    if not tracking:
        return None
    if tracking_uri is None or tracking_uri == home_uri:
        return MLFLOW_NAMESPACE.lstrip("/") + "/"
    parts = urlsplit(tracking_uri)
    if parts.scheme not in {"http", "https"}:
        return None
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/") + "/", "", ""))
