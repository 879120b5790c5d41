import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { cli, createRig, type Rig } from '../cli/rig.ts';
import { given, inItsWorld, names } from './shipped.ts';

const plans = path.join(import.meta.dirname, 'plans');

/** Cells of the matrix besides the one of the golden: the runbook's other ways. */
const otherWays: readonly (readonly [string, ...string[]])[] = [
  ['restart-service', 'service=openbao'],
  ['restart-service', 'service=nats'],
  ['restart-service', 'service=cassandra'],
  ['restart-namespace', 'namespace=vault-system'],
  ['take-offline', 'service=nats', 'acceptOutage=true'],
  [
    'spot-upgrade',
    'service=cassandra',
    'version=0.20.2',
    'reuse=true',
    'acceptStateful=true',
    'acceptJobs=true',
  ],
  ['spot-upgrade', 'service=notary', 'version=1.5.0', 'reuse=true', 'step=minor'],
];

async function planOf(rig: Rig, name: string): Promise<string> {
  const world = await inItsWorld(name, rig);
  const { code, stdout, stderr } = await rig.run(['plan', ...given(name), ...world]);
  expect(stderr).toBe('');
  // Where it is installed, and where the world lies, differs from machine to machine.
  const text = stdout
    .replaceAll(`${path.dirname(path.dirname(cli))}/`, '')
    .replace(/as runbook-world-\w+ left it/, 'as it was left')
    // The run that took a backup has a name of its own.
    .replace(/\b\d{8}-\d{6}-\w{4}(?:-\d+)?\b/g, 'BACKUP');
  return `${text}\nexit ${code}\n`;
}

describe.each(names)('runbooks/%s.yaml', (name) => {
  test('is valid, without a warning', async () => {
    const { code, stdout } = await createRig().run(['validate', name]);
    expect(stdout).toMatch(new RegExp(`^\\S*${name}\\.yaml is valid\\n$`));
    expect(code).toBe(0);
  });

  test('plans on the sandbox as the golden says', async () => {
    const golden = path.join(plans, `${name}.txt`);
    const text = await planOf(createRig(), name);
    if (process.env.UPDATE_PLANS === '1') writeFileSync(golden, text);
    expect(existsSync(golden), 'run once with UPDATE_PLANS=1 and read what it says').toBe(true);
    expect(text).toBe(readFileSync(golden, 'utf8'));
  });
});

/** Those that do not end by themselves with what is given here. */
const special = ['bring-online', 'pre-upgrade-checklist'];

test.each(names.filter((name) => !special.includes(name)))(
  '%s runs on the sandbox to its end',
  async (name) => {
    const rig = createRig();
    const world = await inItsWorld(name, rig);
    const { code, stderr } = await rig.run(['exec', ...given(name), ...world, '--yes']);
    expect(stderr).toMatch(/^\d\d:\d\d:\d\d {2}done /m);
    expect(code, stderr).toBe(0);
  },
);

test('bring-online says that nothing was remembered when take-offline did not run', async () => {
  const { code, stderr } = await createRig().run(['exec', ...given('bring-online'), '--yes']);
  expect(stderr).toContain('runbook.io/replicas-before');
  expect(code).toBe(4);
});

test.each(otherWays)('%s with %s runs on the sandbox to its end', async (name, ...values) => {
  const { code, stderr } = await createRig().run(['exec', ...given(name, values), '--yes']);
  expect(code, stderr).toBe(0);
});

test('pre-upgrade-checklist waits until somebody has read the release notes', async () => {
  const rig = createRig();
  const first = await rig.run(['exec', ...given('pre-upgrade-checklist'), '--yes']);
  expect(first.code, first.stderr).toBe(10);
  expect(first.stderr).toContain('release notes read: helm-nvcf-api 1.25.1 → 1.25.2 (patch)');
  const run = /runbook approve (\S+) releaseNotes/.exec(first.stderr)?.[1] ?? '';
  const approved = await rig.run(['approve', run, 'releaseNotes', '--reason', 'read by two people']);
  expect(approved.code, approved.stderr).toBe(0);
  const last = await rig.run(['resume', run, '--yes']);
  expect(last.code, last.stderr).toBe(0);
  expect(last.stdout).toContain(`api-values-${run}.yaml.age`);
});

test.each([
  ['service=nvcf-api', 'version=1.26.0', 'goes no further than a patch step'],
  ['service=cassandra', 'version=0.20.2', 'No pods with data are replaced'],
  ['service=openbao', 'version=0.30.26', 'upgrade-openbao guards them'],
  ['service=nvcf-api', 'version=1.25.1', 'goes no further than a patch step'],
])('spot-upgrade refuses %s %s', async (service, version, why) => {
  const values = [service, version, 'reuse=true'];
  const { code, stderr } = await createRig().run(['exec', ...given('spot-upgrade', values), '--yes']);
  expect(stderr).toContain(why);
  expect(code, stderr).toBe(4);
});
