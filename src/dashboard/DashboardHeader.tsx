import { TranslationBundle } from '@jupyterlab/translation';
import { HTMLSelect, launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IRunActions } from '../shell/actions';
import { IExperiment, IRunService } from '../tokens';
import { DashboardEngine } from './DashboardEngine';

export interface IDashboardHeaderProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;

  /** The experiment that the user chose; null is the newest. */
  chosen: string | null;

  /** The experiment that this comes to. */
  shown: string | null;
  onChoose(experiment: string | null): void;
}

/**
 * Which experiment, how its engine is, and the way to MLflow.
 */
export function DashboardHeader(props: IDashboardHeaderProps): JSX.Element {
  const { service, actions, trans, chosen, shown, onChoose } = props;
  const id = React.useId();
  const known = service.experiments.find(one => one.name === shown);
  const mlflow = known ? service.mlflowUrl(known) : null;
  const isUnknown = chosen !== null && known === undefined;
  return (
    <header className="jp-rf-Header">
      <label htmlFor={id}>{trans.__('Experiment')}</label>
      <HTMLSelect
        id={id}
        className="jp-rf-Header-experiment"
        value={chosen ?? ''}
        onChange={event => onChoose(event.currentTarget.value || null)}
      >
        <option value="">
          {chosen === null && shown !== null
            ? trans.__('Newest: %1', shown)
            : trans.__('Newest')}
        </option>
        {isUnknown && <option value={chosen}>{chosen}</option>}
        {service.experiments.map(one => (
          <option key={one.name} value={one.name}>
            {choiceText(one, trans)}
          </option>
        ))}
      </HTMLSelect>
      <DashboardEngine service={service} actions={actions} trans={trans} />
      {mlflow !== null && (
        <a
          className="jp-rf-Header-mlflow"
          href={mlflow}
          target="_blank"
          rel="noopener noreferrer"
          title={trans.__('Open the experiment in MLflow, in a new tab')}
        >
          {trans.__('MLflow')}
          <launchIcon.react tag="span" width="14px" height="14px" />
        </a>
      )}
    </header>
  );
}

function choiceText(experiment: IExperiment, trans: TranslationBundle): string {
  const { name, runs, status } = experiment;
  return status === 'live'
    ? trans._n('%2 (%1 run, live)', '%2 (%1 runs, live)', runs, name)
    : trans._n('%2 (%1 run, ended)', '%2 (%1 runs, ended)', runs, name);
}
