import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';
import { createRig, type Rig } from './rig.ts';
import { filesBelow, journalOf, runFolderOf } from './state.ts';

const never = new AbortController().signal;
/** What the sandbox gives for the secret `password`. */
const simulated = 'sandbox-password';
const forms = [
  simulated,
  Buffer.from(simulated).toString('base64').slice(0, 20),
  Buffer.from(simulated).toString('hex'),
];

const target = (name: string) =>
  `{namespace: vault-system, selector: "component=server", token: "{{inputs.token}}", mount: services/nvcf-api/kv, path: trial/${name}`;

/** Writes a secret, reads it, hands it on, sets its metadata, and saves a snapshot. */
const runbook = `apiVersion: runbook/v1
name: own
title: Secrets of OpenBao
description: Copies a secret.
risk: low
inputs:
  token: {type: secret, description: Root token, from: {env: BAO_TOKEN}}
  password: {type: secret, description: A password, from: {env: RUNBOOK_SECRET_PASSWORD}}
steps:
  - id: first
    uses: bao.kv-put
    with: ${target('source')}, data: {password: "{{inputs.password}}", user: someone}, cas: 0}
    timeout: 1m
    rollback: {irreversible: A new secret is left where it is.}
  - id: source
    uses: bao.kv-get
    with: ${target('source')}, field: password}
    expect: outputs.exists && outputs.version == 1
  - id: copy
    uses: bao.kv-put
    with: ${target('source')}, data: {text: "postgres://me:{{steps.source.outputs.value}}@host", user: someone}}
    timeout: 1m
  - id: guard
    uses: bao.kv-metadata
    with: ${target('source')}, casRequired: true, maxVersions: 20}
    timeout: 1m
  - id: save
    uses: bao.raft-snapshot
    with: {namespace: vault-system, selector: "component=server", token: "{{inputs.token}}", file: "./backups/{{run.id}}.snap"}
    timeout: 5m
verifications:
  - id: copied
    uses: bao.kv-get
    with: ${target('source')}}
    expect: outputs.version == 2 && outputs.fields == ["text", "user"] && outputs.casRequired && outputs.maxVersions == 20
outputs:
  version: "{{steps.copied.outputs.version}}"
  sha256: "{{steps.save.outputs.sha256}}"
`;

function rig(): Rig {
  const made = createRig();
  made.write('own.yaml', runbook);
  return made;
}

/** Whatever the run has left behind, and said. */
function mustNotLeak(made: Rig, ...said: readonly string[]): void {
  const left = filesBelow(made.folder)
    .filter((file) => !file.endsWith('own.yaml'))
    .map((file) => `${file}\n${readFileSync(file, 'latin1')}`);
  for (const text of [...left, ...said]) for (const form of forms) expect(text).not.toContain(form);
}

/** The secret as the simulated OpenBao of the run has it now. */
async function stored(made: Rig): Promise<{ readonly version: number; readonly fields: object }> {
  const sandbox = openSandbox({ dir: runFolderOf(made), seed: 1 });
  try {
    const { kubernetes, openbao } = sandbox.services;
    const options = { namespace: 'vault-system', labelSelector: 'openbao-active=true' };
    const [pod] = await kubernetes.list(kinds.pods, options);
    const read = await openbao.kvRead(
      { namespace: 'vault-system', pod: pod?.metadata.name ?? '', uid: pod?.metadata.uid ?? '' },
      { mount: 'services/nvcf-api/kv', path: 'trial/source' },
      Secret.fromText('token', 's.sandbox-root-1'),
      never,
    );
    if (read.state !== 'found') throw new Error(read.state);
    return { version: read.version, fields: read.data.revealText((text) => JSON.parse(text)) };
  } finally {
    sandbox.close();
  }
}

const copied = { text: `postgres://me:${simulated}@host`, user: 'someone' };

describe('secrets of OpenBao in the sandbox', () => {
  test('are written, read and handed on, and are nowhere to be read', async () => {
    const made = rig();
    const { code, stdout, stderr } = await made.run(['exec', 'own', '--sandbox', '--yes']);
    expect(stderr).toContain('done');
    expect(code).toBe(0);
    expect(stdout).toContain('version: 2\n');
    expect(await stored(made)).toEqual({ version: 2, fields: copied });
    expect(existsSync(path.join(made.folder, 'backups'))).toBe(false);
    mustNotLeak(made, stdout, stderr);
  });

  test('a plan says which fields change, and asks nothing of what is written before', async () => {
    const { code, stdout, stderr } = await rig().run(['plan', 'own', '--sandbox']);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('known after first');
    expect(stdout).not.toContain(simulated);
  });

  test.each(['crash-before', 'crash-after', 'lost-answer'])(
    'copy=%s: resume reads the secret again',
    async (kind) => {
      const made = rig();
      const begun = await made.run(['exec', 'own', '--sandbox', '--yes', '--fault', `copy=${kind}`]);
      if (begun.code !== 0) {
        const resumed = await made.run(['resume', 'last', '--yes']);
        expect(resumed.stderr).not.toContain('FAILED');
        expect(resumed.code).toBe(0);
        mustNotLeak(made, resumed.stdout, resumed.stderr);
      }
      expect(await stored(made)).toEqual({ version: 2, fields: copied });
      expect(
        journalOf(made).filter(({ type, id }) => type === 'result' && id === 'copy').length,
      ).toBeLessThan(2);
    },
  );

  test.each(['crash-before', 'crash-after', 'lost-answer'])(
    'save=%s: the snapshot is taken once',
    async (kind) => {
      const made = rig();
      const begun = await made.run(['exec', 'own', '--sandbox', '--yes', '--fault', `save=${kind}`]);
      const { code, stdout } = begun.code === 0 ? begun : await made.run(['resume', 'last', '--yes']);
      expect(code).toBe(0);
      expect(stdout).toMatch(/sha256: [0-9a-f]{64}\n/);
    },
  );

  test.each(['guard=error', 'guard=crash-after'])(
    'after %s the earlier content is put back',
    async (fault) => {
      const made = rig();
      await made.run(['exec', 'own', '--sandbox', '--yes', '--fault', fault]);
      const { code, stderr } = await made.run(['rollback', 'last', '--yes']);
      expect(stderr).toMatch(/rolled.back/);
      expect(code).toBe(5);
      expect(await stored(made)).toEqual({ version: 3, fields: { password: simulated, user: 'someone' } });
      mustNotLeak(made, stderr);
    },
  );

  test('a secret that was read may stand only where a secret may', async () => {
    const made = createRig();
    const wrong = runbook
      .replace('outputs.exists && ', 'outputs.value == "x" && ')
      .replace('  version: "{{', '  secret: "{{steps.source.outputs.value}}"\n  version: "{{');
    made.write('own.yaml', wrong);
    const { code, stderr, stdout } = await made.run(['validate', 'own.yaml']);
    expect(code).toBe(3);
    expect([...`${stdout}${stderr}`.matchAll(/error\[([\w-]+)\]/g)].map((match) => match[1])).toEqual([
      'cel-type',
      'secret-misplaced',
    ]);
  });
});
