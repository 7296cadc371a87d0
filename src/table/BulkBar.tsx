import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isLegal } from '../runs';
import { IRun, IRunActions, IRunsModel } from '../tokens';
import { handOver } from './handOver';
import { ACTION_ICONS } from './rowActions';

interface IBulkBarProps {
  /** The selected runs. */
  runs: readonly IRun[];
  model: IRunsModel;

  /** Why nothing can be done at present; null if it can. */
  blocked: string | null;
  experiment: string;
  actions: IRunActions;
  onClear: () => void;
  trans: TranslationBundle;
}

const BULK_ACTIONS = ['stop', 'resume', 'delete'] as const;

type BulkAction = (typeof BULK_ACTIONS)[number];

/**
 * What can be done with several runs at once; each button counts those that it is legal for.
 */
export function BulkBar(props: IBulkBarProps): JSX.Element {
  const { runs, model, blocked, experiment, actions, trans } = props;
  const keptFocus = useKeptFocus();
  const ready = runs.filter(run => model.pending(run.run_id) === null);
  return (
    <div
      {...keptFocus}
      className="jp-rf-BulkBar"
      role="group"
      aria-label={trans.__('Selected runs')}
    >
      <span className="jp-rf-BulkBar-count">
        {trans._n('%1 selected', '%1 selected', runs.length)}
      </span>
      {BULK_ACTIONS.map(action => {
        const Icon = ACTION_ICONS[action];
        const legal = ready.filter(run => isLegal(action, run));
        return legal.length ? (
          <button
            key={action}
            type="button"
            className={`jp-rf-Button${action === 'delete' ? ' jp-mod-danger' : ''}`}
            aria-disabled={blocked !== null}
            title={blocked ?? undefined}
            onClick={() => {
              if (blocked === null) {
                void actions[action](experiment, legal);
              }
            }}
          >
            <Icon.react tag="span" display="inline-flex" />
            {bulkLabel(action, legal.length, trans)}
          </button>
        ) : null;
      })}
      <button
        type="button"
        className="jp-rf-Button"
        onClick={event => {
          handOver(event.currentTarget, 'thead input');
          props.onClear();
        }}
      >
        {trans.__('Clear selection')}
      </button>
    </div>
  );
}

/**
 * Keep the focus in the bar when the button that has it goes, as nothing is legal for it any more.
 */
function useKeptFocus() {
  const bar = React.useRef<HTMLDivElement>(null);
  const hasFocus = React.useRef(false);
  React.useLayoutEffect(() => {
    const node = bar.current;
    if (
      hasFocus.current &&
      node?.ownerDocument.activeElement === document.body
    ) {
      node.querySelector<HTMLElement>('button:last-child')?.focus();
    }
  });
  return {
    ref: bar,
    // React is silent about the blur of a node that it takes away.
    onFocus: () => {
      hasFocus.current = true;
    },
    onBlur: () => {
      hasFocus.current = false;
    }
  };
}

function bulkLabel(
  action: BulkAction,
  count: number,
  trans: TranslationBundle
): string {
  switch (action) {
    case 'stop':
      return trans._n('Stop %1 run', 'Stop %1 runs', count);
    case 'resume':
      return trans._n('Resume %1 run', 'Resume %1 runs', count);
    case 'delete':
      return trans._n('Delete %1 run', 'Delete %1 runs', count);
  }
}
