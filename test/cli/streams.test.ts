import { describe, expect, test } from 'vitest';
import { createRig } from './rig.ts';
import { oneChange, runbookOf } from './runbooks.ts';
import { recordsOf } from './state.ts';

const exec = ['exec', 'one-change', '--sandbox', '--yes'];
const run = `runbook ${exec.join(' ')}`;

describe('closed streams', () => {
  test.each([
    ['stdout closed', `${run} >&-`],
    ['stderr closed', `${run} 2>&-`],
    ['both closed', `${run} >&- 2>&-`],
    ['a reader that leaves', `${run} --output json | head -1; exit "\${PIPESTATUS[0]}"`],
    ['a reader of stderr that leaves', `${run} 2>&1 >/dev/null | head -1; exit "\${PIPESTATUS[0]}"`],
    ['a full device', `${run} >/dev/full 2>/dev/full`],
  ])('%s: the run comes to its end', async (_what, script) => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    const { code } = await rig.shell(script);
    expect(code).toBe(0);
    expect(recordsOf(rig, 'run-finished')).toMatchObject([{ outcome: 'done', exitCode: 0 }]);
  });

  test('a failure is told by the exit code all the same', async () => {
    const rig = createRig();
    rig.write('one-change.yaml', oneChange);
    const { code } = await rig.shell(`${run} --fault scale=error >&- 2>&-`);
    expect(code).toBe(4);
  });
});

test.each([{ NO_COLOR: '1' }, { TERM: 'dumb' }, { CI: 'true' }, { FORCE_COLOR: '1' }])(
  'the text is the same with %o',
  async (env) => {
    const [plain, other] = await Promise.all(
      [{}, env].map((more) => {
        const rig = createRig();
        rig.write('one-change.yaml', oneChange);
        return rig.run(exec, { env: more });
      }),
    );
    expect(other).toEqual(plain);
    expect(`${other?.stdout}${other?.stderr}`).not.toContain('\u001b');
  },
);

test('escapes of a program never reach the terminal, the files or the reports raw', async () => {
  const rig = createRig();
  rig.write(
    'own.yaml',
    `${runbookOf(`  - id: shout
    name: "Shout"
    uses: exec
    with: {command: [printf, '\\033]52;c;aGk=\\007\\033[2Jhello\\rFAKE\\n\\302\\233 31mred'], effect: read}
`)}outputs:
  said: "{{steps.shout.outputs.stdout}}"
`,
  );
  const done = await rig.run(['exec', 'own']);
  expect(done.code).toBe(0);
  expect(done.stdout).toContain('hello');
  const shown = await Promise.all(
    [['show'], ['report'], ['report', '--format', 'html'], ['report', '--format', 'json']].map(
      ([verb = '', ...more]) => rig.run([verb, 'last', ...more]),
    ),
  );
  for (const { stdout, stderr } of [done, ...shown])
    for (const raw of ['\u001b', '\u0007', '\r', '\u009b'])
      expect(`${stdout}${stderr}`.includes(raw), JSON.stringify(raw)).toBe(false);
});
