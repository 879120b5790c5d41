import { expect, test } from 'vitest';
import { chooseRenderer } from '../../src/output/index.ts';

test.each([
  ['a terminal gets the live view', undefined, true, {}, 'live'],
  ['a pipe gets lines', undefined, false, {}, 'plain'],
  ['CI gets lines', undefined, true, { CI: 'true' }, 'plain'],
  ['a dumb terminal gets lines', undefined, true, { TERM: 'dumb' }, 'plain'],
  ['--output wins', 'json', true, {}, 'json'],
  ['--output live wins over CI', 'live', true, { CI: 'true' }, 'live'],
  ['--output live without a terminal is lines', 'live', false, {}, 'plain'],
])('%s', (_what, asked, terminal, env, chosen) => {
  expect(chooseRenderer(asked, { terminal, env })).toBe(chosen);
});
