import { expect, test } from 'vitest';
import { chooseRenderer } from '../../src/output/index.ts';

test.each([
  ['a terminal gets the live view', undefined, true, {}, 'live'],
  ['a pipe gets lines', undefined, false, {}, 'plain'],
  ['CI gets lines', undefined, true, { CI: 'true' }, 'plain'],
  ['a dumb terminal gets lines', undefined, true, { TERM: 'dumb' }, 'plain'],
  ['--output wins', 'json', true, {}, 'json'],
])('%s', (_what, asked, terminal, env, chosen) => {
  expect(chooseRenderer(asked, { terminal, env })).toBe(chosen);
});
