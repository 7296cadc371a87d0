import { readReference } from '../runsReference';

const BUNDLE = {
  experiment: 'flowers',
  run_ids: [1, 2],
  home_key: 'key',
  api_level: 2
};

describe('readReference', () => {
  it('reads what the kernel writes', () => {
    expect(readReference(BUNDLE)).toEqual({
      experiment: 'flowers',
      runIds: [1, 2],
      homeKey: 'key',
      apiLevel: 2
    });
    expect(readReference({ ...BUNDLE, run_ids: null })?.runIds).toBeNull();
  });

  it.each([
    [undefined],
    [null],
    ['flowers'],
    [[BUNDLE]],
    [{}],
    [{ ...BUNDLE, experiment: '' }],
    [{ ...BUNDLE, experiment: 3 }],
    [{ ...BUNDLE, run_ids: 'all' }],
    [{ ...BUNDLE, run_ids: [1, 'two'] }],
    [{ ...BUNDLE, run_ids: [1.5] }],
    [{ ...BUNDLE, home_key: null }],
    [{ ...BUNDLE, api_level: '2' }]
  ])('takes %j for no reference', data => {
    expect(readReference(data)).toBeNull();
  });
});
