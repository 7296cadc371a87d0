import { TranslationBundle } from '@jupyterlab/translation';

import { DashboardTab } from './dashboardState';

/** The words on a tab of the dashboard. */
export function tabLabel(tab: DashboardTab, trans: TranslationBundle): string {
  switch (tab) {
    case 'charts':
      return trans.__('Charts');
    case 'runs':
      return trans.__('Runs');
    case 'knobs':
      return trans.__('Knobs');
    case 'events':
      return trans.__('Experiment Log');
    case 'operations':
      return trans.__('Control Ops Log');
    case 'files':
      return trans.__('Files');
  }
}
