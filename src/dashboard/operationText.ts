import { TranslationBundle } from '@jupyterlab/translation';

import { formatValue } from '../format';
import { IOperation } from '../tokens';

/** What the origin of an operation begins with that a policy of the user asked for. */
const POLICY = 'policy ';

/**
 * The word for an operation; one of a newer engine stands for itself.
 */
export function operationText(
  operation: string,
  trans: TranslationBundle
): string {
  switch (operation) {
    case 'add':
      return trans.__('Add');
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

/**
 * Who asked for an operation.
 */
export function askerText(origin: string, trans: TranslationBundle): string {
  if (origin === 'user') {
    return trans.__('by the user');
  }
  return origin.startsWith(POLICY)
    ? trans.__('by the policy %1', origin.slice(POLICY.length))
    : trans.__('by %1', origin);
}

/**
 * What an operation was to do, beyond its name: of a clone the changes, and how it begins.
 */
export function detailsText(
  operation: IOperation,
  trans: TranslationBundle
): string {
  const { warm_start, continue_position, ...rest } = operation.arguments;
  const start = continue_position
    ? trans.__('warm start, going on from there')
    : warm_start
      ? trans.__('warm start')
      : '';
  return [argumentsText(rest), start].filter(text => text).join(' ');
}

/** As they were asked for; what asks for nothing is left out. */
export function argumentsText(given: IOperation['arguments']): string {
  return Object.entries(given)
    .map(([name, value]) => [name, formatValue(value)])
    .filter(([, text]) => text !== '{}')
    .map(([name, text]) => `${name}=${text}`)
    .join(' ');
}
