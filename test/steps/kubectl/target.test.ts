import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { knownKind, resourceName } from '../../../src/steps/kubectl/kinds.ts';
import { access, objectPath, requireTarget, targetProblems } from '../../../src/steps/kubectl/target.ts';

const empty = ['', ' ', '\t', '-n', '--all', '*', 'a b', 'A', 'a/b/c', '../x', 'a\nb', '$(id)'];

describe('targetProblems', () => {
  test.each(['namespace', 'name', 'pod'] as const)('%s takes no empty, blank or disguised value', (field) => {
    for (const value of empty)
      expect(targetProblems({ [field]: value }), JSON.stringify(value)).toHaveLength(1);
    for (const value of ['nvcf', 'a1', 'openbao-server-0'])
      expect(targetProblems({ [field]: value })).toEqual([]);
  });

  test('a selector is not empty, blank or an option', () => {
    for (const value of ['', ' ', '-l app=x', '--all'])
      expect(targetProblems({ selector: value })).toHaveLength(1);
    expect(targetProblems({ selector: 'app.kubernetes.io/name=x,!old' })).toEqual([]);
  });

  test('a name with a kind in it is taken apart in the hint', () => {
    expect(targetProblems({ name: 'Deployment/nvcf-api' })[0]).toMatchObject({
      path: ['name'],
      hint: 'Write the name alone: name: nvcf-api, with kind: Deployment.',
    });
  });

  test('a kind of an extension needs its group', () => {
    expect(targetProblems({ kind: 'HTTPRoute' })[0]?.hint).toContain('httproutes.gateway.networking.k8s.io');
    expect(targetProblems({ kind: 'httproutes.gateway.networking.k8s.io' })).toEqual([]);
    expect(() => requireTarget({ kind: 'Frobnicator' })).toThrow(
      expect.objectContaining({ code: 'invalid-target', outcome: 'not-applied' }),
    );
  });
});

test('a kind is known by all its usual names', () => {
  for (const written of [
    'Deployment',
    'deployment',
    'deployments',
    'deploy',
    'deployments.apps',
    'Deployment.apps',
  ])
    expect(knownKind(written), written).toEqual(kinds.deployments);
  for (const written of ['deployments.extensions', 'dep', '', 'foo.bar.io'])
    expect(knownKind(written)).toBeUndefined();
  expect(resourceName('cm')).toBe('configmaps');
  expect(resourceName('hpa')).toBe('horizontalpodautoscalers.autoscaling');
});

test('paths go from the coarse to the fine, with * for what is not known', () => {
  expect(objectPath('nvcf', 'Deployment', 'nvcf-api')).toBe('kubernetes/nvcf/deployments.apps/nvcf-api');
  expect(objectPath('nvcf', 'pods')).toBe('kubernetes/nvcf/pods/*');
  expect(objectPath('‹known after a/b›', 'pods', '‹known after x›')).toBe('kubernetes/*/pods/*');
  expect(objectPath(undefined, 'nodes', 'n1')).toBe('kubernetes/-/nodes/n1');
});

test('an access names the object only for verbs that Kubernetes can restrict to a name', () => {
  expect(access(['get', 'list'], 'sts', { namespace: 'nvcf', name: 'nats' })).toEqual([
    {
      system: 'kubernetes',
      verb: 'get',
      group: 'apps',
      resource: 'statefulsets',
      namespace: 'nvcf',
      name: 'nats',
    },
    { system: 'kubernetes', verb: 'list', group: 'apps', resource: 'statefulsets', namespace: 'nvcf' },
  ]);
  expect(access(['get'], 'pods', { namespace: 'nvcf', subresource: 'log' })[0]).toMatchObject({
    resource: 'pods/log',
  });
});
