import { TranslationBundle } from '@jupyterlab/translation';

import { IRunActions, IRunService, IRunsModel } from '../tokens';
import { IDashboardState } from './dashboardState';

/** What every tab of the dashboard is given. */
export interface IPanelProps {
  service: IRunService;
  model: IRunsModel;
  actions: IRunActions;
  trans: TranslationBundle;
  state: IDashboardState;

  /** Change some of the state. */
  setState(change: Partial<IDashboardState>): void;

  /** Name of the model's experiment, which is there. */
  experiment: string;
}
