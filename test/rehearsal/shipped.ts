import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import type { Environment } from '../../src/commands/command.ts';
import { stageOf } from '../../src/commands/rehearsal-stage.ts';
import { createRedactor } from '../../src/engine/redactor.ts';
import { createStreams } from '../../src/output/streams.ts';
import type { Rehearsal, RehearsedStep, Way } from '../../src/rehearsal/rehearsal.ts';
import { rehearse } from '../../src/rehearsal/rehearse.ts';
import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { damage } from '../cli/backup-worlds.ts';
import { inWorld, newestRun, outputsOf } from '../cli/key-runs.ts';
import { prepareWorld } from '../cli/key-world.ts';
import { addUnusedKey, otherKid } from '../cli/key-worlds.ts';
import { createRig, type Rig } from '../cli/rig.ts';
import { given, inItsWorld, ofBackup } from '../contract/shipped.ts';
import { pass } from '../sandbox/rig.ts';

const root = path.dirname(path.dirname(import.meta.dirname));

/** The program's surroundings in a folder of its own; what it says is kept. */
export function surroundings(folder: string): Environment & { readonly said: string[] } {
  const redactor = createRedactor();
  const said: string[] = [];
  const sink = { destroyed: false, write: (text: string) => void said.push(text) };
  return {
    said,
    env: {},
    cwd: folder,
    home: folder,
    osUser: 'rehearsal',
    uid: process.geteuid?.() ?? -1,
    host: 'rehearsal',
    pid: process.pid,
    packageRoot: root,
    version: '0.0.0-test',
    streams: createStreams({
      stdout: sink,
      stderr: sink,
      redact: (text) => redactor.text(text),
      color: false,
    }),
    stdoutIsTty: false,
    stderrIsTty: false,
    stdinIsTty: false,
    redact: redactor,
    onSignal: () => () => undefined,
    kill: () => false,
    die: () => {
      throw new Error('nothing dies here');
    },
    takeEnv: () => undefined,
  };
}

/** Rehearses a runbook in a world in which it has something to do. */
export async function rehearseFile(
  file: string,
  options: {
    readonly inputs?: readonly string[];
    readonly world?: string;
    readonly wanted?: (step: RehearsedStep, way: Way) => boolean;
    readonly folder?: string;
  } = {},
): Promise<Rehearsal> {
  const folder = options.folder ?? mkdtempSync(path.join(tmpdir(), 'runbook-rehearsal-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const environment = surroundings(folder);
  const { inputs = [], world, wanted } = options;
  const asked = { input: inputs, ...(world === undefined ? {} : { world }) };
  const stage = await stageOf(file, asked, environment, folder).catch((error: Error) => {
    throw new Error(`${error.message}\n${environment.said.join('')}`);
  });
  return await rehearse(stage, wanted === undefined ? {} : { wanted });
}

/** Took a service offline, as take-offline does. */
async function offline({ services }: Sandbox): Promise<void> {
  const ref = { kind: kinds.deployments, namespace: 'nvcf', name: 'nvcf-api' };
  const body = { metadata: { annotations: { 'runbook.io/replicas-before': '1' } }, spec: { replicas: 0 } };
  await services.kubernetes.patch(ref, { type: 'merge', body });
  await services.clock.sleep(600_000, new AbortController().signal);
}

/** Worlds of runbooks that are planned and run elsewhere where they have nothing to do. */
const worlds: Readonly<Record<string, (sandbox: Sandbox) => void | Promise<void>>> = {
  'bring-online': offline,
  // Before anybody has loaded the new key.
  'mek-converge': addUnusedKey,
};

/** Their inputs, where others than those of the golden are needed. */
const inputsThere: Readonly<Record<string, readonly string[]>> = {
  'mek-converge': [`kid=${otherKid}`, 'active=false'],
};

/** The options that begin with a world of which a backup was taken before each part of it lost something. */
async function afterLoss(rig: Rig): Promise<readonly string[]> {
  const world = await prepareWorld(() => undefined);
  const { code, stderr } = await inWorld(rig, world, ['exec', 'backup-control-plane', '--yes']);
  if (code !== 0) throw new Error(`the backup was not taken: ${stderr}`);
  const from = newestRun(rig);
  const lose = async (sandbox: Sandbox) => {
    await damage(sandbox);
    await pass(sandbox, 1_200_000);
  };
  const manifest = path.resolve(rig.folder, String(outputsOf(from).manifest));
  return ['--world', await prepareWorld(lose, { from }), '--input', `manifest=${manifest}`];
}

/** Where a runbook has something to do. */
async function startOf(name: string, rig: Rig): Promise<readonly string[]> {
  if (ofBackup.includes(name)) return await afterLoss(rig);
  const change = worlds[name];
  return change === undefined ? await inItsWorld(name, rig) : ['--world', await prepareWorld(change)];
}

/** A shipped one, in the world that every test of it has; with the inputs of its golden unless told others. */
export async function rehearseShipped(
  name: string,
  options: {
    readonly wanted?: (step: RehearsedStep, way: Way) => boolean;
    readonly inputs?: readonly string[];
  } = {},
): Promise<Rehearsal> {
  const rig = createRig();
  const { folder } = rig;
  const start = await startOf(name, rig);
  const after = (option: string) => [...given(name), ...start].filter((_, at, all) => all[at - 1] === option);
  const [world] = after('--world');
  const golden = after('--input');
  const inputs = (options.inputs ?? inputsThere[name] ?? golden).map((input) =>
    input.replace(/^file=/, `file=${folder}/`),
  );
  return await rehearseFile(name, { ...options, inputs, folder, ...(world === undefined ? {} : { world }) });
}
