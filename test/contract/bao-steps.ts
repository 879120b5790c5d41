import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { ChangeStepType, Observation } from '../../src/engine/step-type.ts';
import type { KubernetesWriter } from '../../src/services/kubernetes.ts';
import type { Services } from '../../src/services/services.ts';
import { kvGet } from '../../src/steps/bao/kv-get.ts';
import { kvMetadata } from '../../src/steps/bao/kv-metadata.ts';
import { kvPut } from '../../src/steps/bao/kv-put.ts';
import { raftSnapshot } from '../../src/steps/bao/raft-snapshot.ts';
import { openbaoAdmin } from './openbao-admin.ts';
import type { OpenBaoKvWorld } from './openbao-kv.ts';
import { contextOn } from './step-verdicts.ts';

export interface BaoStepWorld extends Pick<OpenBaoKvWorld, 'target' | 'pods' | 'token' | 'pause'> {
  readonly services: Services;
  /** Label selector of the server pods in vault-system. */
  readonly selector: string;
  /** A file that is not there. */
  readonly file: string;
  /** A cluster on which one may do nothing. */
  denied(): Promise<KubernetesWriter>;
}

/** The steps that read and write OpenBao, on the sandbox and on a real cluster. */
export function baoStepsContract(on: string, setup: () => Promise<BaoStepWorld>): void {
  describe(`OpenBao's steps on ${on}`, () => {
    const mount = 'contract/steps/kv';
    let world: BaoStepWorld;
    let admin: ReturnType<typeof openbaoAdmin>;
    const where = () => ({
      namespace: 'vault-system',
      selector: world.selector,
      token: world.token as never,
    });
    const target = (path: string) => ({ ...where(), mount, path });
    const fieldsOf = async (path: string) => {
      const { body } = await admin.ask('GET', `${mount}/data/${path}`);
      return (JSON.parse(body) as { data: { data: unknown } }).data.data;
    };

    beforeAll(async () => {
      world = await setup();
      const { openbao, http } = world.services;
      admin = openbaoAdmin({ ...world, openbao, http });
      await admin.remount(mount, '2');
    });
    afterAll(async () => {
      await admin.change('DELETE', `sys/mounts/${mount}`);
    });

    /** Captured as the engine does it, with what `run` and `undo` then know. */
    async function begin<With>(type: ChangeStepType<With, object>, input: With) {
      const plain = contextOn(world.services);
      const before = await type.capture(input, plain);
      const ctx = { ...plain, before };
      const look = (on = ctx): Promise<Observation> => type.observe(input, before, on);
      const blind = async () => {
        const services = { ...ctx.services, kubernetes: await world.denied() };
        return await look({ ...ctx, services });
      };
      const undo = async (outputs: object) => {
        if (typeof type.undo !== 'function') throw new Error(`${type.type} has no undo`);
        await type.undo(input, before, outputs, ctx);
      };
      return { ctx, look, blind, undo };
    }

    test('kv-put writes, is seen, gives way to nobody, and is taken back', async () => {
      const input = {
        ...target('put'),
        data: { key: Secret.fromText('key', 'canary-1') as never, user: 'me' },
      };
      await admin.change('POST', `${mount}/data/put`, { data: { old: 'value' } });
      expect(await kvPut.predict(input, contextOn(world.services))).toMatchObject({
        changes: true,
        outputs: { version: 2, previousVersion: 1 },
        notes: ['the new version has no old any more'],
      });
      const { ctx, look, blind, undo } = await begin(kvPut, input);
      expect(await look()).toMatchObject({ state: 'not-applied' });
      const outputs = await kvPut.run(input, ctx);
      expect(outputs).toEqual({ version: 2, previousVersion: 1 });
      expect(await look()).toMatchObject({ state: 'applied', outputs });
      expect(await fieldsOf('put')).toEqual({ key: 'canary-1', user: 'me' });
      await expect(kvPut.run(input, ctx)).rejects.toMatchObject({ code: 'world-moved' });
      await undo(outputs);
      expect(await look()).toMatchObject({ state: 'not-applied' });
      expect(await fieldsOf('put')).toEqual({ old: 'value' });
      await admin.change('POST', `${mount}/data/put`, { data: { theirs: 'value' } });
      expect(await look()).toMatchObject({ state: 'conflict' });
      expect(await blind()).toMatchObject({ state: 'unknown' });
    });

    test('kv-metadata sets, is seen, and is taken back', async () => {
      const input = { ...target('settings'), casRequired: true, maxVersions: 3 };
      await expect(kvMetadata.capture(input, contextOn(world.services))).rejects.toMatchObject({
        code: 'kv-absent',
      });
      await admin.change('POST', `${mount}/data/settings`, { data: { a: 'b' } });
      const { ctx, look, blind, undo } = await begin(kvMetadata, input);
      expect(await look()).toMatchObject({ state: 'not-applied' });
      const outputs = await kvMetadata.run(input, ctx);
      expect(await look()).toMatchObject({ state: 'applied', outputs });
      await undo(outputs);
      expect(await look()).toMatchObject({ state: 'not-applied' });
      await kvMetadata.run({ ...input, maxVersions: 7 }, ctx);
      expect(await look()).toMatchObject({ state: 'conflict' });
      expect(await blind()).toMatchObject({ state: 'unknown' });
    });

    test('kv-get tells what is there, and reads one version again for ever', async () => {
      const ctx = contextOn(world.services);
      const input = { ...target('get'), field: 'password' };
      expect(await kvGet.run(input, ctx)).toMatchObject({
        exists: false,
        state: 'absent',
        currentVersion: 0,
      });
      for (const password of ['canary-first', 'canary-second'])
        await admin.change('POST', `${mount}/data/get`, { data: { password, user: 'me' } });
      const outputs = await kvGet.run(input, ctx);
      expect(outputs).toMatchObject({ version: 2, fields: ['password', 'user'], oldestVersion: 1 });
      await admin.change('POST', `${mount}/data/get`, { data: { password: 'canary-third' } });
      const again = await kvGet.reread?.('value', input, outputs, ctx);
      expect(again?.revealText((text) => text)).toBe('canary-second');
      await admin.change('DELETE', `${mount}/data/get`);
      expect(await kvGet.run(input, ctx)).toMatchObject({ exists: false, state: 'deleted', version: 3 });
      await expect(kvGet.run({ ...input, mount: 'contract/none' }, ctx)).rejects.toMatchObject({
        code: 'not-kv-v2',
      });
      const unknown = { ...input, token: Secret.fromText('token', 's.unknown') as never };
      await expect(kvGet.run(unknown, ctx)).rejects.toMatchObject({ code: 'policy-missing' });
    });

    test('raft-snapshot keeps a whole snapshot in a new file', async () => {
      const input = { ...where(), file: world.file };
      const { ctx, look, blind } = await begin(raftSnapshot, input);
      expect(await look()).toMatchObject({ state: 'not-applied' });
      const outputs = await raftSnapshot.run(input, ctx);
      expect(outputs.bytes).toBeGreaterThan(1000);
      expect(await world.services.files.stat(world.file)).toMatchObject({ mode: 0o600, size: outputs.bytes });
      expect(await look()).toMatchObject({ state: 'applied', outputs });
      expect(await blind()).toMatchObject({ state: 'applied' });
      await expect(raftSnapshot.capture(input, ctx)).rejects.toMatchObject({ code: 'file-exists' });
    });
  });
}
