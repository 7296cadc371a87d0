import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

interface IWarmStartProps {
  runId: number;

  /** Minibatches that the parent has trained. */
  step: number;
  checked: boolean;
  onChange: (checked: boolean) => void;
  trans: TranslationBundle;
}

/**
 * Whether the clone goes on from the parent's weights.
 */
export function WarmStart(props: IWarmStartProps): JSX.Element {
  const { runId, step, checked, onChange, trans } = props;
  const id = React.useId();
  const explanation = !step
    ? trans.__(
        'Not possible yet: run %1 has not trained, so it has no weights to start from.',
        runId
      )
    : checked
      ? trans._n(
          'The clone starts from the weights of run %2, after %1 minibatch.',
          'The clone starts from the weights of run %2, after %1 minibatches.',
          step,
          runId
        )
      : trans.__(
          'Start from the weights of run %1. Without it, the clone trains from scratch.',
          runId
        );
  return (
    <div className="jp-rf-WarmStart">
      <input
        id={id}
        type="checkbox"
        role="switch"
        className="jp-mod-styled"
        checked={checked}
        disabled={!step}
        aria-describedby={`${id}-note`}
        onChange={event => onChange(event.target.checked)}
      />
      <label htmlFor={id}>{trans.__('Warm start')}</label>
      <div id={`${id}-note`} className="jp-rf-Knob-note">
        {explanation}
      </div>
    </div>
  );
}
