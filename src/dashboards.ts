import { JupyterFrontEnd } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject, UUID } from '@lumino/coreutils';

import { IRunActions } from './actions';
import type { DashboardWidget } from './components/Dashboard';
import { logoIcon } from './icons';
import { IRunService } from './tokens';

/** A dashboard in the main area. */
export type DashboardTab = MainAreaWidget<DashboardWidget>;

/** Enough to open a dashboard again as it was. */
export interface IDashboardArgs {
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
   * Show the dashboard of an experiment, also of one that is gone: it says so itself.
   */
  async open(args: IDashboardArgs): Promise<DashboardTab> {
    const { shell } = this._options;
    const tab = this._find(args.experiment) ?? (await this._create(args));
    shell.activateById(tab.id);
    return tab;
  }

  /** What opens a dashboard again. */
  argsOf(tab: DashboardTab): IDashboardArgs {
    return this._args.get(tab) ?? { experiment: null };
  }

  private _find(experiment: string | null): DashboardTab | undefined {
    const newest = this._options.service.experiments[0]?.name;
    return (
      this.tracker.find(tab => this.argsOf(tab).experiment === experiment) ??
      this.tracker.find(
        tab => experiment === null && this.argsOf(tab).experiment === newest
      )
    );
  }

  private async _create(args: IDashboardArgs): Promise<DashboardTab> {
    const { actions, service, trans } = this._options;
    const { experiment, state } = args;
    // Loaded when it is first needed: the page starts without it.
    const { DashboardWidget } = await import('./components/Dashboard');
    // Somebody may have been as quick.
    const found = this._find(experiment);
    if (found) {
      return found;
    }
    const content = new DashboardWidget({
      actions,
      experiment,
      onStateChange: changed => {
        this._args.set(tab, { experiment, state: changed });
        void this.tracker.save(tab);
      },
      service,
      state,
      trans
    });
    const tab: DashboardTab = new MainAreaWidget({ content });
    tab.id = `rapidfire-lab-dashboard-${UUID.uuid4()}`;
    tab.title.label = experiment ?? trans.__('RapidFire Lab');
    tab.title.caption = experiment
      ? trans.__('RapidFire Lab: the runs of %1', experiment)
      : trans.__('RapidFire Lab: the runs of the newest experiment');
    tab.title.icon = logoIcon;
    tab.title.closable = true;
    this._args.set(tab, args);
    this._add(tab);
    await this.tracker.add(tab);
    return tab;
  }

  private _add(tab: DashboardTab): void {
    const { areas, shell } = this._options;
    for (const area of areas) {
      shell.add(tab, area);
      if (areas.length === 1 || tab.parent) {
        return;
      }
    }
  }

  private readonly _args = new WeakMap<DashboardTab, IDashboardArgs>();
}
