import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { IRunActions, IRunService, IRunsModel } from '../tokens';
import { ConnectionLine } from '../widgets/ConnectionLine';
import { useChanges } from '../widgets/useChanges';
import { RunPanel } from './RunPanel';
import { completeState, IRunTableState } from './tableState';

export type { IRunTableState } from './tableState';

export interface IRunTableProps {
  service: IRunService;
  model: IRunsModel;
  actions: IRunActions;
  trans: TranslationBundle;

  /** Only these runs and their clones; all by default. */
  runIds?: readonly number[];

  /** Narrow or wide: which columns there are by default, and how rows look. */
  variant: 'sidebar' | 'wide';

  /** Whether the owner says itself how the connection is. */
  hidesConnection?: boolean;

  /** Sort order, filter and columns, where the owner keeps them. */
  state?: IRunTableState;
  onStateChange?: (state: IRunTableState) => void;

  /** Told the run ids that are selected and shown. */
  onSelect?: (runIds: number[]) => void;
}

/**
 * The runs of an experiment, live, with everything that can be done with them.
 */
export function RunTable(props: IRunTableProps): JSX.Element {
  const { service, model, state: kept, onStateChange } = props;
  useChanges(service.changed);
  useChanges(model.changed);
  const [own, setOwn] = React.useState<IRunTableState>(kept ?? {});
  const present = kept ?? own;
  const state = React.useMemo(() => completeState(present), [present]);
  const change = (part: IRunTableState) => {
    const next = { ...state, ...part };
    setOwn(next);
    onStateChange?.(next);
  };
  return (
    <div className={`jp-rf-RunTable jp-mod-${props.variant}`}>
      {!props.hidesConnection && (
        <ConnectionLine service={service} trans={props.trans} />
      )}
      {/* Run ids count from 1 in each experiment: nothing stays selected in another one. */}
      <RunPanel
        key={model.experiment ?? ''}
        {...props}
        state={state}
        onChange={change}
      />
    </div>
  );
}
