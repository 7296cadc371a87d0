"""Scripts of other packages, unmodified, in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rapidfire_lab.compat import bridge
from tests.storage.conftest import aws, bucket, clients, proxy, running_proxy, s3_port  # noqa: F401 - fixtures

SCRIPT = Path(__file__).parent / "aitoolbox_script.py"
TEMPLATE = Path(__file__).parent / "rafiki_template.py"


def run(*arguments, cwd=None):
    return subprocess.run([sys.executable, *map(str, arguments)], capture_output=True, text=True, cwd=cwd, check=False)


def test_a_script_runs_when_asked_for(aws, bucket, tmp_path):  # noqa: F811
    finished = run("-m", "rapidfire_lab.compat", SCRIPT, tmp_path, bucket)
    assert finished.returncode == 0, finished.stderr
    lines = [line.split() for line in finished.stdout.splitlines() if line.startswith(("local", "cloud"))]
    local = [Path(line[1]).relative_to(tmp_path).as_posix() for line in lines if line[0] == "local"]
    folder = "/".join(local[0].split("/")[:2])
    assert folder.startswith("demo/run_20")
    name = folder.removeprefix("demo/")
    assert local == [
        f"{folder}/model/model_{name}.pth",
        *(f"{folder}/results/{kind}_{name}.p" for kind in ("results", "hyperparams", "train_history")),
        *(f"{folder}/results/plots/{metric}.png" for metric in ("loss", "accumulated_loss")),
    ]
    key = f"{bucket}/demo/run_2026-01-31_07-57-38"
    assert lines[-1] == [
        *("cloud", f"{key}/model/model_run_2026-01-31_07-57-38.pth"),
        f"{key}/results/results_hyperParams_hist_run_2026-01-31_07-57-38.p",
    ]


def test_a_script_does_not_run_unasked(tmp_path):
    finished = run(SCRIPT, tmp_path, "bucket")
    assert "No module named 'aitoolbox'" in finished.stderr
    finished = run("-c", "import rapidfire_lab.saving, rapidfire_lab.compat, aitoolbox")
    assert "No module named 'aitoolbox'" in finished.stderr


def test_what_is_installed_goes_first(tmp_path):
    (tmp_path / "aitoolbox").mkdir()
    (tmp_path / "aitoolbox" / "__init__.py").write_text("import sys\nprint('the real one', __name__)\n")
    (tmp_path / "script.py").write_text(
        "import sys\nfrom rapidfire_lab.compat import bridge\nassert 'aitoolbox' not in bridge()\nimport aitoolbox\n"
    )
    finished = run(tmp_path / "script.py")
    assert (finished.returncode, finished.stdout) == (0, "the real one aitoolbox\n"), finished.stderr


def test_what_is_not_bridged_is_named(tmp_path):
    names = ["aitoolbox", "rafiki", "singa_auto"]
    program = f"from rapidfire_lab.compat import bridge\nassert bridge() == bridge() == {names}\n"
    finished = run("-c", program + "import aitoolbox.torchtrain")
    assert "aitoolbox.torchtrain is not bridged" in finished.stderr
    finished = run("-c", program + "from aitoolbox.experiment.training_history import Nothing")
    assert "cannot import name 'Nothing'" in finished.stderr
    finished = run("-c", program + "import aitoolbox.experiment as e; e.nothing")
    assert "has no attribute 'nothing'" in finished.stderr
    with pytest.raises(ValueError, match="there is no bridge for numpy"):
        bridge(["numpy"])


@pytest.mark.parametrize("package", ["rafiki", "singa_auto"])
def test_a_model_file_runs_when_asked_for(package, tmp_path):
    for name, rows in (("train", 40), ("validation", 10)):
        sizes = range(10, 10 + 7 * rows, 7)
        lines = ["size,price", *(f"{size},{size * 3}" for size in sizes)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    model = tmp_path / "model.py"
    model.write_text(TEMPLATE.read_text().replace("rafiki", package))
    before = sorted(tmp_path.iterdir())
    finished = run("-m", "rapidfire_lab.compat", model, tmp_path, "--neighbours=1", cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "trained" in finished.stdout + finished.stderr
    assert sorted(tmp_path.iterdir()) == before
    assert f"No module named '{package}'" in run(model, tmp_path).stderr


def test_a_star_takes_what_is_public():
    program = (
        "from rapidfire_lab.compat import bridge\nbridge()\nbefore = set(globals())\n"
        "from aitoolbox.cloud.AWS.model_save import *\nfrom aitoolbox.experiment.training_history import *\n"
        "from aitoolbox.cloud import *\nfrom rafiki.model import *\nfrom rafiki.constants import *\n"
        "from aitoolbox.cloud.AWS.simple_email_service import *\n"
        "wanted = {'PyTorchS3ModelSaver', 'KerasS3ModelSaver', 'TrainingHistory', 's3_available_options', 'BaseModel', "
        "'FixedKnob', 'ModelDependency'}\n"
        "taken = set(globals()) - before\nassert wanted < taken, wanted - taken\n"
        "assert not {'Path', 'Any', 'TYPE_CHECKING', 'annotations', 'NoMail'} & taken, taken\n"
        "assert callable(PyTorchS3ModelSaver)\n"
    )
    finished = run("-c", program)
    assert finished.returncode == 0, finished.stderr


def test_a_script_that_could_send_mail_runs_until_it_does():
    program = (
        "from rapidfire_lab.compat import bridge\nbridge()\n"
        "from aitoolbox.cloud.AWS.simple_email_service import SESSender\nprint('so far')\n"
        "SESSender('me', 'me@example.com', 'you@example.com', 'eu-west-1')\n"
    )
    finished = run("-c", program)
    assert finished.stdout == "so far\n"
    assert "NoMailError: rapidfire-lab sends no mail" in finished.stderr


def test_modules_that_share_a_name_with_an_object(tmp_path):
    program = (
        "from rapidfire_lab.compat import bridge\nbridge()\n"
        "from rafiki.model import utils, dataset, IntegerKnob\n"
        "from rafiki.model.knob import CategoricalKnob\nfrom rafiki.model.model import BaseModel\n"
        "from rafiki.model.utils import logger\nimport rapidfire_lab.model as ours\n"
        "assert (utils, dataset, logger, BaseModel) == (ours.utils, ours.dataset, ours.logger, ours.BaseModel)\n"
        "from rafiki.model.dataset import DatasetUtils\nassert ours.utils is utils and ours.dataset is dataset\n"
    )
    finished = run("-c", program, cwd=tmp_path)
    assert finished.returncode == 0, finished.stderr


def test_the_command_is_python_to_its_script(tmp_path):
    (tmp_path / "helper.py").write_text("answer = 42\n")
    (tmp_path / "script.py").write_text(
        "import sys, helper\nprint(__name__, sys.argv[1:], helper.answer)\nsys.exit(7)\n"
    )
    finished = run("-m", "rapidfire_lab.compat", tmp_path / "script.py", "--a", "b")
    assert (finished.returncode, finished.stdout) == (7, "__main__ ['--a', 'b'] 42\n")
    assert run("-m", "rapidfire_lab.compat").returncode == 2
    assert "there is no script" in run("-m", "rapidfire_lab.compat", tmp_path / "none.py").stderr
