import * as React from 'react';

interface ISwitchProps {
  label: string;

  /** What it does, or why it cannot; read out with it. */
  note: string;
  checked: boolean;
  disabled?: boolean;
  onChange: (checked: boolean) => void;
}

/**
 * An option of the clones that is on or off.
 */
export function Switch(props: ISwitchProps): JSX.Element {
  const { label, note, checked, disabled, onChange } = props;
  const id = React.useId();
  return (
    <div className="jp-rf-Switch">
      <input
        id={id}
        type="checkbox"
        role="switch"
        className="jp-mod-styled"
        checked={checked}
        disabled={disabled}
        aria-describedby={`${id}-note`}
        onChange={event => onChange(event.target.checked)}
      />
      <label htmlFor={id}>{label}</label>
      <div id={`${id}-note`} className="jp-rf-Knob-note">
        {note}
      </div>
    </div>
  );
}
