"""A training script as users of AIToolbox write it; nothing in it knows of rapidfire-lab."""

import sys

import torch
from aitoolbox.cloud.AWS.model_load import PyTorchS3ModelLoader
from aitoolbox.experiment.experiment_saver import FullPyTorchExperimentS3Saver
from aitoolbox.experiment.local_experiment_saver import FullPyTorchExperimentLocalSaver
from aitoolbox.experiment.result_package.abstract_result_packages import AbstractResultPackage
from aitoolbox.experiment.training_history import TrainingHistory

root, bucket = sys.argv[1:]


class Agreement(AbstractResultPackage):
    def prepare_results_dict(self):
        return {"agreement": float((self.y_true == self.y_predicted).mean())}


net = torch.nn.Linear(4, 2)
optimizer = torch.optim.Adam(net.parameters())
history = TrainingHistory(has_validation=False)
for _epoch in range(2):
    loss = net(torch.ones(3, 4)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    history += {"loss": loss.item(), "accumulated_loss": loss.item()}

package = Agreement(pkg_name="agreement")
package.prepare_result_package([0, 1], [0, 0], hyperparameters={"lr": 0.001})
model = {
    "model_state_dict": net.state_dict(),
    "optimizer_state_dict": optimizer.state_dict(),
    "epoch": 2,
    "hyperparams": {"lr": 0.001},
}

local = FullPyTorchExperimentLocalSaver("demo", "run", local_model_result_folder_path=root)
for path in local.save_experiment(model, package, history, separate_files=True):
    print("local", path)

cloud = FullPyTorchExperimentS3Saver("demo", "run", bucket_name=bucket, local_model_result_folder_path=f"{root}/cloud")
model_path, results_path = cloud.save_experiment(model, package, history, experiment_timestamp="2026-01-31_07-57-38")
print("cloud", model_path, results_path)

loader = PyTorchS3ModelLoader(f"{root}/back", bucket_name=bucket)
loader.load_model("demo", "run", "2026-01-31_07-57-38", model_save_dir="model")
assert torch.equal(loader.init_model(torch.nn.Linear(4, 2)).weight, net.weight)
