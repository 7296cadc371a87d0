import { TranslationBundle } from '@jupyterlab/translation';
import { launchIcon } from '@jupyterlab/ui-components';
import * as React from 'react';

import { IRunActions, IRunService } from '../tokens';
import { EngineLine } from '../widgets/EngineLine';
import { ExperimentPicker } from '../widgets/ExperimentPicker';

interface IDashboardHeaderProps {
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
  return (
    <header className="jp-rf-Header">
      <label htmlFor={id}>{trans.__('Experiment')}</label>
      <ExperimentPicker
        id={id}
        experiments={service.experiments}
        value={chosen}
        onChange={onChoose}
        trans={trans}
      />
      <EngineLine
        service={service}
        actions={actions}
        trans={trans}
        variant="header"
      />
      {mlflow !== null && (
        <a
          className="jp-rf-Header-mlflow"
          href={mlflow}
          target="_blank"
          rel="noopener noreferrer"
          title={trans.__('Open MLflow, in a new tab')}
        >
          {trans.__('MLflow')}
          <launchIcon.react tag="span" width="14px" height="14px" />
        </a>
      )}
    </header>
  );
}
