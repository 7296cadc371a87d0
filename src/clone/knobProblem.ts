import { TranslationBundle } from '@jupyterlab/translation';

import { IKnobRules, KnobProblem } from './knobValues';

/**
 * Say what a field expects.
 */
export function problemText(
  problem: KnobProblem,
  rules: IKnobRules,
  trans: TranslationBundle
): string {
  switch (problem.code) {
    case 'number':
      return rules.nullable
        ? trans.__('Write a number such as 0.5 or 3e-4, or nothing for none.')
        : trans.__('Write a number such as 0.001 or 3e-4.');
    case 'integer':
      return trans.__('Write a whole number such as 32.');
    case 'large':
      return trans.__('This number is too large.');
    case 'positive':
      return trans.__('Write a number above 0.');
    case 'minimum':
      return trans.__('Write %1 or more.', rules.minimum);
    case 'json':
      return trans.__('Write JSON: 0.5, true, null, "text" or [1, 2].');
    case 'list':
      return trans.__('Write a JSON list of values: [1, 2].');
    case 'empty':
      return trans.__('A value is missing.');
    case 'duplicate':
      return trans.__('One value is there twice; leave one out.');
    case 'choice':
      return trans.__('Choose among %1.', problem.choices.join(', '));
    case 'range':
      return trans.__('The start has to be below the end.');
    case 'log':
      return trans.__('A log range needs a start above 0.');
    case 'runs':
      return trans.__('Write how many clones to draw, 1 or more.');
  }
}
