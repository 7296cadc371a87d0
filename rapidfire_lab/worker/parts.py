"""One part of a test or prediction: rows to results in a file, or, as the last one, all results put together."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.errors import EngineError
from rapidfire_lab.worker.checkpoint import load_state, save_state
from rapidfire_lab.worker.predictions import write_csv, write_parquet, write_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rapidfire_lab.engine.protocol import Infer
    from rapidfire_lab.worker.inference import Inference

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_MINIBATCHES = "minibatches"


class UnsavedPartError(Exception):
    """The disk does not take the result of a part."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be written ({error.strerror or error}). {_remedy(path, error)}")


def _remedy(path: Path, error: OSError) -> str:
    if path.is_dir():
        return "It is a folder: rename or move that."
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"Give yourself leave to write in {path.parent}."
    if not path.parent.is_dir():
        return f"Make the folder {path.parent} again."
    return "Make room on that disk, or mend it."


@dataclass(frozen=True)
class Finished:
    """What is to be told of a part beside its result: of the last one, metrics of a test or a prediction's SHA-256."""

    metrics: dict[str, float] | None = None
    sha256: str | None = None


def do_part(part: Infer, inference: Callable[[], Inference], keep_going: Callable[[], None]) -> Finished:
    """Do a part, and have its result on the disk.

    Raises
    ------
    UnsavedPartError
        When the disk does not take it.
    """
    result = Path(part.result)
    if part.sources is not None:
        return _put_together(part, [Path(source) for source in part.sources], inference, keep_going)
    minibatches = _minibatches(part)
    if part.kind == "test":
        counted = inference().test(minibatches, keep_going)
        with _Saving(result):
            save_state(result, {_MINIBATCHES: counted})
    else:
        outputs = inference().predict(minibatches, keep_going)
        try:
            write_part(result, outputs)
        except OSError as error:  # of the disk, or of the user's own reading
            if error.errno in _FULL:
                raise UnsavedPartError(result, error) from error
            raise
    return Finished()


def _minibatches(part: Infer) -> Iterator[list[int]]:
    size, end = part.batch_size, part.end_row
    return (list(range(start, min(start + size, end))) for start in range(part.first_row, end, size))


def _put_together(
    part: Infer, sources: list[Path], inference: Callable[[], Inference], keep_going: Callable[[], None]
) -> Finished:
    for source in sources:
        if not source.exists():
            message = f"{source} is gone, which was a part of the result. Ask again."
            raise EngineError(message)
    if part.kind == "test":
        counted = (counted for source in sources for counted in load_state(source)[_MINIBATCHES])
        return Finished(metrics=inference().summary(counted))
    target = Path(part.result)
    with _Saving(target):
        write = write_parquet if target.suffix == ".parquet" else write_csv
        return Finished(sha256=write(sources, target, keep_going))


class _Saving:
    """Within it, what the disk refuses is an `UnsavedPartError`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        """Begin to write."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> None:
        if isinstance(error, OSError):
            raise UnsavedPartError(self._path, error) from error
