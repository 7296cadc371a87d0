import { TranslationBundle } from '@jupyterlab/translation';
import { ReadonlyPartialJSONObject } from '@lumino/coreutils';

/** Schema of the arguments of a command that concerns one experiment. */
export function experimentSchema(trans: TranslationBundle) {
  return {
    type: 'object',
    properties: {
      experiment: {
        type: 'string',
        description: trans.__('Name of the experiment; the newest by default.')
      }
    }
  };
}

/** Schema of the arguments of a command that concerns runs of one experiment. */
export function runsSchema(trans: TranslationBundle) {
  const { type, properties } = experimentSchema(trans);
  return {
    type,
    properties: {
      ...properties,
      run_ids: {
        type: 'array',
        items: { type: 'integer' },
        description: trans.__('Ids of the runs; without them, a dialog asks.')
      }
    }
  };
}

/** The experiment that the arguments of a command name; null for the newest. */
export function experimentIn(args: ReadonlyPartialJSONObject): string | null {
  const { experiment } = args;
  return typeof experiment === 'string' && experiment ? experiment : null;
}
