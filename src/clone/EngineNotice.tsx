import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunService } from '../tokens';

interface IEngineNoticeProps {
  service: IRunService;
  trans: TranslationBundle;
}

/**
 * Says that there is no engine to make clones, and starts it.
 */
export function EngineNotice(props: IEngineNoticeProps): JSX.Element | null {
  const { service, trans } = props;
  const [isStarting, setStarting] = React.useState(false);
  const [problem, setProblem] = React.useState<unknown>(null);
  if (service.engine !== 'not running') {
    return null;
  }
  const start = () => {
    setStarting(true);
    setProblem(null);
    service
      .startEngine()
      .catch(setProblem)
      .finally(() => setStarting(false));
  };
  return (
    <div role="status" className="jp-rf-EngineNotice">
      {problem
        ? explainError(problem, trans)
        : trans.__(
            'The engine is not running. Start it to make the clone; what you have entered stays.'
          )}{' '}
      <button
        type="button"
        className="jp-rf-Clone-link"
        disabled={isStarting}
        onClick={start}
      >
        {isStarting ? trans.__('Starting…') : trans.__('Start the engine')}
      </button>
    </div>
  );
}
