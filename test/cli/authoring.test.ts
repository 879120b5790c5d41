import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createRig } from './rig.ts';

const page = readFileSync(
  path.join(path.dirname(path.dirname(import.meta.dirname)), 'docs', 'authoring.md'),
  'utf8',
);
const [, runbook = ''] = /```yaml\n(# yaml-language-server[\s\S]*?)\n```/.exec(page) ?? [];

function rigWithIt() {
  const rig = createRig();
  rig.write('tune-invocation.yaml', `${runbook}\n`);
  return rig;
}

test('the runbook of the page is valid, without a warning', async () => {
  const { code, stdout } = await rigWithIt().run(['validate', 'tune-invocation']);
  expect(stdout).toBe('tune-invocation.yaml is valid\n');
  expect(code).toBe(0);
});

test('it plans and runs on the sandbox to its end, and rolls back', async () => {
  const rig = rigWithIt();
  const planned = await rig.run(['plan', 'tune-invocation', '--sandbox']);
  expect(planned.stdout).toMatch(/~ level {2}Log at level debug/);
  expect(planned.code, planned.stderr).toBe(0);
  const run = await rig.run(['exec', 'tune-invocation', '--sandbox', '--yes']);
  expect(run.code, run.stderr).toBe(0);
  expect(run.stdout).toMatch(/^before: 1$/m);
  const back = await rig.run(['rollback', 'last', '--yes']);
  expect(back.code, back.stderr).toBe(5);
});

test('what the page says of the rehearsal is what it shows', async () => {
  const { code, stdout } = await rigWithIt().run(['rehearse', 'tune-invocation']);
  expect(stdout).toMatch(/^scale +ok +ok +ok +ok +ok$/m);
  expect(stdout).toMatch(/^restarted\/restart\/rolling +ok +ok +ok +kept +kept$/m);
  expect(code).toBe(0);
});

test('every command of the page exists', async () => {
  const commands = [...page.matchAll(/^runbook ([a-z]+)/gm)].map(([, name]) => name ?? '');
  expect(commands.length).toBeGreaterThan(4);
  for (const name of new Set(commands)) {
    const { code } = await createRig().run([name, '--help']);
    expect(code, name).toBe(0);
  }
});

test('the page names every type of input', () => {
  const schema = JSON.parse(
    readFileSync(
      path.join(path.dirname(path.dirname(import.meta.dirname)), 'schemas', 'runbook.schema.json'),
      'utf8',
    ),
  ) as { definitions: { input: { properties: { type: { enum: string[] } } } } };
  for (const type of schema.definitions.input.properties.type.enum) expect(page).toContain(`\`${type}\``);
});
