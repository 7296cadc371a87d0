import * as React from 'react';

import { ICloneFormProps } from './cloneFormProps';
import { CloneModel } from './cloneModel';
import { ICloneReading, NUM_RUNS } from './cloneReading';
import { CloneStatus } from './CloneStatus';
import { ConfigDiff } from './ConfigDiff';
import { EngineNotice } from './EngineNotice';
import { fieldName } from './knobFields';

interface ICloneSummaryProps extends ICloneFormProps {
  model: CloneModel;
  reading: ICloneReading;

  /** What the engine says against it all, where it names no field. */
  refusal: string | null;
  onShow: (fieldId: string) => void;
}

/**
 * What stays in view below the fields: the diff, how many clones, and what is in the way.
 */
export function CloneSummary(props: ICloneSummaryProps): JSX.Element {
  const { model, reading, refusal, messages, onShow, trans } = props;
  const wrong = reading.fields.filter(({ id }) => messages.has(id));
  return (
    <section
      className="jp-rf-CloneSummary"
      aria-label={trans.__('What the clone changes')}
    >
      <EngineNotice service={model.service} trans={trans} />
      {wrong.length > 0 && (
        <p className="jp-rf-CloneSummary-wrong">
          {trans.__('To correct:')}{' '}
          {wrong.map(field => (
            <button
              key={field.id}
              type="button"
              className="jp-rf-Clone-link"
              aria-label={trans.__('Go to %1', fieldName(field))}
              onClick={() => onShow(field.id)}
            >
              {fieldName(field)}
            </button>
          ))}
        </p>
      )}
      {/* Always there: a region that comes with its text is not read out. */}
      <div role="alert" className="jp-rf-CloneSummary-refusal">
        {refusal}
      </div>
      {(reading.diff.length > 0 || !messages.size) && (
        <ConfigDiff
          diff={reading.diff}
          isWarm={props.form.warmStart}
          trans={trans}
        />
      )}
      {reading.isDrawn && <CloneCount {...props} />}
      <CloneStatus check={model.check} trans={trans} />
    </section>
  );
}

/** How many clones to draw from the ranges. */
function CloneCount(props: ICloneSummaryProps): JSX.Element {
  const { form, edit, messages, trans } = props;
  const id = React.useId();
  const message = messages.get(NUM_RUNS);
  return (
    <div className="jp-rf-CloneCount" data-rf-knob={NUM_RUNS}>
      <label htmlFor={id}>{trans.__('Clones to draw')}</label>
      <input
        id={id}
        type="text"
        inputMode="numeric"
        className="jp-mod-styled"
        autoComplete="off"
        value={form.numRuns}
        aria-invalid={message ? true : undefined}
        aria-describedby={message ? `${id}-note` : undefined}
        onChange={event => {
          const numRuns = event.target.value;
          edit(form => ({ ...form, numRuns }));
        }}
      />
      {message && (
        <span id={`${id}-note`} className="jp-rf-Knob-problem">
          {message}
        </span>
      )}
    </div>
  );
}
