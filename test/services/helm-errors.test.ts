import { describe, expect, test } from 'vitest';
import { helmFailure, hiddenTexts, sayHelm } from '../../src/services/helm-errors.ts';

const write = { what: 'upgrade release nvcf/api', write: true };
const registry = { what: 'fetch the chart oci://r/c 1.0.0', write: false, registry: true };

describe('what helm says becomes a reason', () => {
  test.each([
    [
      'Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress',
      'pending',
      'not-applied',
    ],
    ['Error: UPGRADE FAILED: secrets "sh.helm.release.v1.api.v3" already exists', 'pending', 'not-applied'],
    ['Error: release: not found', 'release-missing', 'not-applied'],
    ['Error: UPGRADE FAILED: "api" has no deployed releases', 'release-missing', 'not-applied'],
    ['Error: release has no 9 version', 'release-missing', 'not-applied'],
    [
      "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):\nweb:\n- at '/replicas': got string, want integer\n",
      'values',
      'not-applied',
    ],
    [
      'Error: Kubernetes cluster unreachable: Get "https://api:6443/version": dial tcp: i/o timeout',
      'unreachable',
      'unknown',
    ],
    [
      'Error: UPGRADE FAILED: query: failed to query with labels: secrets is forbidden: User "bob" cannot list resource "secrets"',
      'forbidden',
      'unknown',
    ],
    [
      'Error: UPGRADE FAILED: post-upgrade hooks failed: 1 error occurred:\n\t* job api-migrate failed: BackoffLimitExceeded\n\n',
      'failed',
      'unknown',
    ],
    ['Error: UPGRADE FAILED: context deadline exceeded', 'failed', 'unknown'],
  ])('%s', (stderr, reason, outcome) => {
    expect(helmFailure(write, `WARNING: something\n${stderr}\n`, 'x')).toMatchObject({ reason, outcome });
  });

  test.each([
    ['Error: failed to perform "FetchReference" on source: r/c:1.0.0: not found', 'chart-missing'],
    [
      'Error: failed to perform "FetchReference" on source: GET "https://r/v2/": response status code 401: Unauthorized',
      'forbidden',
    ],
    [
      'Error: failed to perform "FetchReference" on source: Get "https://r/v2/": dial tcp 1.2.3.4:443: connect: connection refused',
      'unreachable',
    ],
  ])('of a registry: %s', (stderr, reason) => {
    expect(helmFailure(registry, stderr, 'x')).toMatchObject({ reason, outcome: 'not-applied' });
  });

  test('what can be tried again is told from what cannot', () => {
    expect(helmFailure(write, 'Error: Kubernetes cluster unreachable: x', 'x').retryable).toBe(true);
    expect(
      helmFailure(write, 'Error: UPGRADE FAILED: timed out waiting for the condition', 'x').retryable,
    ).toBe(false);
  });

  test('silence is explained by how it ended', () => {
    expect(helmFailure(write, '', 'helm ended with exit code 1').message).toBe(
      'Cannot upgrade release nvcf/api: helm ended with exit code 1',
    );
  });
});

describe('what helm says is not repeated whole', () => {
  test('objects after "Invalid value" are left out, however they are quoted', () => {
    const object = '{\\"data\\":{\\"password\\":\\"Y2FuYXJ5\\"}}';
    expect(sayHelm(`cannot patch "x": Invalid value: "${object}": json: cannot unmarshal`)).toBe(
      'cannot patch "x": Invalid value: «hidden»: json: cannot unmarshal',
    );
    expect(sayHelm(`cannot patch "x": Invalid value: "${object}`)).not.toContain('Y2FuYXJ5');
    expect(sayHelm('spec.replicas: Invalid value: -1: must be greater than 0')).toBe(
      'spec.replicas: Invalid value: «hidden»: must be greater than 0',
    );
    expect(sayHelm('spec.x: Invalid value: map[string]interface{}{"a":"canary"}: no')).not.toContain(
      'canary',
    );
  });

  test('values that a schema refuses are left out', () => {
    const said = sayHelm(
      "- at '/password': 'hunter2' does not match pattern '^x'\n- at '/a': got string, want integer",
    );
    expect(said).not.toContain('hunter2');
    expect(said).toContain("at '/password'");
    expect(said).toContain('got string, want integer');
  });

  test('values at hand are left out, in base64 too, and names are kept', () => {
    const hidden = hiddenTexts({ a: { password: 'hunter2' }, image: 'api', list: ['s3cret-two'], n: 12345 }, [
      'api',
    ]);
    const encoded = Buffer.from('hunter2').toString('base64');
    expect(sayHelm(`api failed: hunter2 and ${encoded} and s3cret-two`, hidden)).toBe(
      'api failed: «hidden» and «hidden» and «hidden»',
    );
  });

  test('long quotations are left out, and what stands between short ones is not', () => {
    expect(sayHelm(`a "${'canary '.repeat(20)}" b`)).toBe('a «hidden» b');
    expect(sayHelm(`a "${'canary '.repeat(20)}`)).toBe('a «hidden»');
    const plain = `secrets "x" is forbidden: ${'because '.repeat(12)}"y" is being terminated`;
    expect(sayHelm(plain)).toBe(plain);
  });

  test('long texts are cut', () => {
    expect(sayHelm('word '.repeat(1000)).length).toBeLessThan(610);
  });
});
