"""``CORPUS``: a zip file with ``corpus.tsv``, a token and its tags on each line, and a line between sentences."""

from __future__ import annotations

import os
import tempfile
import weakref
from array import array
from typing import IO, TYPE_CHECKING, Any

from rapidfire_lab.model.datasets.archive import LARGEST_ARCHIVE, Archive, check_columns
from rapidfire_lab.model.datasets.dataset import ModelDataset
from rapidfire_lab.model.errors import InvalidDatasetFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FILE = "corpus.tsv"
_QUOTE = '"'


class CorpusDataset(ModelDataset):
    """Sentences of the task ``POS_TAGGING``; each is a list of ``[token, tag, ...]``, with a tag per column asked for.

    The sentences lie in an unnamed temporary file, of which only the places are kept in memory. Quotation marks are
    text like any other, unless a whole cell is quoted as CSV writers do it.

    Parameters
    ----------
    dataset_path
        The zip file.
    tags
        Names of the columns with tags, which are ints from 0.
    split_by
        The token that ends a sentence; its tags are ignored.

    Attributes
    ----------
    size
        How many sentences there are.
    tags, tag_num_classes
        The columns, and for each its highest tag and 1.
    max_token_len, max_sent_len
        Characters of the longest token, tokens of the longest sentence.

    Raises
    ------
    InvalidDatasetFormatError
        When the file is not of this format; the message names the line.
    """

    def __init__(self, dataset_path: str, tags: list[str], split_by: str) -> None:
        super().__init__(dataset_path)
        self.tags = list(tags)
        self._split_by = split_by
        self._read()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "tags": self.tags, "_split_by": self._split_by}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._read()

    def _read(self) -> None:
        self.tag_num_classes = [0] * len(self.tags)
        self.max_token_len = self.max_sent_len = 0
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - it is closed with the data set
        weakref.finalize(self, self._file.close)
        self._starts = array("q", [0])
        with Archive(self.path).open(_FILE, LARGEST_ARCHIVE) as source:
            self._columns = self._header(source)
            for sentence in self._sentences(source):
                self._keep(sentence)
        self._file.flush()
        self.size = len(self._starts) - 1

    def _header(self, source: IO[bytes]) -> list[int]:
        names = [
            _unquoted(cell) for cell in source.readline().decode("utf-8-sig", "replace").rstrip("\r\n").split("\t")
        ]
        check_columns(f"{_FILE!r} in {self.path}", names, ["token", *self.tags])
        return [names.index(name) for name in ["token", *self.tags]]

    def _sentences(self, source: IO[bytes]) -> Iterator[list[list[Any]]]:
        sentence: list[list[Any]] = []
        for number, line in enumerate(source, start=2):
            cells = self._cells(line, number)
            if cells and self._cell(cells, 0, number) == self._split_by:
                yield sentence
                sentence = []
            elif cells:
                sentence.append(self._token(cells, number))
        if sentence:
            yield sentence

    def _cells(self, line: bytes, number: int) -> list[str]:
        try:
            text = line.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise self._error(number, f"it is no UTF-8 ({error.reason})") from error
        return text.split("\t") if text else []

    def _token(self, cells: list[str], number: int) -> list[Any]:
        tags = [self._tag(cells, place, number) for place in range(1, len(self._columns))]
        return [self._cell(cells, 0, number), *tags]

    def _tag(self, cells: list[str], place: int, number: int) -> int:
        text = self._cell(cells, place, number)
        if text.strip().isdecimal():
            return int(text)
        raise self._error(number, f"{self.tags[place - 1]!r} must be a whole number from 0, not {text!r}")

    def _cell(self, cells: list[str], place: int, number: int) -> str:
        column = self._columns[place]
        if column >= len(cells):
            raise self._error(number, f"it has only {len(cells)} cells: {cells}")
        return _unquoted(cells[column])

    def _error(self, number: int, what: str) -> InvalidDatasetFormatError:
        return InvalidDatasetFormatError(f"{_FILE!r} in {self.path}, line {number}: {what}")

    def _keep(self, sentence: list[list[Any]]) -> None:
        for token, *tags in sentence:
            self.max_token_len = max(self.max_token_len, len(token))
            self.tag_num_classes = [max(most, tag + 1) for most, tag in zip(self.tag_num_classes, tags, strict=True)]
        self.max_sent_len = max(self.max_sent_len, len(sentence))
        content = "\n".join("\t".join(map(str, row)) for row in sentence).encode()
        self._file.write(content)
        self._starts.append(self._starts[-1] + len(content))

    def _example(self, position: int) -> list[list[Any]]:
        start, end = self._starts[position], self._starts[position + 1]
        # Not seek and read: threads and forked processes share the position in the file.
        text = os.pread(self._file.fileno(), end - start, start).decode()
        rows = [line.split("\t") for line in text.split("\n")] if text else []
        return [[token, *map(int, tags)] for token, *tags in rows]

    def _examples(self, positions: Sequence[int]) -> list[list[list[Any]]]:
        return [self._example(position) for position in positions]


def _unquoted(cell: str) -> str:
    inside = cell[1:-1]
    if inside and cell[0] == cell[-1] == _QUOTE and _QUOTE not in inside.replace(_QUOTE * 2, ""):
        return inside.replace(_QUOTE * 2, _QUOTE)
    return cell
