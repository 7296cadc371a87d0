import * as React from 'react';

import { IKnobField } from './knobFields';

interface IKnobChoicesProps {
  field: IKnobField;

  /** The chosen ones, separated by commas. */
  text: string;
  describedBy?: string;
  onChange: (text: string) => void;

  /** Names the group. */
  label: string;
}

/**
 * Several of a knob's choices: a checkbox for each.
 */
export function KnobChoices(props: IKnobChoicesProps): JSX.Element {
  const { field, text, describedBy, onChange, label } = props;
  const choices = field.choices ?? ['true', 'false'];
  const chosen = text.split(',').map(item => item.trim());
  // In the order of the choices, however they were clicked.
  const toggle = (choice: string) => {
    const others = choices.filter(item =>
      item === choice ? !chosen.includes(item) : chosen.includes(item)
    );
    onChange(others.join(', '));
  };
  return (
    <div
      className="jp-rf-Knob-choices"
      role="group"
      aria-label={label}
      aria-describedby={describedBy}
    >
      {choices.map(choice => (
        <label key={choice}>
          <input
            type="checkbox"
            className="jp-mod-styled"
            checked={chosen.includes(choice)}
            onChange={() => toggle(choice)}
          />
          {choice}
        </label>
      ))}
    </div>
  );
}
