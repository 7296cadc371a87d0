import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { KnobValue } from '../tokens';
import { problemText } from './knobProblem';
import { parseJSON } from './knobValues';

interface IAddKnobProps {
  /** What the button says. */
  label: string;

  /** Whether a name is not taken yet. */
  isFree: (name: string) => boolean;
  onAdd: (name: string, value: KnobValue) => void;
  trans: TranslationBundle;
}

/**
 * A button that turns into a row for the name and the value of a new knob.
 *
 * Enter adds the knob and Escape closes the row: the dialog leaves both keys to it.
 */
export function AddKnob(props: IAddKnobProps): JSX.Element {
  const { label, isFree, onAdd, trans } = props;
  const id = React.useId();
  const opener = React.useRef<HTMLButtonElement>(null);
  const [isOpen, setOpen] = React.useState(false);
  const [name, setName] = React.useState('');
  const [text, setText] = React.useState('');
  const [problem, setProblem] = React.useState<string | null>(null);
  const isLeft = React.useRef(true);
  React.useEffect(() => {
    if (!isOpen && !isLeft.current) {
      opener.current?.focus();
      isLeft.current = true;
    }
  }, [isOpen]);

  const close = () => {
    setOpen(false);
    setName('');
    setText('');
    setProblem(null);
  };
  const add = () => {
    const parsed = parseJSON(text.trim());
    if (!name.trim()) {
      setProblem(trans.__('The name is missing.'));
    } else if (!isFree(name.trim())) {
      setProblem(trans.__('There is a knob %1 already.', name.trim()));
    } else if ('problem' in parsed) {
      setProblem(problemText(parsed.problem, { kind: 'json' }, trans));
    } else {
      onAdd(name.trim(), parsed.value);
      close();
    }
  };

  if (!isOpen) {
    return (
      <button
        ref={opener}
        type="button"
        className="jp-rf-Clone-link"
        onClick={() => {
          isLeft.current = false;
          setOpen(true);
        }}
      >
        {label}
      </button>
    );
  }
  const marks = {
    className: 'jp-mod-styled',
    type: 'text',
    autoComplete: 'off',
    spellCheck: false,
    'aria-describedby': problem ? `${id}-note` : undefined
  } as const;
  return (
    <div
      className="jp-rf-AddKnob"
      role="group"
      aria-label={label}
      onBlur={event => {
        const next = event.relatedTarget;
        // What was typed counts also where the next click is on the button that makes the clone.
        if (next && !event.currentTarget.contains(next) && name && text) {
          isLeft.current = true;
          add();
        }
      }}
      onFocus={() => {
        isLeft.current = false;
      }}
      onKeyDown={event => {
        if (event.key === 'Escape') {
          close();
        } else if (
          event.key === 'Enter' &&
          event.target instanceof HTMLInputElement
        ) {
          event.preventDefault();
          add();
        }
      }}
    >
      <input
        {...marks}
        aria-label={trans.__('Name')}
        placeholder={trans.__('name')}
        autoFocus
        value={name}
        onChange={event => setName(event.target.value)}
      />
      <input
        {...marks}
        aria-label={trans.__('Value as JSON')}
        placeholder={trans.__('value: 0.5, true, "text"')}
        value={text}
        onChange={event => setText(event.target.value)}
      />
      <button type="button" className="jp-rf-Clone-link" onClick={add}>
        {trans.__('Add')}
      </button>
      <button type="button" className="jp-rf-Clone-link" onClick={close}>
        {trans.__('Discard')}
      </button>
      {problem && (
        <div id={`${id}-note`} role="alert" className="jp-rf-Knob-problem">
          {problem}
        </div>
      )}
    </div>
  );
}
