"""Files to and from a bucket, as savers and loaders need it. The client library is loaded when one of them is made."""

from __future__ import annotations

import logging
import shutil
import threading
from abc import ABC, abstractmethod
from collections import deque
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rapidfire_lab.saving.folder import ProtectedError, check_names
from rapidfire_lab.storage import digest_of, files_below, get_files, publish, put_files, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rapidfire_lab.storage import Store

_log = logging.getLogger(__name__)
_manifests = threading.Lock()
"""A manifest has one writer at a time; savers of one experiment share one."""


def open_s3(bucket: str) -> Store:
    from rapidfire_lab.storage.s3 import S3Store

    return S3Store(bucket)


def open_google(bucket: str) -> Store:
    from rapidfire_lab.storage.google import GoogleStore

    return GoogleStore(bucket)


class BaseDataSaver:
    """Sends files to a bucket, checked, and only what is not there.

    Credentials are found by boto3's default chain.
    """

    open_bucket: Callable[[str], Store] = staticmethod(open_s3)
    cloud_dir_prefix = ""

    def __init__(self, bucket_name: str = "model-result") -> None:
        self.bucket_name = bucket_name
        self.store = self.open_bucket(bucket_name)
        self._uploads = Uploads()

    def save_file(self, local_file_path: str, cloud_file_path: str) -> None:
        """Send a file; raises `StorageError` where it does not come through."""
        put_files(self.store, {cloud_file_path: Path(local_file_path).expanduser()})

    def save_folder(self, local_folder_path: str, cloud_folder_path: str) -> None:
        """Send what a folder holds, to below ``cloud_folder_path``."""
        found = files_below(Path(local_folder_path).expanduser())
        put_files(self.store, {f"{cloud_folder_path.strip('/')}/{key}".strip("/"): path for key, path in found.items()})

    def create_experiment_cloud_storage_folder_structure(
        self, project_name: str, experiment_name: str, experiment_timestamp: str
    ) -> str:
        """Key of the experiment's folder for what this saver saves."""
        return self.experiment_folder(project_name, experiment_name, experiment_timestamp)

    def experiment_folder(self, project_name: str, experiment_name: str, experiment_timestamp: str) -> str:
        """Key of the experiment's folder; its manifest lies there."""
        check_names(project_name, experiment_name, experiment_timestamp)
        parts = (self.cloud_dir_prefix.strip("/"), project_name, f"{experiment_name}_{experiment_timestamp}")
        return "/".join(part for part in parts if part)

    def publish(self, folder: str, files: Mapping[str, Path], *, protect: bool, background: bool = False) -> None:
        """Send files to an experiment's folder, and then its manifest.

        Raises
        ------
        ProtectedError
            When the manifest there has another file of one of the names, and ``protect`` is on.
        StorageError
            When it fails, or an earlier upload in the background did. Nothing local is lost; `wait` and then the same
            call again send what is missing.
        """
        if background:
            self._uploads.check()
            self._uploads.submit(lambda: self._publish_while_there(folder, files, protect=protect))
        else:
            self._uploads.wait()
            self._publish(folder, files, protect=protect)

    def _publish_while_there(self, folder: str, files: Mapping[str, Path], *, protect: bool) -> None:
        """Send checkpoints, except those that better ones have overtaken, so that they were removed meanwhile."""
        while there := {key: path for key, path in files.items() if path.exists()}:
            try:
                self._publish(folder, there, protect=protect)
            except FileNotFoundError:
                continue
            return

    def _publish(self, folder: str, files: Mapping[str, Path], *, protect: bool) -> None:
        with _manifests:
            before = (read_manifest(self.store, folder) or {}) if protect else {}
            for key, path in files.items() if protect else ():
                if not self._may_be_put(path, f"{folder}/{key}", before.get(key)):
                    raise ProtectedError(
                        f"{self.store.address(f'{folder}/{key}')} exists and holds something else; save under another "
                        "experiment_timestamp, or with protect_existing_folder=False to replace it"
                    )
            publish(self.store, files, folder=folder, add=True)

    def _may_be_put(self, path: Path, key: str, known: tuple[str, int] | None) -> bool:
        """Whether nothing would be replaced but by itself; what others have put there is in no manifest."""
        digest = digest_of(path)
        if known is not None:
            return known[0] == digest.sha256
        return self.store.stat(key) is None or self.store.holds(path, key, digest)

    def wait(self) -> None:
        """Wait until uploads in the background have come through.

        Raises
        ------
        StorageError
            The first failure since the last call.
        """
        self._uploads.wait()


class Uploads:
    """Uploads one after the other, in a thread that ends with the last. Python waits for it before it exits."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Future[None], Callable[[], None]]] = deque()
        self._begun: list[Future[None]] = []
        self._is_running = False

    def submit(self, work: Callable[[], None]) -> None:
        future: Future[None] = Future()
        with self._lock:
            self._begun.append(future)
            self._waiting.append((future, work))
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="rapidfire_lab-upload").start()

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._is_running = False
                    return
                future, work = self._waiting.popleft()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - it is raised by the next call
                _log.error("an upload failed: %s", error)
                future.set_exception(error)
            else:
                future.set_result(None)

    def check(self) -> None:
        """Raise the first error of uploads that have failed, once."""
        with self._lock:
            done = [future for future in self._begun if future.done()]
            self._begun = [future for future in self._begun if future not in done]
        for future in done:
            future.result()

    def wait(self) -> None:
        for future in list(self._begun):
            future.exception()
        self.check()


class BaseDataLoader:
    """Fetches files out of a bucket, into a local folder."""

    open_bucket: Callable[[str], Store] = staticmethod(open_s3)

    def __init__(self, bucket_name: str = "dataset-store", local_base_data_folder_path: str = "~/project/data") -> None:
        self.bucket_name = bucket_name
        self.store = self.open_bucket(bucket_name)
        self.local_base_data_folder_path = str(Path(local_base_data_folder_path).expanduser())
        self.available_prepocessed_datasets: list[str] = []

    def load_file(self, cloud_file_path: str, local_file_path: str) -> None:
        """Fetch a file, unless it is there already and is what the store has.

        Raises
        ------
        ObjectNotFoundError
            When the store has no such file.
        StorageError
            When it does not come through.
        """
        get_files(self.store, {cloud_file_path: Path(local_file_path).expanduser()})

    def exists_local_data_folder(self, data_folder_name: str, protect_local_folder: bool = True) -> bool:
        """Whether a data folder is there. Where it is not, or is not protected, an empty one is made."""
        folder = Path(self.local_base_data_folder_path) / data_folder_name
        if folder.exists() and protect_local_folder:
            return True
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return False

    def preproc_dataset_available(self, preproc_dataset_name: str) -> bool:
        return preproc_dataset_name in self.available_prepocessed_datasets


class AbstractDatasetFetcher(ABC):
    """What fetches data sets by name."""

    @abstractmethod
    def fetch_dataset(self, dataset_name: str | None = None, protect_local_folder: bool = True) -> Any:
        """Fetch a data set."""


class BaseGoogleStorageDataSaver(BaseDataSaver):
    """The same for Google Storage, with the default credentials of its library."""

    open_bucket = staticmethod(open_google)


class BaseGoogleStorageDataLoader(BaseDataLoader):
    """The same for Google Storage."""

    open_bucket = staticmethod(open_google)

    def __init__(self, bucket_name: str = "dataset-store", local_dataset_folder_path: str = "~/project/data") -> None:
        super().__init__(bucket_name, local_dataset_folder_path)
        self.local_dataset_folder_path = self.local_base_data_folder_path
