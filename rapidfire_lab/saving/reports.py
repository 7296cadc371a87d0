"""The training history as pictures and tables. matplotlib is loaded when something is drawn (extra ``plots``)."""

from __future__ import annotations

import csv
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from rapidfire_lab.saving.folder import SavedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rapidfire_lab.saving.training_history import TrainingHistory

_SIZE = (10, 8)
_BINS = 50
_PLAIN_PNG = {"Software": None}
"""The same history gives the same file, whatever the version of matplotlib."""

Paths = list[list[str]]
Item = TypeVar("Item")


class _Plotter:
    """Pictures of several things, each in a file or all in one."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def _report(self, draw: Callable[[], Iterator[tuple[str, Any]]], name: str, file_format: str) -> Paths:
        files = SavedFiles(self._folder.parent, protect=False)
        paths = self._write(draw, name, file_format, files)
        files.commit()
        return paths

    def _write(
        self, draw: Callable[[], Iterator[tuple[str, Any]]], name: str, file_format: str, files: SavedFiles
    ) -> Paths:
        if file_format == "png":
            return [self._png(f"{name}/{title}.png", figure, files) for title, figure in draw()]
        if file_format == "pdf":
            path = files.write(f"{self._folder.name}/{name}.pdf", partial(_write_pdf, draw))
            return [[path.name, str(path)]]
        raise ValueError(f"file_format must be png or pdf, not {file_format}")

    def _png(self, key: str, figure: Any, files: SavedFiles) -> list[str]:
        save = partial(figure.savefig, format="png", metadata=_PLAIN_PNG)
        return [key, str(files.write(f"{self._folder.name}/{key}", save))]


def _write_pdf(draw: Callable[[], Iterator[tuple[str, Any]]], path: Path) -> None:
    from matplotlib.backends.backend_pdf import PdfPages

    with PdfPages(path, metadata={"CreationDate": None}) as pages:
        for _, figure in draw():
            pages.savefig(figure)


class TrainingHistoryPlotter(_Plotter):
    """Draws each metric with two values or more over the epochs, into the folder of the results."""

    def __init__(self, experiment_results_local_path: str) -> None:
        super().__init__(experiment_results_local_path)
        self.experiment_results_local_path = experiment_results_local_path

    def generate_report(
        self, training_history: TrainingHistory, plots_folder_name: str = "plots", file_format: str = "png"
    ) -> Paths:
        """Draw ``png`` files into a folder, or one ``pdf``; return pairs of the path below the results, and the path.

        Raises
        ------
        ImportError
            When matplotlib is not installed.
        """
        return self._report(partial(self.generate_plots, training_history), plots_folder_name, file_format)

    def write(self, training_history: TrainingHistory, files: SavedFiles) -> Paths:
        """The same as part of a save, which goes without plots where matplotlib is missing."""
        try:
            return self._write(partial(self.generate_plots, training_history), "plots", "png", files)
        except ImportError as error:
            print(f"the training history is not drawn: {error}")
            return []

    @staticmethod
    def generate_plots(training_history: TrainingHistory) -> Iterator[tuple[str, Any]]:
        for name, values in training_history.get_train_history_dict(flatten_dict=True).items():
            if len(values) > 1:
                yield _file_name(name), TrainingHistoryPlotter.plot_performance_curve(name, values)

    @staticmethod
    def plot_performance_curve(metric_name: str, result_history: Sequence[float]) -> Any:
        """A figure of one metric, epochs counted from 0."""
        figure, axes = _figure()
        axes.plot(range(len(result_history)), result_history, marker="o")
        axes.set_xlabel("Epoch")
        axes.set_ylabel(metric_name)
        best, worst = int(np.argmax(result_history)), int(np.argmin(result_history))
        extremes = f"largest {result_history[best]} (epoch {best}), smallest {result_history[worst]} (epoch {worst})"
        axes.set_title(f"{metric_name}\n{extremes}")
        return figure


class GradientPlotter(_Plotter):
    """Draws the distribution of each layer's gradients."""

    def __init__(self, experiment_grad_results_local_path: str) -> None:
        super().__init__(experiment_grad_results_local_path)
        self.experiment_grad_results_local_path = experiment_grad_results_local_path

    def generate_report(
        self, model_layer_gradients: Sequence[Any], grad_plots_folder_name: str = "grad_plots", file_format: str = "png"
    ) -> Paths:
        """Draw ``layer_<number>.png`` files into a folder, or one ``pdf``; a layer without gradients has none."""
        draw = partial(self._named, model_layer_gradients)
        return self._report(draw, grad_plots_folder_name, file_format)

    @staticmethod
    def _named(model_layer_gradients: Sequence[Any]) -> Iterator[tuple[str, Any]]:
        for name, figure in GradientPlotter.generate_dist_plots(model_layer_gradients):
            yield f"layer_{name}", figure

    @staticmethod
    def generate_dist_plots(
        model_layer_gradients: Sequence[Any], layer_names: Sequence[str] | None = None
    ) -> Iterator[tuple[Any, Any]]:
        for number, gradients in enumerate(model_layer_gradients):
            name = number if layer_names is None else layer_names[number]
            if gradients is None:
                print(f"layer {name} has no gradients")
            else:
                yield name, GradientPlotter.plot_gradient_distribution(gradients, name)

    @staticmethod
    def plot_gradient_distribution(gradients: Any, layer_name: Any) -> Any:
        """A figure of one layer's gradients (any shape)."""
        values = np.ravel(np.asarray(gradients))
        figure, axes = _figure()
        axes.hist(values, bins=_BINS, density=True)
        axes.set_xlabel("Gradient")
        axes.set_title(f"Gradients of layer {layer_name}\nmean {values.mean()}, standard deviation {values.std()}")
        return figure


def _figure() -> tuple[Any, Any]:
    """A figure that no window shows and no registry keeps."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ImportError("plots need matplotlib; install it: pip install 'rapidfire-lab[plots]'") from None
    figure = Figure(figsize=_SIZE)
    FigureCanvasAgg(figure)
    return figure, figure.add_subplot()


def _file_name(metric: str) -> str:
    """A metric's name as the name of one file."""
    return metric.replace("/", "_").replace("\\", "_")


class TrainingHistoryWriter:
    """Appends the last values of all metrics to a file that people read."""

    def __init__(self, experiment_results_local_path: str) -> None:
        self.experiment_results_local_path = experiment_results_local_path
        self.metric_name_cols: list[str] | None = None

    def generate_report(
        self,
        training_history: TrainingHistory,
        epoch: int,
        file_name: str,
        results_folder_name: str = "",
        file_format: str = "txt",
    ) -> tuple[str, str]:
        """Append an epoch as ``txt``, ``tsv`` or ``csv``; return the path inside of the results, and the path.

        In a table, a line ``NEW_METRICS_DETECTED`` and a new heading come where the set of metrics changes.
        """
        if file_format not in ("txt", "tsv", "csv"):
            raise ValueError(f"file_format must be txt, tsv or csv, not {file_format}")
        folder = Path(self.experiment_results_local_path) / (results_folder_name or "")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / file_name
        if file_format == "txt":
            self.write_txt(training_history, epoch, str(path))
        else:
            self.write_csv_tsv(training_history, epoch, str(path), "\t" if file_format == "tsv" else ",")
        return str(Path(results_folder_name or "") / file_name), str(path)

    @staticmethod
    def write_txt(training_history: TrainingHistory, epoch: int, file_path: str) -> None:
        rule = "=" * 28
        lines = [f"{name}:\t{value}" for name, value in _last_values(training_history).items()]
        with Path(file_path).open("a", encoding="utf-8") as file:
            file.write("\n".join([rule, f"Epoch: {epoch}", rule, *lines]) + "\n\n\n")

    def write_csv_tsv(self, training_history: TrainingHistory, epoch: int, file_path: str, delimiter: str) -> None:
        values = _last_values(training_history)
        rows: list[list[Any]] = []
        if self.metric_name_cols is None or set(values) != set(self.metric_name_cols):
            rows = [["NEW_METRICS_DETECTED"]] if self.metric_name_cols is not None else []
            self.metric_name_cols = list(values)
            rows.append(["Epoch", *self.metric_name_cols])
        rows.append([epoch, *(values[name] for name in self.metric_name_cols)])
        with Path(file_path).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)


def _last_values(training_history: TrainingHistory) -> dict[str, Any]:
    history = training_history.get_train_history_dict(flatten_dict=True)
    return {name: values[-1] for name, values in history.items() if values}
