import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { createRig, type Rig } from './rig.ts';
import { oneChange, runbookOf } from './runbooks.ts';
import { recordsOf, writesOf } from './state.ts';

function own(steps: string): Rig {
  const rig = createRig();
  rig.write('own.yaml', runbookOf(steps));
  return rig;
}

const approval = `  - id: goAhead
    uses: approve
    with: {text: Shall it go on?}
  - id: after
    uses: note
    with: {text: went on}
`;

describe('approve', () => {
  test('waits with exit 10, is answered by whoever may, and the run goes on', async () => {
    const rig = own(approval);
    const waiting = await rig.run(['exec', 'own', '--yes']);
    expect(waiting.code).toBe(10);
    expect(waiting.stderr).toContain('Shall it go on?');
    expect(waiting.stderr).toMatch(/runbook approve \S+ goAhead --reason/);
    expect((await rig.run(['resume', 'last', '--yes'])).code).toBe(10);
    const approved = await rig.run(['approve', 'last', 'goAhead', '--reason', 'looked at it twice']);
    expect(approved.code).toBe(0);
    expect(recordsOf(rig, 'approved')).toMatchObject([
      {
        id: 'goAhead',
        reason: 'looked at it twice',
        actor: { osUser: expect.stringMatching(/./), host: expect.stringMatching(/./) },
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    ]);
    expect((await rig.run(['resume', 'last'])).code).toBe(0);
    const report = await rig.run(['report', 'last']);
    expect(report.stdout).toContain('looked at it twice');
  });

  test.each([
    [['approve', 'last', 'after', '--reason', 'x'], '"after" does not wait for an approval'],
    [['approve', 'last', 'goAhead'], 'an approval needs --reason'],
    [['approve', 'nosuchrun', 'goAhead', '--reason', 'x'], "there is no run 'nosuchrun'"],
  ])('%j is refused', async (args, why) => {
    const rig = own(approval);
    await rig.run(['exec', 'own']);
    const { code, stderr } = await rig.run(args);
    expect(stderr).toContain(why);
    expect(code).toBe(2);
    expect(recordsOf(rig, 'approved')).toEqual([]);
  });
});

test('a wait of days ends the process with exit 10, and resume before its time waits on', async () => {
  const rig = own(`  - id: days
    uses: wait
    with: {for: 2d}
  - id: after
    uses: note
    with: {text: went on}
`);
  const { code, stderr } = await rig.run(['exec', 'own']);
  expect(code).toBe(10);
  expect(stderr).toMatch(/runbook resume \S+/);
  expect((await rig.run(['resume', 'last'])).code).toBe(10);
  expect(recordsOf(rig, 'done').map(({ id }) => id)).not.toContain('after');
});

test('--mark-done takes the word of a human for it, with a reason that is kept', async () => {
  const rig = own(`  - id: fire
    uses: exec
    with: {command: [sh, -c, "touch begun; kill -9 $$"], effect: change, observe: {command: [sh, -c, "test -e begun && exit 9; exit 1"]}}
    timeout: 10s
  - id: after
    uses: note
    with: {text: went on}
`);
  expect((await rig.run(['exec', 'own'])).code).toBe(7);
  const without = await rig.run(['resume', 'last', '--mark-done', 'fire']);
  expect(without.stderr).toContain('--mark-done needs --reason');
  expect(without.code).toBe(2);
  const wrong = await rig.run(['resume', 'last', '--mark-done', 'after', '--reason', 'x']);
  expect(wrong.stderr).toContain('"after" is not where run');
  expect(wrong.code).toBe(2);
  const done = await rig.run(['resume', 'last', '--mark-done', 'fire', '--reason', 'did it at the console']);
  expect(done.code).toBe(0);
  expect((await rig.run(['report', 'last'])).stdout).toContain('did it at the console');
});

test.each([
  ['2020-01-01T00:00:00Z', 'the window closes now'],
  ['2026-01-05T09:01:02Z', 'the window closes in 2s'],
])('--window-end %s: no change is begun that could not be undone in time', async (end, why) => {
  const rig = createRig();
  rig.write('one-change.yaml', oneChange);
  const { code, stderr } = await rig.run(['exec', 'one-change', '--sandbox', '--yes', '--window-end', end]);
  expect(stderr).toContain(why);
  expect(writesOf(rig)).toEqual({});
  expect(code).not.toBe(0);
});

test('--window-end must be a time with a zone', async () => {
  const { code, stderr } = await createRig().run(['exec', 'restart-service', '--window-end', 'tomorrow']);
  expect(stderr).toContain('2026-11-22T06:00:00Z');
  expect(code).toBe(2);
});

test('--reason and --change stand in the report', async () => {
  const rig = createRig();
  rig.write('one-change.yaml', oneChange);
  const flags = ['--reason', 'monthly | <b>restart</b>', '--change', 'CHG-1042'];
  expect((await rig.run(['exec', 'one-change', '--sandbox', '--yes', ...flags])).code).toBe(0);
  const [markdown, html, json] = await Promise.all(
    ['markdown', 'html', 'json'].map((format) => rig.run(['report', 'last', '--format', format])),
  );
  expect(markdown?.stdout).toContain('CHG-1042');
  expect(html?.stdout).toContain('CHG-1042');
  expect(html?.stdout).toContain('&lt;b&gt;restart');
  expect(html?.stdout).not.toContain('<b>restart');
  expect(JSON.stringify(JSON.parse(json?.stdout ?? ''))).toContain('monthly | <b>restart</b>');
});

describe('--notify', () => {
  test('is given the event as JSON at every wait, failure and end', async () => {
    const rig = own(`${approval}  - id: bad
    uses: note
    with: {text: never}
    expect: outputs.text == "ever"
`);
    const told = path.join(rig.folder, 'told.jsonl');
    rig.write('tell.sh', `#!/bin/sh\ncat >> ${told}\n`);
    await rig.shell('chmod +x tell.sh; runbook exec own --notify ./tell.sh');
    await rig.run(['approve', 'last', 'goAhead', '--reason', 'yes']);
    await rig.run(['resume', 'last', '--notify', './tell.sh']);
    const events = readFileSync(told, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { runbook: string; event: { type: string; outcome?: string } });
    expect(events.map(({ event }) => event.outcome ?? event.type)).toEqual([
      'suspended',
      'waiting',
      'failed',
      'failed',
    ]);
    expect(new Set(events.map(({ runbook }) => runbook))).toEqual(new Set(['own']));
  });

  test('a program that is missing or fails is a warning, never the run', async () => {
    for (const program of ['./no-such-program', 'false']) {
      const rig = own('  - id: say\n    uses: note\n    with: {text: hi}\n');
      const { code, stderr } = await rig.run(['exec', 'own', '--notify', program]);
      expect(stderr).toMatch(/warning: .*(no-such-program|false)/);
      expect(code).toBe(0);
    }
  });
});
