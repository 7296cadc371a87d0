import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { isActive } from '../runs';
import { IRunDetail } from '../tokens';
import { ICloneForm } from './formState';
import { Switch } from './Switch';

interface IWarmStartProps {
  parent: IRunDetail;
  form: ICloneForm;
  edit: (change: (form: ICloneForm) => ICloneForm) => void;
  trans: TranslationBundle;
}

/**
 * Whether the clone starts from the parent's weights, and then, whether where the parent stands.
 */
export function WarmStart(props: IWarmStartProps): JSX.Element {
  const { parent, form, edit, trans } = props;
  const { warmStart, continuePosition } = form;
  return (
    <div className="jp-rf-WarmStart">
      <Switch
        label={trans.__('Warm start')}
        note={warmText(parent, warmStart, trans)}
        checked={warmStart}
        disabled={!stepOf(parent)}
        onChange={warmStart => edit(form => ({ ...form, warmStart }))}
      />
      {warmStart && (
        <Switch
          label={positionText(parent, trans)}
          note={continueText(parent, continuePosition, trans)}
          checked={continuePosition}
          onChange={continuePosition =>
            edit(form => ({ ...form, continuePosition }))
          }
        />
      )}
    </div>
  );
}

/**
 * Minibatches after which the clone would begin. A run that trains commits on its way, so that it
 * is further when the clone is made; of one that failed, what it did after its commit is lost.
 */
function stepOf(parent: IRunDetail): number {
  return isActive(parent) ? parent.step : parent.committed_step;
}

function warmText(
  parent: IRunDetail,
  checked: boolean,
  trans: TranslationBundle
): string {
  const { run_id } = parent;
  const step = stepOf(parent);
  if (!step) {
    return trans.__(
      'Not possible yet: run %1 has no saved weights to start from.',
      run_id
    );
  }
  if (!checked) {
    return trans.__(
      'Start from the weights of run %1. Without it, the clone trains from scratch.',
      run_id
    );
  }
  return isActive(parent)
    ? trans._n(
        'The clone starts from the last saved weights of run %2, which has trained %1 minibatch by now.',
        'The clone starts from the last saved weights of run %2, which has trained %1 minibatches by now.',
        step,
        run_id
      )
    : trans._n(
        'The clone starts from the weights of run %2, after %1 minibatch.',
        'The clone starts from the weights of run %2, after %1 minibatches.',
        step,
        run_id
      );
}

function positionText(parent: IRunDetail, trans: TranslationBundle): string {
  return isActive(parent)
    ? trans.__('Continue where run %1 stands', parent.run_id)
    : trans.__(
        'Continue at epoch %1, after minibatch %2',
        parent.completed_epochs + 1,
        stepOf(parent)
      );
}

function continueText(
  parent: IRunDetail,
  checked: boolean,
  trans: TranslationBundle
): string {
  const { run_id, epochs, completed_epochs } = parent;
  if (completed_epochs >= epochs) {
    return trans._n(
      'Run %2 has trained its %1 epoch: to go on, the clone needs more epochs.',
      'Run %2 has trained all its %1 epochs: to go on, the clone needs more epochs.',
      epochs,
      run_id
    );
  }
  if (!checked) {
    return trans.__('Without it, the clone begins at its own first epoch.');
  }
  return isActive(parent)
    ? trans.__(
        'The clone goes on at the last commit of run %1: now in epoch %2, near minibatch %3.',
        run_id,
        completed_epochs + 1,
        stepOf(parent)
      )
    : trans.__(
        'The clone goes on with the minibatches that run %1 would have trained next.',
        run_id
      );
}
