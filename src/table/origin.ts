import { TranslationBundle } from '@jupyterlab/translation';

import { IRun, IRunDetail } from '../tokens';

/**
 * Which run a clone comes from and what it began with, as far as it is known: rows are without the
 * place.
 */
export function originText(
  run: IRun | IRunDetail,
  trans: TranslationBundle
): string {
  const { parent, warm_start } = run;
  if (!warm_start) {
    return trans.__('Cloned from run %1', parent);
  }
  if (!('parent_step' in run) || run.parent_step === null) {
    return trans.__('Cloned from run %1, warm start', parent);
  }
  return run.continue_position
    ? trans.__(
        'Cloned from run %1 at step %2, going on from there',
        parent,
        run.parent_step
      )
    : trans.__(
        'Cloned from run %1 at step %2, warm start',
        parent,
        run.parent_step
      );
}
