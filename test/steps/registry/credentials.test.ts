import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { judgeCredential, judgePullSecret } from '../../../src/steps/registry/credential.ts';
import { credentials } from '../../../src/steps/registry/credentials.ts';
import { stepRig } from '../../fakes/step-context.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');
const good = base64('$oauthtoken:canary-key');

describe('a credential', () => {
  test.each([
    ['user and password', good, ''],
    ['a colon in the password', base64('user:pass:word'), ''],
    ['a line break around it', `${good}\n`, ''],
    [
      'the password alone',
      base64('canary-password'),
      'decoded, it has no colon: the password was encoded without its user',
    ],
    ['no user', base64(':canary'), 'decoded, it has no user before the colon'],
    ['no password', base64('user:'), 'decoded, it has no password behind the colon'],
    [
      'a line break inside',
      base64('user:canary\n'),
      'decoded, it begins or ends with white space (a line break of echo, most often)',
    ],
    ['clear text', 'user:canary', 'it is user:password in clear, not base64 of it'],
    ['something else', 'canary!', 'it is not base64'],
    ['nothing', '', 'it is empty'],
    [
      'bytes that are no text',
      Buffer.from([0xff, 0xfe, 0xff]).toString('base64'),
      'decoded, it has no colon: the password was encoded without its user',
    ],
  ])('of %s', (_, text, problem) => {
    expect(judgeCredential(text)).toBe(problem);
    expect(problem).not.toContain('canary');
  });
});

describe('a pull Secret', () => {
  const judge = (auths: unknown) => judgePullSecret(JSON.stringify({ auths }));

  test('is judged registry by registry', () => {
    expect(
      judge({
        'nvcr.io': { auth: good },
        'docker.io': { auth: base64('canary') },
        'quay.io': { username: 'user', password: 'canary' },
        'ghcr.io': { username: 'other', password: 'canary-key', auth: good },
        'empty.io': {},
      }),
    ).toEqual([
      { name: 'nvcr.io', problem: '' },
      {
        name: 'docker.io',
        problem: 'auth: decoded, it has no colon: the password was encoded without its user',
      },
      { name: 'quay.io', problem: '' },
      { name: 'ghcr.io', problem: 'auth is not that of username and password beside it' },
      { name: 'empty.io', problem: 'it has neither auth nor username and password' },
    ]);
  });

  test.each([
    ['no JSON', '{', 'it is not JSON with auths'],
    ['no auths', '{}', 'it is not JSON with auths'],
    ['no registry', '{"auths":{}}', 'it names no registry'],
  ])('with %s is not in order', (_, json, problem) => {
    expect(judgePullSecret(json)).toEqual([{ name: '.dockerconfigjson', problem }]);
  });
});

describe('registry.credentials', () => {
  function rigOf(data: Readonly<Record<string, string>>, type: string) {
    const rig = stepRig();
    rig.cluster.put(kinds.namespaces, { metadata: { name: 'nvcf' } });
    const encoded = Object.fromEntries(Object.entries(data).map(([key, value]) => [key, base64(value)]));
    rig.cluster.put(kinds.secrets, { metadata: { name: 'pull', namespace: 'nvcf' }, type, data: encoded });
    return rig;
  }
  const target = { namespace: 'nvcf', secret: 'pull' };
  const config = JSON.stringify({
    auths: { 'nvcr.io': { auth: good }, 'docker.io': { auth: base64('canary') } },
  });

  test('says of every registry whether its credential has the right form, and nothing else', async () => {
    const { ctx, progress } = rigOf({ '.dockerconfigjson': config }, 'kubernetes.io/dockerconfigjson');
    const outputs = await credentials.run(target, ctx);
    expect(outputs).toMatchObject({
      count: 2,
      ok: false,
      problems: ['docker.io: auth: decoded, it has no colon: the password was encoded without its user'],
      summary: '1 of 2 credentials have the form user:password',
    });
    const told = JSON.stringify([outputs, credentials.findings?.(outputs), progress]);
    for (const secret of ['canary', good, base64('canary'), base64(config).slice(0, 30)])
      expect(told).not.toContain(secret);
  });

  test('looks at one key of another Secret', async () => {
    const { ctx } = rigOf({ credential: good, other: 'x' }, 'Opaque');
    expect(await credentials.run({ ...target, key: 'credential' }, ctx)).toMatchObject({
      ok: true,
      count: 1,
    });
  });

  test.each([
    ['a key that is not named', target, { code: 'key-needed' }],
    [
      'a key that is not there',
      { ...target, key: 'nope' },
      { code: 'key-missing', hint: 'Its keys: credential.' },
    ],
    ['a Secret that is not there', { ...target, secret: 'nope' }, { code: 'not-found' }],
  ])('%s is an error', async (_, input, error) => {
    const { ctx } = rigOf({ credential: good }, 'Opaque');
    await expect(credentials.run(input, ctx)).rejects.toMatchObject(error);
  });
});
