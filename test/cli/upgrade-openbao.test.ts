import { expect, test } from 'vitest';
import { openSandbox, type Sandbox } from '../../src/sandbox/open.ts';
import { type KubernetesObject, kinds } from '../../src/services/kubernetes.ts';
import { pass } from '../sandbox/rig.ts';
import { expectKept, inWorld, newestRun, outputsOf } from './key-runs.ts';
import { brokenPromises, type KeysOfWorld, keysOf, lookAt, prepareWorld, seed } from './key-world.ts';
import { type AtTheEnd, createRig, type Finished, type Rig } from './rig.ts';
import { bao, document } from './spoil.ts';

const namespace = 'vault-system';

/** What clients of the control plane were given before a run begins. */
function use({ control }: Sandbox): void {
  expect(control.issueKey()).toMatch(/^nvapi-/);
  expect(control.writeSecret({ namespace: 'nvcf', path: 'functions/f1/a', value: 'kept' })).toBe(200);
}

interface Server {
  readonly name: string;
  readonly uid: string;
  readonly image: string;
  readonly age: string;
}

interface Servers {
  readonly wanted: string;
  readonly pods: readonly Server[];
}

/** The pods of OpenBao in the world of a folder, and the image of the template. */
async function serversIn(folder: string): Promise<Servers> {
  const sandbox = openSandbox({ seed, from: folder });
  const { kubernetes } = sandbox.services;
  const pods = await kubernetes.list(kinds.pods, { namespace, labelSelector: 'component=server' });
  const set = await kubernetes.get({ kind: kinds.statefulSets, namespace, name: 'openbao-server' });
  sandbox.close();
  const { template } = (set ?? { spec: { template: {} } }).spec as { template: { spec?: unknown } };
  return { wanted: imageOf(template.spec), pods: pods.map(serverOf) };
}

function serverOf({ metadata, spec }: KubernetesObject): Server {
  return {
    name: metadata.name,
    uid: metadata.uid,
    image: imageOf(spec),
    age: metadata.creationTimestamp ?? '',
  };
}

function imageOf(spec: unknown): string {
  const { containers } = spec as { containers: readonly { name: string; image: string }[] };
  return containers.find(({ name }) => name === 'openbao')?.image ?? '';
}

/** Every key in its place, whatever the version of the document. */
function bytesOf({ keys, privateJwks, current }: KeysOfWorld) {
  return { keys: [...keys], privateJwks: [...privateJwks], current };
}

const reuse = ['--yes', '--input', 'reuse=true'];
const misbehaving = 'replicaCount: 3\nmigrations:\n  readFails: true\n';
const crashing = 'replicaCount: 3\nenv:\n  CRASH: "true"\n';

interface Begun {
  readonly rig: Rig;
  /** Of the world before the run. */
  readonly before: KeysOfWorld;
  readonly earlier: Servers;
  /** How the first process of the run ended. */
  readonly first: Finished;
}

/** A run of upgrade-openbao in a world of its own, with the values of now unless others are given, and with more options. */
async function begin(done: AtTheEnd, values?: string, ...more: readonly string[]): Promise<Begun> {
  const world = await prepareWorld(use, { done });
  const before = lookAt(world, keysOf);
  const earlier = await serversIn(world);
  const rig = createRig(done);
  const given = values === undefined ? 'reuse=true' : `values=${rig.write('values.yaml', values)}`;
  const args = ['exec', 'upgrade-openbao', '--yes', '--input', given, ...more];
  return { rig, before, earlier, first: await inWorld(rig, world, args) };
}

/** Rolls the run back; the folder that it leaves. */
async function goBack(rig: Rig): Promise<string> {
  const back = await rig.run(['rollback', 'last', '--yes']);
  expect(back.code, back.stderr).toBe(5);
  return newestRun(rig);
}

/** A pod starts anew and OpenBao unseals, three times. */
const patience = { timeout: 240_000 };

test.concurrent(
  'upgrade-openbao replaces every pod, the active one last, and leaves the master keys alone',
  patience,
  async ({ onTestFinished }) => {
    const { rig, before, earlier, first } = await begin(onTestFinished);
    expect(first.code, first.stderr).toBe(0);
    const folder = newestRun(rig);
    expect(lookAt(folder, keysOf)).toEqual(before);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    const later = await serversIn(folder);
    expect(later.wanted).not.toBe(earlier.wanted);
    expect(new Set(later.pods.map(({ image }) => image))).toEqual(new Set([later.wanted]));
    const uids = new Set(earlier.pods.map(({ uid }) => uid));
    expect(later.pods.filter(({ uid }) => uids.has(uid))).toEqual([]);
    const youngest = [...later.pods].sort((one, other) => (one.age < other.age ? 1 : -1))[0];
    expect(youngest?.name).toBe(/, (openbao-server-\d) was before/.exec(first.stderr)?.[1]);
    expect(outputsOf(folder)).toMatchObject({ before: '0.30.25' });
    expect(lookAt(folder, ({ control }) => control.runMigrationsJob({ misbehaving: true }))).toMatchObject({
      wrote: false,
    });
  },
);

test.concurrent(
  'a migrations Job that would overwrite the master keys is refused, and the run says so and goes back',
  patience,
  async ({ onTestFinished }) => {
    const { rig, before, earlier, first } = await begin(onTestFinished, misbehaving);
    expect(first.code, first.stderr).toBe(1);
    expect(first.stderr).toMatch(
      /The hook Job vault-system\/openbao-server-migrations failed because a secret is protected/,
    );
    expect(first.stderr).toContain('was not written: HTTP 400 check-and-set parameter required');
    expect(first.stderr).toContain('never lift the protection');
    expect(lookAt(newestRun(rig), keysOf)).toEqual(before);
    const folder = await goBack(rig);
    expect(lookAt(folder, keysOf)).toEqual(before);
    expect(await serversIn(folder)).toEqual(earlier);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
  },
);

test.concurrent(
  'without the guard the same Job loses the keys, and they come back from the backup',
  patience,
  async ({ onTestFinished }) => {
    const fault = ['--fault', 'upgrade=crash-before'];
    const { rig, before, first } = await begin(onTestFinished, misbehaving, ...fault);
    expect(first.signal, first.stderr).toBe('SIGKILL');
    // Somebody lifts the protection meanwhile.
    const sandbox = openSandbox({ seed, dir: newestRun(rig) });
    await bao(sandbox, `POST ${document.replace('/data/', '/metadata/')}`, { cas_required: false });
    sandbox.close();
    const resumed = await rig.run(['resume', 'last', '--yes']);
    expect(resumed.code, resumed.stderr).toBe(1);
    expect(resumed.stderr).toContain('outputs.version = 2');
    expect(resumed.stderr).toContain('mek-restore-from-backup');
    expect(lookAt(newestRun(rig), keysOf).keys.has(before.current)).toBe(false);
    const folder = await goBack(rig);
    expectKept(before, lookAt(folder, keysOf));
    expect(lookAt(folder, brokenPromises)).toEqual([]);
  },
);

test.concurrent(
  'pods that crash with the new version go back, the one that crashed first',
  patience,
  async ({ onTestFinished }) => {
    const { rig, before, earlier, first } = await begin(onTestFinished, crashing);
    expect(first.code, first.stderr).toBe(1);
    expect(first.stderr).toContain('container openbao of pod openbao-server-1 crashes again and again');
    const folder = await goBack(rig);
    const later = await serversIn(folder);
    expect(later.pods.map(({ image }) => image)).toEqual(earlier.pods.map(({ image }) => image));
    // The two that were not touched are still the same pods.
    const uids = new Set(earlier.pods.map(({ uid }) => uid));
    expect(later.pods.filter(({ uid }) => uids.has(uid))).toHaveLength(2);
    expect(bytesOf(lookAt(folder, keysOf))).toEqual(bytesOf(before));
  },
);

test.concurrent.for(['upgrade=crash-after', 'replace/each/replace=crash-after', 'kept=crash-before'])(
  'killed at %s, upgrade-openbao is resumed to its end, and goes all the way back after that',
  patience,
  async (fault, { onTestFinished }) => {
    const { rig, before, earlier, first } = await begin(onTestFinished, undefined, '--fault', fault);
    expect(first.signal, first.stderr).toBe('SIGKILL');
    const resumed = await rig.run(['resume', 'last', '--yes']);
    expect(resumed.code, resumed.stderr).toBe(0);
    const folder = await goBack(rig);
    const later = await serversIn(folder);
    expect(later.wanted).toBe(earlier.wanted);
    expect(later.pods.map(({ image }) => image)).toEqual(earlier.pods.map(({ image }) => image));
    expect(lookAt(folder, keysOf)).toEqual(before);
    expect(lookAt(folder, brokenPromises)).toEqual([]);
    expect((await rig.run(['verify', 'last'])).code).toBe(0);
  },
);

test.concurrent(
  'upgrade-openbao refuses versions that go too far, and an OpenBao that is not whole',
  patience,
  async ({ onTestFinished }) => {
    const rig = createRig(onTestFinished);
    const world = await prepareWorld(use, { done: onTestFinished });
    const far = await inWorld(rig, world, ['exec', 'upgrade-openbao', ...reuse, '--input', 'version=0.31.0']);
    expect(far.stderr).toContain('0.30.25 to 0.31.0 is a step of kind minor');
    expect(far.code, far.stderr).toBe(4);
    const stopped = await prepareWorld(
      async (sandbox) => {
        const ref = { kind: kinds.pods, namespace, name: 'openbao-server-2' };
        await sandbox.services.kubernetes.delete(ref, {});
        await pass(sandbox, 10_000);
      },
      { from: world, done: onTestFinished },
    );
    const sealed = await inWorld(rig, stopped, ['exec', 'upgrade-openbao', ...reuse]);
    expect(sealed.code, sealed.stderr).toBe(4);
    expect(sealed.stderr).toContain('Every OpenBao pod is unsealed');
  },
);
