"""A report, to be looked at in a notebook, printed or saved."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfire_lab.errors import OperationError
from rapidfire_lab.files import write_private
from rapidfire_lab.report.page import body, page
from rapidfire_lab.report.words import plain_text

if TYPE_CHECKING:
    from collections.abc import Collection

    from rapidfire_lab.report.findings import Findings


class Report:
    """What ``Experiment.report`` gives: a notebook shows it, ``print`` prints it.

    Attributes
    ----------
    findings
        What it tells, as data.
    """

    def __init__(self, findings: Findings, top: int = 10) -> None:
        self.findings = findings
        self._top = top
        self._made = time.strftime("%Y-%m-%d %H:%M:%S %Z").strip()

    @property
    def best(self) -> list[int]:
        """Run ids, the best first."""
        return [row.run_id for row in self.findings.ranked]

    def __str__(self) -> str:
        return plain_text(self.findings, self._top, self._made)

    __repr__ = __str__

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, str]:
        del include, exclude  # IPython chooses among all itself
        return {"text/html": body(self.findings, self._top, self._made), "text/plain": str(self)}

    def save(self, path: str | Path) -> Path:
        """Write the report as one HTML file that only its owner can read, and give its absolute path.

        Raises
        ------
        OperationError
            When the file cannot be written, naming it and the cause.
        """
        target = Path(path).expanduser().absolute()
        try:
            if target.is_dir():
                raise IsADirectoryError(f"it is a folder; name a file in it, as in {target / 'report.html'}")
            write_private(target, page(self.findings, self._top, self._made).encode())
        except OSError as error:
            message = f"The report cannot be written to {target}: {error.strerror or error}."
            raise OperationError(message) from error
        return target
