import { IRunConfig } from '../../tokens';
import {
  droppedArguments,
  fieldsOf,
  isFree,
  siblingTexts
} from '../cloneFields';
import { cloneRequest, fieldsInMessage, readForm } from '../cloneReading';
import {
  addKnob,
  ICloneForm,
  IKnobInput,
  openForm,
  removeArgument,
  revert,
  setInput,
  setMode
} from '../formState';
import { IKnobField } from '../knobFields';
import { CONFIG, makeRun } from './clone';

function field(form: ICloneForm, id: string): IKnobField {
  const found = fieldsOf(form).find(field => field.id === id);
  if (!found) {
    throw new Error(`no field ${id}`);
  }
  return found;
}

function enter(
  form: ICloneForm,
  id: string,
  input: string | Partial<IKnobInput>
): ICloneForm {
  const change = typeof input === 'string' ? { text: input } : input;
  return setInput(form, field(form, id), change);
}

it('asks for the knobs of its model alone in a trial of a model template', () => {
  const knobs = { depth: 3, share: false };
  const parent = { ...CONFIG, train: {}, user_knobs: knobs };
  const form = openForm(parent);
  expect(fieldsOf(form).map(({ id }) => id)).toEqual([
    'user_knobs.depth',
    'user_knobs.share'
  ]);
  const reading = readForm(enter(form, 'user_knobs.depth', '5'));
  expect(reading.problems.size).toBe(0);
  expect(reading.changes).toEqual({ user_knobs: { depth: 5 } });
});

/** What the engine is asked for after some entries. */
function changes(entries: { [id: string]: string | Partial<IKnobInput> }) {
  const form = Object.entries(entries).reduce(
    (form, [id, input]) => enter(form, id, input),
    openForm(CONFIG)
  );
  return readForm(form).changes;
}

const LR = 'train.optimizer.args.lr';
const OPTIMIZER = 'train.optimizer.name';
const SCHEDULER = 'train.lr_scheduler.name';

describe('the fields of a config', () => {
  it('are typed by the values of the parent', () => {
    const kinds = Object.fromEntries(
      fieldsOf(openForm(CONFIG)).map(({ id, kind }) => [id, kind])
    );
    expect(kinds).toEqual({
      'train.epochs': 'integer',
      'train.batch_size': 'integer',
      'train.gradient_accumulation_steps': 'integer',
      'train.gradient_clip_norm': 'number',
      'train.precision': 'choice',
      'train.optimizer.name': 'text',
      'train.optimizer.args.lr': 'number',
      'train.optimizer.args.betas': 'json',
      'train.lr_scheduler.name': 'text',
      'train.lr_scheduler.interval': 'choice',
      'train.lr_scheduler.args.step_size': 'integer',
      'user_knobs.width': 'integer',
      'user_knobs.dropout': 'number',
      'user_knobs.augment': 'boolean',
      'user_knobs.activation': 'text',
      'user_knobs.layers': 'json',
      'user_knobs.seed': 'json',
      'user_knobs.api_key': 'text',
      'user_knobs.head.size': 'integer',
      'user_knobs.head.deep.bias': 'boolean',
      'user_knobs.service.url': 'text',
      'user_knobs.service.token': 'text',
      named_metrics: 'names'
    });
  });

  it('are without problem and without change at first', () => {
    const reading = readForm(openForm(CONFIG));
    expect([...reading.problems]).toEqual([]);
    expect(reading.diff).toEqual([]);
    expect(reading.changes).toEqual({});
    expect(reading.count).toBe(0);
  });

  it('suggest what other runs have', () => {
    const siblings = [0.01, 0.1, 0.01, null].map(lr =>
      makeRun({ knobs: { [LR]: lr } })
    );
    expect(siblingTexts(field(openForm(CONFIG), LR), siblings)).toEqual([
      '0.01',
      '0.1'
    ]);
  });
});

describe('the changes', () => {
  it('hold what differs and nothing else', () => {
    expect(
      changes({
        'train.batch_size': '64',
        'train.epochs': '5.0',
        [LR]: '3e-4',
        'user_knobs.augment': 'false'
      })
    ).toEqual({
      train: { batch_size: 64, optimizer: { args: { lr: 0.0003 } } },
      user_knobs: { augment: false }
    });
  });

  it('send a dict of the user as a whole, since the engine replaces it', () => {
    expect(changes({ 'user_knobs.head.deep.bias': 'true' })).toEqual({
      user_knobs: { head: { size: 4, deep: { bias: true } } }
    });
    expect(CONFIG.user_knobs.head).toEqual({ size: 4, deep: { bias: false } });
  });

  it('never hold what the server hides, nor what it belongs to', () => {
    const form = ['api_key', 'service.url', 'service.token'].reduce(
      (form, key) => enter(form, `user_knobs.${key}`, 'x'),
      openForm(CONFIG)
    );
    expect(readForm(form).changes).toEqual({});
  });

  it('bring an optimizer of another name with its arguments', () => {
    expect(changes({ [OPTIMIZER]: 'Adam', [LR]: '0.01' })).toEqual({
      train: {
        optimizer: { name: 'Adam', args: { lr: 0.01, betas: [0.9, 0.999] } }
      }
    });
  });

  it('leave out arguments that the new optimizer does not know', () => {
    const form = enter(openForm(CONFIG), OPTIMIZER, 'SGD');
    expect(droppedArguments(form, 'optimizer')).toEqual(['betas']);
    expect(readForm(form).changes).toEqual({
      train: { optimizer: { name: 'SGD', args: { lr: 0.001 } } }
    });
  });

  it('leave out arguments that the user removes', () => {
    const other = enter(openForm(CONFIG), OPTIMIZER, 'mine.Optimizer');
    const form = removeArgument(
      other,
      field(other, 'train.optimizer.args.betas')
    );
    expect(readForm(form).changes).toEqual({
      train: { optimizer: { name: 'mine.Optimizer', args: { lr: 0.001 } } }
    });
  });

  it('send null for a scheduler that is taken away', () => {
    expect(changes({ [SCHEDULER]: '' })).toEqual({
      train: { lr_scheduler: null }
    });
    expect(changes({ [SCHEDULER]: 'none' })).toEqual({
      train: { lr_scheduler: null }
    });
  });

  it('bring a scheduler that the parent lacks, once its arguments are there', () => {
    const parent: IRunConfig = {
      ...CONFIG,
      train: { ...CONFIG.train, lr_scheduler: null }
    };
    let form = enter(openForm(parent), SCHEDULER, 'CosineAnnealingLR');
    const id = 'train.lr_scheduler.args.T_max';
    expect([...readForm(form).problems.keys()]).toEqual([id]);
    form = enter(form, id, '5');
    expect(readForm(form).changes).toEqual({
      train: {
        lr_scheduler: {
          name: 'CosineAnnealingLR',
          args: { T_max: 5 },
          interval: 'epoch'
        }
      }
    });
  });

  it('merge into a scheduler of the same name', () => {
    expect(changes({ 'train.lr_scheduler.args.step_size': '3' })).toEqual({
      train: { lr_scheduler: { args: { step_size: 3 } } }
    });
    expect(changes({ 'train.lr_scheduler.interval': 'step' })).toEqual({
      train: { lr_scheduler: { interval: 'step' } }
    });
  });

  it('hold added knobs and arguments until they are removed', () => {
    let form = openForm(CONFIG);
    form = addKnob(form, { path: ['user_knobs', 'heads'], value: 8 });
    form = addKnob(form, {
      path: ['train', 'optimizer', 'args', 'weight_decay'],
      value: 0.1
    });
    expect(readForm(form).changes).toEqual({
      train: { optimizer: { args: { weight_decay: 0.1 } } },
      user_knobs: { heads: 8 }
    });
    expect(isFree(form, ['user_knobs'], 'heads')).toBe(false);
    expect(isFree(form, ['user_knobs'], 'head')).toBe(false);
    form = revert(form, field(form, 'user_knobs.heads'));
    expect(readForm(form).changes).not.toHaveProperty('user_knobs');
  });

  it('are none when a value is the same in other letters', () => {
    expect(changes({ [LR]: '1e-3', 'user_knobs.layers': '[1,2]' })).toEqual({});
  });

  it('replace the metrics', () => {
    expect(changes({ named_metrics: 'top1_accuracy, top5_accuracy' })).toEqual({
      named_metrics: ['top1_accuracy', 'top5_accuracy']
    });
  });
});

describe('several clones', () => {
  it('come from lists: all combinations', () => {
    let form = enter(openForm(CONFIG), 'user_knobs.width', {
      mode: 'list',
      list: '32, 64, 128'
    });
    form = enter(form, 'user_knobs.augment', {
      mode: 'list',
      list: 'true, false'
    });
    const reading = readForm(form);
    expect(reading.count).toBe(6);
    expect(cloneRequest(3, form, reading)).toEqual({
      operation: 'clone',
      run_ids: [3],
      changes: {
        user_knobs: {
          width: { $list: [32, 64, 128] },
          augment: { $list: [true, false] }
        }
      }
    });
  });

  it('are one where a list has one value', () => {
    expect(
      changes({ 'user_knobs.width': { mode: 'list', list: '32' } })
    ).toEqual({ user_knobs: { width: 32 } });
  });

  it('are drawn from ranges, as many as asked for', () => {
    let form = setMode(openForm(CONFIG), field(openForm(CONFIG), LR), 'range');
    form = { ...form, numRuns: '7', warmStart: true };
    const reading = readForm(form);
    expect(reading.count).toBe(7);
    expect(cloneRequest(3, form, reading)).toEqual({
      operation: 'clone',
      run_ids: [3],
      num_runs: 7,
      warm_start: true,
      changes: {
        train: {
          optimizer: {
            args: {
              lr: {
                $range: { start: 0.0001, end: 0.01, dtype: 'float', log: true }
              }
            }
          }
        }
      }
    });
    const none = readForm({ ...form, numRuns: '0' });
    expect(none.problems.get('num_runs')).toEqual({ code: 'runs' });
  });

  it('need a range that goes up, above 0 for a log one', () => {
    const problem = (input: Partial<IKnobInput>) =>
      readForm(
        enter(openForm(CONFIG), LR, { mode: 'range', ...input })
      ).problems.get(LR)?.code;
    expect(problem({ start: '1', end: '1' })).toBe('range');
    expect(problem({ start: '0', end: '1', log: true })).toBe('log');
    expect(problem({ start: '0', end: '' })).toBe('number');
    expect(problem({ start: '0.5', end: '2', whole: true })).toBe('integer');
    expect(problem({ start: '0', end: '1' })).toBeUndefined();
  });

  it('may have optimizers of several names, with what suits them all', () => {
    expect(
      changes({ [OPTIMIZER]: { mode: 'list', list: 'AdamW, SGD' } })
    ).toEqual({
      train: {
        optimizer: { name: { $list: ['AdamW', 'SGD'] }, args: { lr: 0.001 } }
      }
    });
  });
});

describe('a message of the engine', () => {
  const fields = fieldsOf(openForm(CONFIG));
  it.each([
    ["'train.optimizer.args.lr' must be above 0", LR],
    ["'named_metrics[0]' must be a name", 'named_metrics'],
    ["'train.optimizer.args' do not suit AdamW: lr", undefined],
    ["'train.optimizer' must be a dict", OPTIMIZER],
    ['The engine is busy.', undefined]
  ])('%s is about %s', (message, id) => {
    const [field] = fieldsInMessage(message, { fields, diff: [] });
    expect(field?.id).toBe(id);
  });

  it('about a whole part is about what was changed of it', () => {
    const [first, second] = fields.filter(({ id }) =>
      id.startsWith('train.optimizer.args.')
    );
    const other = fields.find(({ id }) => id === OPTIMIZER)!;
    const diff = [first, other].map(field => ({
      field,
      from: 1,
      to: { value: 2 }
    }));
    const message = "'train.optimizer.args' do not suit AdamW: lr";
    const found = fieldsInMessage(message, { fields, diff });
    expect(found).toEqual([first]);
    expect(found).not.toContain(second);
  });
});
