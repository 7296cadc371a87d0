import { expect, test as galata } from '@jupyterlab/galata';
import type { IJupyterLabPageFixture } from '@jupyterlab/galata';
import type { ConsoleMessage, Locator, Page } from '@playwright/test';

export { expect };

/** Code of a cell that trains two configs, by default for much longer than a journey takes. */
export function train(experiment: string, epochs = 1000): string {
  return [
    'import os, sys',
    'sys.path.insert(0, os.environ["RAPIDFIRE_LAB_JOURNEYS"])',
    'from journey import SPEC, group, points',
    'from rapidfire_lab import Experiment',
    `experiment = Experiment(SPEC, "${experiment}")`,
    `experiment.run_fit(points(), group(epochs=${epochs}))`
  ].join('\n');
}

/** A notebook file with these cells. */
export function notebook(sources: string[]): object {
  return {
    cells: sources.map(source => ({
      cell_type: 'code',
      source,
      metadata: {},
      outputs: [],
      execution_count: null
    })),
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3' } },
    nbformat: 4,
    nbformat_minor: 4
  };
}

/**
 * What JupyterLab itself, without us, writes to the console as errors.
 */
const NOT_OURS = [
  // Galata's server has no such services.
  /api\/(metrics|resource-usage)/,
  // The name that a notebook had before it was given its own.
  /404 .*\/api\/contents\/.*Untitled\.ipynb/,
  // Kernels that a journey restarts or shuts down on purpose.
  /WebSocket connection to .*\/api\/(kernels|events|terminals)/,
  /Kernel: .*(dead|unknown|restart)/i,
  /Canceled future for/
];

/**
 * Galata's test, which fails when the page wrote an error to its console.
 */
export const test = galata.extend<{ consoleErrors: string[] }>({
  consoleErrors: [
    async ({ page }, use) => {
      const errors = watchConsole(page);
      await use(errors);
      expect(errors, 'errors in the console').toEqual([]);
    },
    { auto: true }
  ]
});

/** Collect what a page writes to its console as errors, but for what is not ours. */
export function watchConsole(page: Page | IJupyterLabPageFixture): string[] {
  const errors: string[] = [];
  const add = (text: string) => {
    if (!NOT_OURS.some(known => known.test(text))) {
      errors.push(text);
    }
  };
  page.on('pageerror', error => add(error.message));
  page.on('console', (message: ConsoleMessage) => {
    if (message.type() === 'error') {
      add(`${message.text()} ${message.location().url}`);
    }
  });
  return errors;
}

type Anywhere = Page | IJupyterLabPageFixture | Locator;

/** A run table: in the sidebar, the dashboard or a cell's output. */
export class Runs {
  constructor(private readonly _where: Anywhere) {}

  get table(): Locator {
    return this._where.getByRole('table', { name: 'Runs', exact: true });
  }

  /** The row of a run: the one with its progress bar. */
  row(runId: number): Locator {
    const page = 'page' in this._where ? this._where.page() : this._where;
    return this.table.getByRole('row').filter({ has: bar(page, runId) });
  }

  progressBar(runId: number): Locator {
    return bar(this._where, runId);
  }

  button(action: string, runId: number): Locator {
    return this.table.getByRole('button', {
      name: `${action} run ${runId}`,
      exact: true
    });
  }

  async press(action: string, runId: number): Promise<void> {
    await this.button(action, runId).click();
  }

  /** Wait until a run's row says a status. */
  async says(runId: number, status: string): Promise<void> {
    await expect(this.row(runId)).toContainText(status);
  }

  /** Percent of a run that is done. */
  async progress(runId: number): Promise<number> {
    const bar = this.progressBar(runId).first();
    return Number(await bar.getAttribute('aria-valuenow'));
  }

  /** Wait until a run has come further than it is now. */
  async moves(runId: number): Promise<void> {
    const text = async () =>
      `${await this.progress(runId)} ${await this.row(runId).innerText()}`;
    const before = await text();
    await expect.poll(text, { message: `run ${runId} moves` }).not.toBe(before);
  }
}

function bar(where: Anywhere, runId: number): Locator {
  const name = `Progress of run ${runId}`;
  return where.getByRole('progressbar', { name, exact: true });
}

/** The sidebar of RapidFire Lab, opened where it is not. */
export async function openSidebar(page: Page): Promise<Locator> {
  const tab = page.getByRole('tab', { name: /RapidFire Lab/ });
  if ((await tab.getAttribute('aria-selected')) !== 'true') {
    await tab.click();
  }
  const sidebar = page.getByRole('region', { name: 'RapidFire Lab' });
  await expect(sidebar).toBeVisible();
  return sidebar;
}

/** Run the notebook's first cell and leave it busy. */
export async function startCell(
  page: IJupyterLabPageFixture,
  notebook: string,
  code: string
): Promise<Locator> {
  await page.notebook.createNew(notebook);
  await page.notebook.setCell(0, 'code', code);
  await page.notebook.selectCells(0);
  await page.keyboard.press('Control+Enter');
  return page.locator('.jp-Notebook .jp-OutputArea').first();
}

/** Whether the notebook's first cell is still running. */
export async function isBusy(page: Page): Promise<void> {
  await expect(page.locator('.jp-InputPrompt').first()).toHaveText('[*]:');
}

/** Stop every run of an experiment, so that the next journey has the slots to itself. */
export async function cancelAll(page: Page, experiment: string): Promise<void> {
  const address = `/rapidfire-lab/api/experiments/${experiment}/ops`;
  const response = await page.request.post(address, {
    data: { operation: 'cancel', request_id: `${Math.random()}` }
  });
  expect([202, 404, 503]).toContain(response.status());
}

/** Folder of the engine behind the page's server. */
export async function engineHome(page: Page): Promise<string> {
  const response = await page.request.get('/rapidfire-lab/api/engine');
  return (await response.json()).home;
}

/** Reload the page once the workspace, to which it comes back, is saved. */
export async function reload(page: IJupyterLabPageFixture): Promise<void> {
  const saved = page.waitForResponse(
    response =>
      response.url().includes('/api/workspaces/') &&
      response.request().method() === 'PUT'
  );
  // A change of the layout has it saved, soon.
  await page.evaluate(async () => {
    await window.jupyterapp.commands.execute('application:toggle-right-area');
    await window.jupyterapp.commands.execute('application:toggle-right-area');
  });
  await saved;
  // Galata would wait for the launcher, which is not what comes back.
  await page.reload({ waitForIsReady: false } as object);
}
