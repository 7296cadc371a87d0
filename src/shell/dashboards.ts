import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject, UUID } from '@lumino/coreutils';
import { SplitPanel, Widget } from '@lumino/widgets';

import type { DashboardWidget } from '../dashboard/Dashboard';
import { logoIcon } from '../icons';
import { IRunActions, IRunService } from '../tokens';

/** No name of an experiment has a colon. */
const NEWEST = ':newest';

/** A dashboard in the main area. */
export type DashboardTab = MainAreaWidget<DashboardWidget>;

/** Enough to open a dashboard again as it was. */
interface IDashboardArgs {
  /** Name of the experiment; null follows the newest. */
  experiment: string | null;
  state?: ReadonlyPartialJSONObject;
}

export namespace Dashboards {
  export interface IOptions {
    shell: JupyterFrontEnd.IShell;
    service: IRunService;
    actions: IRunActions;
    trans: TranslationBundle;

    /** Areas of the shell to try, the first that takes the dashboard wins. */
    areas: readonly string[];
  }
}

/**
 * The dashboards of a page, at most one per experiment.
 */
export class Dashboards {
  constructor(private readonly _options: Dashboards.IOptions) {}

  readonly tracker = new WidgetTracker<DashboardTab>({
    namespace: 'rapidfire-lab-dashboard'
  });

  /**
   * Show the dashboard of an experiment. One whose experiment is gone says so itself.
   */
  async open(args: IDashboardArgs): Promise<DashboardTab> {
    const { shell } = this._options;
    const found = this._find(args.experiment);
    const tab = found ?? (await this._create(args));
    shell.activateById(tab.id);
    if (!found) {
      makeRoom(tab);
    }
    return tab;
  }

  /** What opens a dashboard again: of the experiment that the user chose in it since. */
  argsOf(tab: DashboardTab): ReadonlyPartialJSONObject {
    const { experiment, state } = tab.content;
    // Plain JSON, though interfaces cannot say so.
    return { experiment, state: state as object as ReadonlyPartialJSONObject };
  }

  /** The restorer keeps one entry per name. */
  nameOf(tab: DashboardTab): string {
    return tab.content.experiment ?? NEWEST;
  }

  private _find(experiment: string | null): DashboardTab | undefined {
    const { experiments } = this._options.service;
    return (
      this._findOf(experiment) ??
      (experiment === null && experiments.length
        ? this._findOf(experiments[0].name)
        : undefined)
    );
  }

  private _findOf(experiment: string | null): DashboardTab | undefined {
    return this.tracker.find(tab => tab.content.experiment === experiment);
  }

  private async _create(args: IDashboardArgs): Promise<DashboardTab> {
    const { actions, service, trans } = this._options;
    // Loaded when it is first needed: the page starts without it.
    const { DashboardWidget } = await import('../dashboard/Dashboard');
    // Who pressed the button twice gets one tab.
    const found = this._find(args.experiment);
    if (found) {
      return found;
    }
    const content = new DashboardWidget({
      ...args,
      actions,
      onStateChange: () => void this.tracker.save(tab),
      service,
      trans
    });
    content.title.icon = logoIcon;
    const tab: DashboardTab = new MainAreaWidget({ content });
    tab.id = `rapidfire-lab-dashboard-${UUID.uuid4()}`;
    const saved = this.tracker.add(tab);
    this._place(tab);
    await saved;
    return tab;
  }

  private _place(tab: DashboardTab): void {
    const { areas, shell } = this._options;
    for (const area of areas) {
      shell.add(tab, area);
      // With one area alone there is nothing else to try.
      if (areas.length === 1 || tab.parent) {
        return;
      }
    }
  }
}

/**
 * Give a tab below the document half of the height: the shell of Notebook 7 gives it none.
 */
function makeRoom(tab: Widget): void {
  for (let panel = tab.parent; panel; panel = panel.parent) {
    // One above the other are the document and what is below it; the dock of JupyterLab is another.
    if (panel instanceof SplitPanel && panel.orientation === 'vertical') {
      const isBelow = panel.widgets[panel.widgets.length - 1].contains(tab);
      if (isBelow && panel.widgets.length === 2) {
        panel.setRelativeSizes([1, 1]);
      }
      return;
    }
  }
}
