import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunActions } from '../shell/actions';
import { EngineState, IRunService } from '../tokens';

export interface IDashboardEngineProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;
}

/**
 * How the engine is, or why that is not known, and a way to start one that is not running.
 */
export function DashboardEngine(props: IDashboardEngineProps): JSX.Element {
  const { service, actions, trans } = props;
  const { connection, engine } = service;
  const isLost = connection === 'offline' || connection === 'unavailable';
  return (
    <div
      className="jp-rf-DashboardEngine"
      data-state={isLost ? 'lost' : engine}
    >
      <span className="jp-rf-DashboardEngine-dot" aria-hidden="true" />
      <span role="status">
        {isLost
          ? explainError(service.problem, trans)
          : connection === 'connecting'
            ? trans.__('Connecting…')
            : engineText(engine, trans)}
      </span>
      {connection === 'online' && engine === 'not running' && (
        <button
          type="button"
          className="jp-rf-Dashboard-button"
          onClick={() => void actions.startEngine()}
        >
          {trans.__('Start engine')}
        </button>
      )}
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
