import { expect, notebook, openSidebar, Runs, test } from '../lab';

const TUNING = `
import tempfile
from rapidfire_lab import Experiment
from rapidfire_lab.model import BaseModel, FloatKnob, logger

class Curve(BaseModel):
    @staticmethod
    def get_knob_config():
        return {"level": FloatKnob(0.0, 1.0)}

    def __init__(self, **knobs):
        super().__init__(**knobs)
        self.level = knobs["level"]

    def train(self, dataset_path, **kwargs):
        logger.define_plot("Losses by epoch", ["loss"], x_axis="epoch")
        for epoch in range(1, 6):
            logger.log(loss=self.level / epoch, epoch=epoch)

    def evaluate(self, dataset_path):
        return self.level

    def predict(self, queries):
        return [self.level for _ in queries]

    def dump_parameters(self):
        return {"level": self.level}

    def load_parameters(self, params):
        self.level = params["level"]

data = tempfile.mkdtemp()
Experiment(None, "templates").tune(Curve, "OTHER", data, data, budget={"MODEL_TRIAL_COUNT": 3})
`;

test('trials of a model template are runs, and its plots are drawn', async ({
  page,
  tmpPath
}) => {
  await page.setViewportSize({ width: 1440, height: 900 });
  const path = `${tmpPath}/templates.ipynb`;
  await page.contents.uploadContent(
    JSON.stringify(notebook([TUNING.trim()])),
    'text',
    path
  );
  await page.notebook.openByPath(path);
  await page.notebook.runCell(0);
  const runs = new Runs(await openSidebar(page));
  for (const trial of [1, 2, 3]) {
    await runs.says(trial, 'completed');
  }
  await page.getByRole('button', { name: 'Open dashboard' }).first().click();
  const plot = page.getByRole('region', { name: 'Chart of Losses by epoch' });
  await expect(plot).toBeVisible();
  await plot.getByRole('button', { name: /table/ }).click();
  await expect(plot.getByRole('row')).toHaveCount(4);
});
