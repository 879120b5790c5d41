import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { judge } from '../../../src/steps/certificates/chain.ts';
import { check } from '../../../src/steps/certificates/check.ts';
import { stepRig } from '../../fakes/step-context.ts';
import { shortCertificate, testCertificate, testKey } from '../../fakes/tls-pair.ts';

const at = (date: string) => Date.parse(date);
// The first certificate ends on 2126-10-31 at 15:33:14.
const given = (date: string, minDays = 30) => ({ now: at(date), minDays });

describe('a chain of certificates', () => {
  test('is valid while there are enough days left', () => {
    expect(judge(testCertificate, given('2126-10-01T15:33:13Z'))).toMatchObject({
      state: 'valid',
      problem: '',
      days: 30,
      subject: 'CN=cassandra.test',
      issuer: 'CN=cassandra.test',
      names: ['cassandra.test'],
      notBefore: '2026-11-24T15:33:14.000Z',
      notAfter: '2126-10-31T15:33:14.000Z',
      chain: 1,
    });
  });

  test.each([
    ['2126-10-01T15:33:15Z', 'expiring', 29, 'it expires on 2126-10-31, in 29 days'],
    ['2126-10-30T15:33:14Z', 'expiring', 1, 'it expires on 2126-10-31, in 1 day'],
    ['2126-10-31T15:33:14Z', 'expired', 0, 'it expired on 2126-10-31'],
    ['2126-11-30T00:00:00Z', 'expired', -30, 'it expired on 2126-10-31'],
    ['2026-11-24T00:00:00Z', 'not-yet-valid', 36500, 'it is valid only from 2026-11-24 on'],
  ])('at %s it is %s', (date, state, days, problem) => {
    expect(judge(testCertificate, given(date))).toMatchObject({ state, days, problem });
  });

  test('ends with the first of its certificates, and says which one that is', () => {
    const verdict = judge(testCertificate + shortCertificate, given('2027-03-22T00:00:00Z'));
    expect(verdict).toMatchObject({
      state: 'expiring',
      subject: 'CN=cassandra.test',
      notAfter: '2027-04-01T00:00:00.000Z',
      chain: 2,
      problem: 'it expires on 2027-04-01, in 10 days (certificate 2 of the chain)',
    });
  });

  test.each([
    ['nothing', '', 'tls.crt is empty'],
    ['something else', 'hello', 'tls.crt holds no certificate'],
    ['a private key', testKey, 'tls.crt holds no certificate'],
    [
      'one that is cut',
      testCertificate + shortCertificate.replace(/\n.{64}\n/, '\n'),
      'certificate 2 of 2 in tls.crt cannot be read',
    ],
  ])('with %s in it is malformed, and not quoted', (_, pem, problem) => {
    expect(judge(pem, given('2027-01-01T00:00:00Z'))).toMatchObject({
      state: 'malformed',
      problem,
      subject: '',
      days: 0,
    });
  });
});

describe('certificates.check', () => {
  const base64 = (text: string) => Buffer.from(text).toString('base64');

  async function rigOf(secrets: Readonly<Record<string, string>>, type = 'kubernetes.io/tls') {
    const rig = stepRig();
    const wait = at('2027-03-22T00:00:00Z') - rig.clock.now();
    await rig.clock.advance(wait, wait);
    rig.cluster.put(kinds.namespaces, { metadata: { name: 'nvcf' } });
    for (const [name, crt] of Object.entries(secrets))
      rig.cluster.put(kinds.secrets, {
        metadata: { name, namespace: 'nvcf' },
        type,
        data: { 'tls.crt': base64(crt), 'tls.key': base64(testKey) },
      });
    return rig;
  }

  test('names every Secret whose certificate is not valid for long enough', async () => {
    const { ctx } = await rigOf({ b: shortCertificate, a: testCertificate, c: 'broken' });
    const outputs = await check.run({ namespaces: ['nvcf'] }, ctx);
    expect(outputs.certificates.map(({ secret, state }) => [secret, state])).toEqual([
      ['a', 'valid'],
      ['b', 'expiring'],
      ['c', 'malformed'],
    ]);
    expect(outputs).toMatchObject({
      count: 3,
      ok: false,
      problems: ['nvcf/b: it expires on 2027-04-01, in 10 days', 'nvcf/c: tls.crt holds no certificate'],
      soonest: 10,
      summary: '1 of 3 certificates are valid for 30 more days',
    });
    expect(check.findings?.(outputs).details).toEqual(outputs.problems);
  });

  test('never tells anything of a private key, in whatever form', async () => {
    // Somebody mixed the two up: the key lies where the certificate belongs.
    const { ctx, progress } = await rigOf({ mixed: testKey, fine: testCertificate });
    const told = JSON.stringify([await check.run({ namespaces: ['nvcf'] }, ctx), progress]);
    const lines = testKey.split('\n').filter((line) => line !== '' && !line.startsWith('-----'));
    for (const line of lines) {
      expect(told).not.toContain(line);
      expect(told).not.toContain(base64(line).slice(0, 20));
    }
    expect(lines.length).toBeGreaterThan(1);
  });

  test('asks for Secrets of that type alone', async () => {
    const { ctx } = await rigOf({ other: testCertificate }, 'Opaque');
    await expect(check.run({ namespaces: ['nvcf'] }, ctx)).rejects.toMatchObject({ code: 'no-match' });
    const outputs = await check.run({ namespaces: ['nvcf'], allowNone: true }, ctx);
    expect(outputs).toMatchObject({ count: 0, ok: true, soonest: 0 });
  });

  test('a namespace that is not there is an error, even when none is needed', async () => {
    const { ctx } = await rigOf({});
    await expect(check.run({ namespaces: ['nvfc'], allowNone: true }, ctx)).rejects.toMatchObject({
      code: 'namespace-not-found',
    });
  });
});
