import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IRunActions } from '../shell/actions';
import { EngineState, IRunService } from '../tokens';
import { StatusIcon } from './StatusIcon';

export interface IEngineLineProps {
  service: IRunService;
  actions: IRunActions;
  trans: TranslationBundle;
}

/**
 * Whether the engine runs, and the button that changes it.
 */
export function EngineLine(props: IEngineLineProps): JSX.Element {
  const { service, actions, trans } = props;
  const { engine, connection } = service;
  const [isBusy, setBusy] = React.useState(false);
  const isDown = engine === 'not running';
  const isAway = connection !== 'online';
  const toggle = async () => {
    if (isBusy || isAway) {
      return;
    }
    setBusy(true);
    try {
      await (isDown ? actions.startEngine() : actions.stopEngine());
    } finally {
      setBusy(false);
    }
  };
  return (
    <div className="jp-rf-EngineLine">
      <span
        className="jp-rf-Status"
        data-status={ICONS[engine]}
        title={engineCaption(engine, trans)}
      >
        <StatusIcon status={ICONS[engine]} />
        <span className="jp-rf-Status-word">{engineText(engine, trans)}</span>
      </span>
      <button
        type="button"
        className="jp-rf-Button"
        aria-disabled={isBusy || isAway}
        title={isAway ? trans.__('The server cannot be reached') : undefined}
        onClick={() => void toggle()}
      >
        {isDown ? trans.__('Start engine') : trans.__('Shut down engine')}
      </button>
    </div>
  );
}

const ICONS = {
  running: 'running',
  idle: 'completed',
  'not running': 'interrupted'
} as const;

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

function engineCaption(engine: EngineState, trans: TranslationBundle): string {
  switch (engine) {
    case 'running':
      return trans.__('It trains, whether this page is open or not');
    case 'idle':
      return trans.__('It has nothing to train and waits for runs');
    case 'not running':
      return trans.__('Nothing is trained; runs go on when it starts');
  }
}
