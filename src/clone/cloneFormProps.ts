import { TranslationBundle } from '@jupyterlab/translation';

import { IRun } from '../tokens';
import { ICloneForm } from './formState';
import { IKnobField } from './knobFields';

/** What the parts of the Clone-Modify form share. */
export interface ICloneFormProps {
  form: ICloneForm;
  fields: readonly IKnobField[];
  edit: (change: (form: ICloneForm) => ICloneForm) => void;

  /** What is wrong with a field, by its id. */
  messages: ReadonlyMap<string, string>;

  /** Ids of the fields that differ from the parent's. */
  changed: ReadonlySet<string>;

  /** Other runs of the experiment, whose values are suggested. */
  siblings: readonly IRun[];
  trans: TranslationBundle;
}
