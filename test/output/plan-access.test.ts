import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import type { Access } from '../../src/engine/access.ts';
import { accessToRole } from '../../src/output/plan-access.ts';

const runbook = {
  name: 'restart',
  title: '',
  description: '',
  risk: 'low',
  path: '',
  digest: '',
  files: [],
} as const;

function need(
  verb: string,
  resource: string,
  more: { namespace?: string; name?: string; group?: string } = {},
): Access {
  return { system: 'kubernetes', verb, group: 'apps', resource, ...more };
}

function roles(...access: readonly Access[]): unknown {
  return parseAllDocuments(accessToRole({ access, runbook })).map((document) => document.toJSON());
}

const meta = { apiVersion: 'rbac.authorization.k8s.io/v1' };

describe('accessToRole', () => {
  test('gives a Role for each namespace and a ClusterRole for the rest', () => {
    const found = roles(
      need('get', 'deployments', { namespace: 'nvcf', name: 'a' }),
      need('get', 'pods', { namespace: 'other', group: '' }),
      need('get', 'namespaces', { group: '', name: 'kube-system' }),
    );
    const rule = (apiGroup: string, resource: string, names: readonly string[] | undefined) => [
      {
        apiGroups: [apiGroup],
        resources: [resource],
        ...(names === undefined ? {} : { resourceNames: names }),
        verbs: ['get'],
      },
    ];
    expect(found).toEqual([
      {
        ...meta,
        kind: 'Role',
        metadata: { name: 'runbook-restart', namespace: 'nvcf' },
        rules: rule('apps', 'deployments', ['a']),
      },
      {
        ...meta,
        kind: 'Role',
        metadata: { name: 'runbook-restart', namespace: 'other' },
        rules: rule('', 'pods', undefined),
      },
      {
        ...meta,
        kind: 'ClusterRole',
        metadata: { name: 'runbook-restart' },
        rules: rule('', 'namespaces', ['kube-system']),
      },
    ]);
  });

  test('puts the same verbs on several names into one rule, and never holds list, watch or create to a name', () => {
    const at = { namespace: 'nvcf' };
    const [role] = roles(
      need('get', 'deployments', { ...at, name: 'b' }),
      need('patch', 'deployments', { ...at, name: 'b' }),
      need('patch', 'deployments', { ...at, name: 'a' }),
      need('get', 'deployments', { ...at, name: 'a' }),
      need('watch', 'deployments', { ...at, name: 'a' }),
      need('get', 'statefulsets', at),
      need('get', 'statefulsets', { ...at, name: 'c' }),
    ) as readonly { readonly rules: unknown }[];
    expect(role?.rules).toEqual([
      { apiGroups: ['apps'], resources: ['deployments'], resourceNames: ['a', 'b'], verbs: ['get', 'patch'] },
      { apiGroups: ['apps'], resources: ['deployments'], verbs: ['watch'] },
      { apiGroups: ['apps'], resources: ['statefulsets'], verbs: ['get'] },
    ]);
  });

  test('adds the OpenBao policy as comments, so that the whole stays YAML', () => {
    const access: readonly Access[] = [
      need('get', 'pods', { namespace: 'n' }),
      { system: 'openbao', path: 'sys/step-down', capabilities: ['update', 'sudo'] },
      { system: 'openbao', path: 'sys/step-down', capabilities: ['read'] },
    ];
    const text = accessToRole({ access, runbook });
    expect(parse(text).kind).toBe('Role');
    expect(
      text.slice(text.indexOf('# ')),
    ).toBe(`# OpenBao policy; save it without the leading "# " and run: bao policy write runbook-restart FILE
#
# path "sys/step-down" {
#   capabilities = ["read", "sudo", "update"]
# }
`);
  });

  test('says so when nothing is needed', () => {
    expect(accessToRole({ access: [], runbook })).toBe('# this runbook needs no permissions\n');
  });
});
