"""``plots``: what trials of model templates have defined with ``logger.define_plot``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from jupyter_server.auth.decorator import authorized
from tornado import web

from rapidfire_lab.server.files import open_inside, run_plots
from rapidfire_lab.server.handler import RestHandler, experiment_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rapidfire_lab.journal import JournalReader

_MOST_BYTES = 1 << 20


class Plot(msgspec.Struct):
    """Some metrics by another one, or by the time, of the trials that have defined it so."""

    title: str
    metrics: list[str]
    x_axis: str | None = None
    run_ids: list[int] = []


class PlotsHandler(RestHandler):
    """The plots of an experiment."""

    @web.authenticated
    @authorized
    async def get(self, experiment: str) -> None:
        root, trials = await self.read(lambda journal: _find_trials(journal, experiment))
        self.answer({"plots": await self.look_at_files(lambda: read_plots(root, trials))})


def _find_trials(journal: JournalReader, name: str) -> tuple[Path, list[int]]:
    """Folder of an experiment, and the run ids of its trials."""
    # Imported here because model templates are not needed to start a Jupyter server.
    from rapidfire_lab.model.template import Template

    experiment = experiment_named(journal, name)
    tuned = {fit.id for fit in journal.fits(experiment.id) if Template.of_fit(fit.data)}
    runs = journal.runs(experiment.id) if tuned else []
    return Path(experiment.path), [run.run_id for run in runs if run.fit_id in tuned and run.status != "deleted"]


def read_plots(root: Path, trials: Iterable[int]) -> list[Plot]:
    """Plots of trials, in the order of their definition: those of the same title and x axis are one."""
    found: dict[tuple[str, str | None], Plot] = {}
    for run_id in trials:
        for own in _plots_of(root, run_id):
            plot = found.setdefault((own.title, own.x_axis), Plot(own.title, [], own.x_axis, []))
            plot.metrics += [name for name in dict.fromkeys(own.metrics) if name not in plot.metrics]
            if run_id not in plot.run_ids:
                plot.run_ids.append(run_id)
    return list(found.values())


def _plots_of(root: Path, run_id: int) -> Iterator[Plot]:
    try:
        with open_inside(root, run_plots(root, run_id)) as file:
            defined = msgspec.json.decode(file.read(_MOST_BYTES))
        yield from (msgspec.convert(plot, Plot) for plot in defined)
    except (OSError, ValueError, TypeError, RecursionError):
        return  # none yet, or none that could be drawn
