import { TranslationBundle } from '@jupyterlab/translation';

/**
 * The word for an operation; one of a newer engine stands for itself.
 */
export function operationText(
  operation: string,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'stop':
      return trans.__('Stop');
    case 'resume':
      return trans.__('Resume');
    case 'delete':
      return trans.__('Delete');
    case 'clone':
      return trans.__('Clone');
    case 'cancel':
      return trans.__('Stop all');
    default:
      return operation;
  }
}
