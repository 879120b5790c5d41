import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import type { HttpSender } from '../../src/services/http.ts';
import { OpenBaoError, type OpenBaoPod, type OpenBaoWriter } from '../../src/services/openbao.ts';
import { openbaoAccessContract } from './openbao-access.ts';
import { openbaoAdmin } from './openbao-admin.ts';

/** What an implementation lends to the contract: three raft nodes, and an administrator's token. */
export interface OpenBaoKvWorld {
  readonly openbao: OpenBaoWriter;
  readonly http: HttpSender;
  /** Where raw requests to a pod go. */
  readonly target: (pod: OpenBaoPod) => {
    readonly url: string;
    readonly through?: { readonly namespace: string; readonly pod: string; readonly port: number };
  };
  pods(): Promise<readonly OpenBaoPod[]>;
  /** The root token. */
  readonly token: Secret;
  /** Lets a while pass between two questions. */
  readonly pause: () => Promise<void>;
  /** Seals a standby, and keeps it sealed. */
  seal(pod: OpenBaoPod): Promise<void>;
  /** Everything unsealed again. */
  unseal(): Promise<void>;
}

export type OpenBaoKvSetup = () => Promise<OpenBaoKvWorld>;

export const never = () => new AbortController().signal;

export function fieldsOf(data: Secret): unknown {
  return data.revealText((text) => JSON.parse(text));
}

export function secretOf(fields: object): Secret {
  return Secret.fromText('value', JSON.stringify(fields));
}

export async function failureOf(call: Promise<unknown>): Promise<OpenBaoError> {
  const failure = await call.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(failure).toBeInstanceOf(OpenBaoError);
  return failure as OpenBaoError;
}

/** The versioned key-value engine, and what surrounds it, as the real server has them. */
export function openbaoKvContract(name: string, setup: OpenBaoKvSetup): void {
  describe(`OpenBao's key-value engine: ${name}`, () => {
    let world: OpenBaoKvWorld;
    let admin: ReturnType<typeof openbaoAdmin>;
    let active: OpenBaoPod;
    const mount = 'contract/versioned/kv';
    const flat = 'contract/flat/kv';
    const at = (path: string) => ({ mount, path: `deep/er/${path}` });
    const read = (path: string, version?: number) =>
      world.openbao.kvRead(active, { ...at(path), ...(version && { version }) }, world.token, never());
    const write = (path: string, cas: number, fields: object) =>
      world.openbao.kvWrite(active, { ...at(path), cas, data: secretOf(fields) }, world.token, never());
    const metadata = async (path: string) => {
      const answer = await world.openbao.kvMetadata(active, at(path), world.token, never());
      if (answer.state !== 'found') throw new Error(answer.state);
      return answer.metadata;
    };

    beforeAll(async () => {
      world = await setup();
      admin = openbaoAdmin(world);
      active = await admin.active();
      await admin.remount(mount, '2');
      await admin.remount(flat, '1');
    });
    afterAll(async () => {
      for (const path of [mount, flat]) await admin.change('DELETE', `sys/mounts/${path}`);
    });

    test('a version is written, read back, and counted', async () => {
      const fields = { text: 'ü "\\ <&>', deep: { list: [1, { a: null }], yes: true }, number: 1.5 };
      expect(await write('counted', 0, fields)).toBe(1);
      const first = await read('counted');
      if (first.state !== 'found') throw new Error(first.state);
      expect(fieldsOf(first.data)).toEqual(fields);
      expect(first.version).toBe(1);
      const node = await world.openbao.node(active, never());
      const age = (node.serverTime ?? 0) - Date.parse(first.createdTime) / 1000;
      expect(age).toBeGreaterThanOrEqual(-1);
      expect(age).toBeLessThan(60);
      expect(await write('counted', 1, { text: 'two' })).toBe(2);
      expect(await read('counted')).toMatchObject({ state: 'found', version: 2 });
      const earlier = await read('counted', 1);
      expect(earlier.state === 'found' && fieldsOf(earlier.data)).toEqual(fields);
      expect(await metadata('counted')).toMatchObject({
        currentVersion: 2,
        oldestVersion: 0,
        casRequired: false,
        maxVersions: 0,
        deleteVersionAfter: '0s',
        versions: [
          { version: 1, createdTime: first.createdTime, deletionTime: '', destroyed: false },
          { version: 2, deletionTime: '', destroyed: false },
        ],
      });
    });

    test('a write that expects another version changes nothing', async () => {
      await write('checked', 0, { n: 1 });
      for (const cas of [0, 2, 7])
        expect(await failureOf(write('checked', cas, { n: 'canary' }))).toMatchObject({
          status: 400,
          outcome: 'not-applied',
          casMismatch: true,
          casRequired: false,
          retryable: false,
          message: expect.not.stringContaining('canary'),
        });
      expect((await metadata('checked')).currentVersion).toBe(1);
    });

    test('of many writers that expect the same version, one wins', async () => {
      const writers = Array.from({ length: 8 }, (_, n) => write('raced', 0, { n }));
      const results = await Promise.allSettled(writers);
      expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1);
      for (const result of results)
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ casMismatch: true });
      expect((await metadata('raced')).currentVersion).toBe(1);
    });

    test('check-and-set can be required, and then a blind write is refused', async () => {
      await write('guarded', 0, { n: 1 });
      await world.openbao.kvConfigure(active, { ...at('guarded'), casRequired: true }, world.token, never());
      expect(await metadata('guarded')).toMatchObject({ casRequired: true, maxVersions: 0 });
      const blind = await admin.ask('POST', `${mount}/data/deep/er/guarded`, { data: { n: 'blind' } });
      expect(blind).toMatchObject({ status: 400 });
      expect(blind.body).toContain('check-and-set parameter required');
      expect(await write('guarded', 1, { n: 2 })).toBe(2);
      await world.openbao.kvConfigure(active, { ...at('guarded'), casRequired: false }, world.token, never());
      expect((await admin.ask('POST', `${mount}/data/deep/er/guarded`, { data: { n: 3 } })).status).toBe(200);
    });

    test('one setting is changed without the other, and none where there is nothing', async () => {
      await write('settings', 0, { n: 1 });
      const configure = (path: string, settings: { casRequired?: boolean; maxVersions?: number }) =>
        world.openbao.kvConfigure(active, { ...at(path), ...settings }, world.token, never());
      await configure('settings', { maxVersions: 4, casRequired: true });
      await configure('settings', { maxVersions: 5 });
      expect(await metadata('settings')).toMatchObject({
        casRequired: true,
        maxVersions: 5,
        currentVersion: 1,
      });
      expect(await failureOf(configure('nowhere', { casRequired: true }))).toMatchObject({
        status: 404,
        outcome: 'not-applied',
      });
    });

    test('nothing, a deleted and a destroyed version are told apart', async () => {
      expect(await read('absent')).toEqual({ state: 'not-found', reason: 'absent' });
      const absent = await world.openbao.kvMetadata(active, at('absent'), world.token, never());
      expect(absent).toEqual({ state: 'not-found' });
      for (const n of [0, 1]) await write('gone', n, { n });
      expect(await read('gone', 9)).toEqual({ state: 'not-found', reason: 'absent' });
      await admin.change('DELETE', `${mount}/data/deep/er/gone`);
      expect(await read('gone')).toEqual({ state: 'not-found', reason: 'deleted', version: 2 });
      expect(await read('gone', 1)).toMatchObject({ state: 'found', version: 1 });
      const [first, second] = (await metadata('gone')).versions;
      expect([first?.deletionTime, second?.deletionTime === '']).toEqual(['', false]);
      // The next version follows the deleted one.
      expect(await failureOf(write('gone', 0, { n: 0 }))).toMatchObject({ casMismatch: true });
      await world.openbao.kvUndelete(active, { ...at('gone'), versions: [2] }, world.token, never());
      expect(await read('gone')).toMatchObject({ state: 'found', version: 2 });
      await admin.change('POST', `${mount}/destroy/deep/er/gone`, { versions: [2] });
      expect(await read('gone')).toEqual({ state: 'not-found', reason: 'destroyed', version: 2 });
      await world.openbao.kvUndelete(active, { ...at('gone'), versions: [2] }, world.token, never());
      expect(await read('gone')).toMatchObject({ reason: 'destroyed' });
      expect((await metadata('gone')).versions[1]).toMatchObject({ destroyed: true });
      expect(await write('gone', 2, { n: 3 })).toBe(3);
    });

    test('ten versions are kept, or as many as was said', async () => {
      for (let n = 0; n < 12; n += 1) await write('pruned', n, { n });
      const versions = async () => (await metadata('pruned')).versions.map(({ version }) => version);
      expect(await versions()).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(await metadata('pruned')).toMatchObject({ oldestVersion: 3, currentVersion: 12 });
      expect(await read('pruned', 2)).toEqual({ state: 'not-found', reason: 'absent' });
      await world.openbao.kvConfigure(active, { ...at('pruned'), maxVersions: 3 }, world.token, never());
      expect((await versions()).length).toBe(10);
      await write('pruned', 12, { n: 12 });
      expect(await versions()).toEqual([11, 12, 13]);
    });

    test('a mount that is not there, or keeps no versions, is a failure and never "absent"', async () => {
      await admin.change('POST', `${flat}/data/x`, { data: { n: 1 }, metadata: 'none' });
      for (const wrong of [`${mount}/deep`, 'contract/nowhere', flat]) {
        for (const path of ['x', 'absent']) {
          const where = { mount: wrong, path };
          const data = await world.openbao.kvRead(active, where, world.token, never());
          expect([wrong, path, data.state]).toEqual([wrong, path, 'failed']);
          const facts = await world.openbao.kvMetadata(active, where, world.token, never());
          expect(facts.state).toBe('failed');
        }
        const where = { mount: wrong, path: 'x', cas: 0, data: secretOf({ n: 2 }) };
        expect(await failureOf(world.openbao.kvWrite(active, where, world.token, never()))).toMatchObject({
          outcome: 'not-applied',
        });
      }
      expect((await admin.ask('GET', `${flat}/data/x`)).body).toContain('"n":1');
    });

    test('mounts tell their engine, their version and who they are', async () => {
      const mountOf = (path: string) => world.openbao.mount(active, path, world.token, never());
      const [versioned, plain] = [await mountOf(mount), await mountOf(flat)];
      expect([versioned.type, versioned.version]).toEqual(['kv', '2']);
      expect([plain.type, plain.version]).toEqual(['kv', '1']);
      expect(versioned.uuid).not.toBe(plain.uuid);
      expect((await mountOf(mount)).uuid).toBe(versioned.uuid);
      expect(await failureOf(mountOf('contract/nowhere'))).toMatchObject({ status: 403 });
      await failureOf(mountOf(`${mount}/data`));
    });

    openbaoAccessContract({ world: () => world, admin: () => admin, mount });
  });
}
