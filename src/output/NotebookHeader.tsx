import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isActive } from '../runs';
import { EngineState, IRunActions, IRunService, IRunsModel } from '../tokens';

interface INotebookHeaderProps {
  service: IRunService;
  model: IRunsModel;
  actions: IRunActions;
  trans: TranslationBundle;
  experiment: string;
}

/**
 * Above a notebook's runs: whose they are, whether an engine trains them, and the way to more.
 */
export function NotebookHeader(props: INotebookHeaderProps): JSX.Element {
  const { service, model, actions, trans, experiment } = props;
  const isOnline = service.connection === 'online';
  const isInterrupted =
    service.engine === 'not running' && model.runs.some(isActive);
  return (
    <div className="jp-rf-Output-header">
      <span className="jp-rf-Output-title">{experiment}</span>
      {/* What is known while offline may be no longer true; the table says since when. */}
      {isOnline && (
        <span className="jp-rf-Output-engine" role="status">
          {engineText(service.engine, trans)}
        </span>
      )}
      {isOnline && isInterrupted && (
        <button
          type="button"
          className="jp-rf-Button"
          title={trans.__('The interrupted runs go on when it starts')}
          onClick={() => void actions.startEngine()}
        >
          {trans.__('Start engine')}
        </button>
      )}
      <button
        type="button"
        className="jp-rf-Button jp-rf-Output-dashboard"
        title={trans.__('Charts, logs and files of %1', experiment)}
        onClick={() => void actions.openDashboard(experiment)}
      >
        {trans.__('Open dashboard')}
      </button>
    </div>
  );
}

function engineText(engine: EngineState, trans: TranslationBundle): string {
  switch (engine) {
    case 'running':
      return trans.__('Engine running');
    case 'idle':
      return trans.__('Engine idle');
    case 'not running':
      return trans.__('Engine not running');
  }
}
