import { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';

import { explainError } from '../explain';
import { IRunDetail } from '../tokens';
import { favouriteField } from './cloneFields';
import { ICloneFormProps } from './cloneFormProps';
import { CloneModel } from './cloneModel';
import { fieldsInMessage, ICloneReading } from './cloneReading';
import { CloneSummary } from './CloneSummary';
import { focusKnob } from './focusKnob';
import { ICloneForm } from './formState';
import { KnobForm } from './KnobForm';
import { problemText } from './knobProblem';
import { WarmStart } from './WarmStart';

interface ICloneFormViewProps {
  model: CloneModel;
  parent: IRunDetail;
  form: ICloneForm;
  reading: ICloneReading;
  trans: TranslationBundle;
}

/**
 * The Clone-Modify form: the knobs in a part that scrolls, the summary below it.
 */
export function CloneForm(props: ICloneFormViewProps): JSX.Element {
  const { model, parent, form, reading, trans } = props;
  const root = React.useRef<HTMLDivElement>(null);
  React.useEffect(() => {
    // Once the parent is there: the dialog itself had only a spinner to focus.
    focusKnob(root.current, favouriteField(reading.fields).id);
  }, []);
  const { messages, refusal } = findMessages(props);
  const shared: ICloneFormProps = {
    form,
    fields: reading.fields,
    edit: change => model.edit(change),
    messages,
    changed: new Set(reading.diff.map(({ field }) => field.id)),
    siblings: model.siblings,
    trans
  };
  return (
    <div ref={root} className="jp-rf-CloneForm">
      <div className="jp-rf-CloneForm-knobs">
        <WarmStart
          parent={parent}
          form={form}
          edit={shared.edit}
          trans={trans}
        />
        <KnobForm {...shared} />
      </div>
      <CloneSummary
        {...shared}
        model={model}
        reading={reading}
        refusal={refusal}
        onShow={id => focusKnob(root.current, id)}
      />
    </div>
  );
}

/**
 * What is wrong, at the fields that it is about; the rest of it is the refusal.
 */
function findMessages({ model, reading, trans }: ICloneFormViewProps): {
  messages: Map<string, string>;
  refusal: string | null;
} {
  const messages = new Map<string, string>();
  for (const [id, problem] of reading.problems) {
    const field = reading.fields.find(field => field.id === id);
    const rules = field ?? ({ kind: 'integer' } as const);
    messages.set(id, problemText(problem, rules, trans));
  }
  const { check } = model;
  if (check.state !== 'refused') {
    return { messages, refusal: null };
  }
  const words = explainError(check.error, trans);
  for (const field of fieldsInMessage(words, reading)) {
    messages.set(field.id, words);
  }
  return { messages, refusal: words };
}
