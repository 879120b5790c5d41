import { describe, expect, test } from 'vitest';
import { steps } from '../../fakes/shipped-steps.ts';
import { apiKeys, ess } from './consumers-world.ts';
import { cassandra, first, openbao } from './rig.ts';

const types = [...steps.values()].filter(({ type }) => type.startsWith('mek.'));
const whole = {
  openbao,
  cassandra,
  apiKeys: cassandra,
  consumers: [ess, apiKeys],
  kid: first,
  file: '/backups/mek.age',
  recipients: ['age1x'],
  identity: 'AGE-SECRET-KEY-1X',
  cleanSince: '2027-01-10T06:59:00Z',
  fromVersion: 1,
};
const later = '‹known after x›';

describe.each(types.map((type) => [type.type, type] as const))('%s', (_, type) => {
  test('describes itself while a plan does not know all of its input', () => {
    for (const field of Object.keys(whole)) {
      const input = { ...whole, [field]: later } as never;
      expect(type.describe(input)).not.toMatch(/undefined|\[object/);
      expect(type.resources(input).length).toBeGreaterThan(0);
      for (const { path } of type.resources(input)) expect(path).not.toMatch(/undefined|\/\/|\s/);
      expect(JSON.stringify(type.access(input))).not.toContain('undefined');
    }
    const kubernetes = type
      .access({ ...whole, openbao: later, cassandra: later, apiKeys: later } as never)
      .filter((access) => access.system === 'kubernetes');
    expect(kubernetes.every(({ namespace }) => namespace !== undefined)).toBe(true);
  });

  test('asks OpenBao for the document or the credentials, and to be told what it may do', () => {
    const paths = type
      .access(whole as never)
      .flatMap((access) => (access.system === 'openbao' ? [`${access.path} ${access.capabilities}`] : []));
    expect(paths).toContain('sys/capabilities-self update');
    expect(paths.some((path) => /(stored_data|cassandra\/creds) read/.test(path))).toBe(true);
    const touches = type.effect === 'change' && !['mek.backup', 'mek.converge'].includes(type.type);
    expect(paths.some((path) => /data\/encryption\/keys\/stored_data read,.*update$/.test(path))).toBe(
      touches,
    );
  });

  test('finds a mistake in every group', () => {
    const wrong = (field: string, value: object) =>
      type.check?.({ ...whole, [field]: value } as never).map(({ path }) => path.join('.'));
    expect(wrong('openbao', { ...openbao, namespace: 'Not A Name' })).toEqual(['openbao.namespace']);
    expect(wrong('openbao', { ...openbao, selector: ' ' })).toEqual(['openbao.selector']);
    const known = type
      .access(whole as never)
      .some((access) => JSON.stringify(access).includes('api-keys-api'));
    if (known) expect(wrong('apiKeys', { ...cassandra, selector: '' })).toEqual(['apiKeys.selector']);
  });
});

describe('a group', () => {
  test('leads to the places that it names, with the defaults of a self-hosted control plane', () => {
    const activate = steps.get('mek.activate');
    const elsewhere = { ...openbao, mount: 'kv', path: 'a/b' };
    expect(activate?.resources({ ...whole, openbao: elsewhere } as never)[0]).toEqual({
      path: 'openbao-kv/vault-system/kv/a/b',
      mode: 'write',
    });
    expect(activate?.resources(whole as never)[0]?.path).toBe(
      'openbao-kv/vault-system/services/all/kv/encryption/keys/stored_data',
    );
    const places = activate?.check?.({ ...whole, openbao: { ...openbao, path: '/a/' } } as never);
    expect(places).toMatchObject([{ path: ['openbao', 'path'] }]);
  });
});
