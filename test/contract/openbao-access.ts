import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Secret } from '../../src/engine/secret.ts';
import { OpenBaoError, type OpenBaoPod } from '../../src/services/openbao.ts';
import type { openbaoAdmin } from './openbao-admin.ts';
import type { OpenBaoKvWorld } from './openbao-kv.ts';

const never = () => new AbortController().signal;
const policy = 'contract-kv-reader';

/** Who may do what, and which pod answers. */
export function openbaoAccessContract(given: {
  readonly world: () => OpenBaoKvWorld;
  readonly admin: () => ReturnType<typeof openbaoAdmin>;
  readonly mount: string;
}): void {
  const { world, admin, mount } = given;
  const at = { mount, path: 'shared/doc' };
  const value = Secret.fromText('value', '{"n":1}');

  beforeAll(async () => {
    const active = await admin().active();
    await world().openbao.kvWrite(active, { ...at, cas: 0, data: value }, world().token, never());
  });
  afterAll(async () => {
    await admin().change('DELETE', `sys/policies/acl/${policy}`);
  });

  describe('a token with few rights', () => {
    let limited: Secret;
    beforeAll(async () => {
      const rules = [
        `path "${mount}/data/shared/*" { capabilities = ["read", "update"] }`,
        `path "${mount}/metadata/+/doc" { capabilities = ["list", "read"] }`,
        `path "${mount}/data/shared/private" { capabilities = ["deny"] }`,
      ];
      limited = await admin().token(policy, { policy: rules.join('\n'), ttl: '1h' });
    });

    test('knows what it may do', async () => {
      const active = await admin().active();
      const paths = ['data/shared/doc', 'metadata/shared/doc', 'data/shared/private', 'data/other'];
      const asked = [...paths.map((path) => `${mount}/${path}`), 'sys/storage/raft/snapshot'];
      expect(await world().openbao.capabilities(active, asked, limited, never())).toEqual({
        [`${mount}/data/shared/doc`]: ['read', 'update'],
        [`${mount}/metadata/shared/doc`]: ['list', 'read'],
        [`${mount}/data/shared/private`]: ['deny'],
        [`${mount}/data/other`]: ['deny'],
        'sys/storage/raft/snapshot': ['deny'],
      });
      const root = await world().openbao.capabilities(active, ['sys/mounts'], world().token, never());
      expect(root).toEqual({ 'sys/mounts': ['root'] });
    });

    test('does that, and is refused the rest', async () => {
      const active = await admin().active();
      const { openbao } = world();
      const read = (path: string) => openbao.kvRead(active, { mount, path }, limited, never());
      expect((await read('shared/doc')).state).toBe('found');
      expect(await read('shared/absent')).toEqual({ state: 'not-found', reason: 'absent' });
      for (const path of ['shared/private', 'other']) {
        const refused = await read(path);
        expect(refused).toMatchObject({ state: 'failed', error: { status: 403, outcome: 'not-applied' } });
      }
      const { state } = await openbao.kvRead(
        active,
        { mount: 'contract/flat/kv', path: 'x' },
        limited,
        never(),
      );
      expect(state).toBe('failed');
      expect(await openbao.kvWrite(active, { ...at, cas: 1, data: value }, limited, never())).toBe(2);
      const create = openbao.kvWrite(
        active,
        { mount, path: 'shared/new', cas: 0, data: value },
        limited,
        never(),
      );
      await expect(create).rejects.toMatchObject({ status: 403, outcome: 'not-applied' });
      const configure = openbao.kvConfigure(active, { ...at, casRequired: true }, limited, never());
      await expect(configure).rejects.toMatchObject({ status: 403 });
      await expect(collect(openbao.raftSnapshot(active, limited, never()))).rejects.toMatchObject({
        status: 403,
      });
    });

    test('tells its policies and how long it lives; a root token does not end', async () => {
      const active = await admin().active();
      const info = await world().openbao.tokenInfo(active, limited, never());
      expect(info).toMatchObject({ policies: [policy, 'default'], root: false });
      expect(info.ttl).toBeGreaterThan(3000);
      expect(info.ttl).toBeLessThanOrEqual(3600);
      expect(await world().openbao.tokenInfo(active, world().token, never())).toEqual({
        policies: ['root'],
        ttl: undefined,
        root: true,
      });
    });

    test('that nobody knows is refused everything, and never repeated', async () => {
      const active = await admin().active();
      const wrong = Secret.fromText('token', 's.not-the-right-one');
      const { openbao } = world();
      const calls = [
        () => openbao.tokenInfo(active, wrong, never()),
        () => openbao.capabilities(active, ['a'], wrong, never()),
        () => openbao.mount(active, mount, wrong, never()),
        () => openbao.kvWrite(active, { ...at, cas: 2, data: value }, wrong, never()),
        () => collect(openbao.raftSnapshot(active, wrong, never())),
      ];
      for (const call of calls) {
        const failure: unknown = await call().catch((error: unknown) => error);
        expect(failure).toMatchObject({ status: 403, outcome: 'not-applied' });
        expect(String(failure)).not.toContain('not-the-right');
      }
    });
  });

  test('a snapshot of the active pod is whole; a standby gives none', async () => {
    const active = await admin().active();
    const bytes = await collect(world().openbao.raftSnapshot(active, world().token, never()));
    expect(bytes.length).toBeGreaterThan(1000);
    const standby = await standbyOf(active);
    const refused = collect(world().openbao.raftSnapshot(standby, world().token, never()));
    await expect(refused).rejects.toMatchObject({ name: 'OpenBaoError', status: 307 });
  });

  test('a standby answers for the active pod', async () => {
    const standby = await standbyOf(await admin().active());
    const { openbao, token } = world();
    const before = await openbao.kvRead(standby, at, token, never());
    const cas = before.state === 'found' ? before.version : -1;
    const data = Secret.fromText('value', '{"n":"through a standby"}');
    expect(await openbao.kvWrite(standby, { ...at, cas, data }, token, never())).toBe(cas + 1);
    await expect(openbao.kvWrite(standby, { ...at, cas, data }, token, never())).rejects.toMatchObject({
      casMismatch: true,
    });
  });

  test('a sealed pod answers nothing but that, and nothing is written', async () => {
    const active = await admin().active();
    const { pod } = await standbyOf(active);
    await world().seal(await standbyOf(active));
    const sealed = (await world().pods()).find((each) => each.pod === pod);
    if (sealed === undefined) throw new Error(`${pod} is gone`);
    const { openbao, token } = world();
    expect(await openbao.node(sealed, never())).toMatchObject({ sealed: true, active: false });
    const failed = { status: 503, outcome: 'not-applied', retryable: true };
    for (const answer of [
      await openbao.kvRead(sealed, at, token, never()),
      await openbao.kvMetadata(sealed, at, token, never()),
    ])
      expect(answer).toMatchObject({ state: 'failed', error: failed });
    const writing = openbao.kvWrite(sealed, { ...at, cas: 0, data: value }, token, never());
    await expect(writing).rejects.toMatchObject(failed);
    await expect(openbao.tokenInfo(sealed, token, never())).rejects.toMatchObject(failed);
    await expect(collect(openbao.raftSnapshot(sealed, token, never()))).rejects.toBeInstanceOf(OpenBaoError);
    expect((await openbao.kvRead(active, at, token, never())).state).toBe('found');
    await world().unseal();
  });

  async function standbyOf(active: OpenBaoPod): Promise<OpenBaoPod> {
    for (const pod of await world().pods()) {
      const node = await world().openbao.node(pod, never());
      if (pod.pod !== active.pod && !node.sealed && !node.active) return pod;
    }
    throw new Error('there is no standby');
  }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const piece of pieces) chunks.push(piece);
  return Buffer.concat(chunks);
}
