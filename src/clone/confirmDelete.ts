import { Dialog, showDialog } from '@jupyterlab/apputils';
import { TranslationBundle } from '@jupyterlab/translation';

import { isActive } from '../runs';
import { IRun } from '../tokens';

/**
 * Ask whether runs are to be deleted, naming them and what is lost.
 */
export async function confirmDelete(
  experiment: string,
  runs: readonly IRun[],
  trans: TranslationBundle
): Promise<boolean> {
  if (!runs.length) {
    return false;
  }
  const { button } = await showDialog({
    title: question(experiment, runs, trans),
    body: warning(runs, trans),
    buttons: [
      Dialog.cancelButton({ label: trans.__('Cancel') }),
      Dialog.warnButton({
        label: trans._n('Delete', 'Delete %1 Runs', runs.length)
      })
    ],
    // Enter must not delete anything that cannot be had back.
    defaultButton: 0
  });
  return button.accept;
}

function question(
  experiment: string,
  runs: readonly IRun[],
  trans: TranslationBundle
): string {
  return runs.length === 1
    ? trans.__('Delete run %1 of %2?', runs[0].run_id, experiment)
    : trans.__('Delete %1 runs of %2?', runs.length, experiment);
}

function warning(runs: readonly IRun[], trans: TranslationBundle): string {
  const active = runs.filter(isActive);
  return [
    ...(runs.length > 1 ? [trans.__('Runs %1.', ids(runs))] : []),
    ...(active.length
      ? [
          trans._n(
            'Run %2 is still training and will be stopped.',
            'Runs %2 are still training and will be stopped.',
            active.length,
            ids(active)
          )
        ]
      : []),
    trans._n(
      'Its weights and checkpoints are lost for good; its log stays.',
      'Their weights and checkpoints are lost for good; their logs stay.',
      runs.length
    )
  ].join(' ');
}

function ids(runs: readonly IRun[]): string {
  return runs.map(run => run.run_id).join(', ');
}
