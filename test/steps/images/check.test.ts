import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/services/kubernetes.ts';
import { check } from '../../../src/steps/images/check.ts';
import { digestOf, tagOf } from '../../../src/steps/images/reference.ts';
import { stepRig } from '../../fakes/step-context.ts';

describe('the name of an image', () => {
  test.each([
    ['nvcf/openbao:2.5.5-nv-1.3.1', '2.5.5-nv-1.3.1'],
    ['localhost:5000/nvcf/openbao', 'latest'],
    ['localhost:5000/nvcf/openbao:1', '1'],
    ['nvcf/openbao@sha256:ab', ''],
    ['nvcf/openbao:3@sha256:ab', '3'],
  ])('%s has the tag %j', (image, tag) => expect(tagOf(image)).toBe(tag));

  test.each([
    ['docker.io/nvcf/api@sha256:ab', 'sha256:ab'],
    ['sha256:ab', 'sha256:ab'],
    ['docker-pullable://nvcf/api@sha256:ab', 'sha256:ab'],
    ['', ''],
  ])('%s as it runs is %j', (id, digest) => expect(digestOf(id)).toBe(digest));
});

interface Given {
  readonly image?: string;
  readonly id?: string;
  readonly waiting?: string;
  readonly owner?: string;
  readonly kind?: string;
  readonly hash?: string;
  readonly sidecar?: string;
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly leaving?: boolean;
}

const target = { namespace: 'nvcf', selector: 'app=api' };

function rigOf(pods: Readonly<Record<string, Given>>) {
  const rig = stepRig();
  for (const [name, given] of Object.entries(pods)) {
    const { image = 'nvcf/api:1', id = 'sha256:one', waiting, hash, sidecar } = given;
    const state = waiting === undefined ? { running: {} } : { waiting: { reason: waiting } };
    const sidecars = sidecar === undefined ? [] : [{ name: 'agent', image: sidecar }];
    rig.cluster.put(kinds.pods, {
      metadata: {
        name,
        namespace: 'nvcf',
        labels: { app: 'api', ...(hash === undefined ? {} : { 'pod-template-hash': hash }) },
        ownerReferences: [
          { kind: given.kind ?? 'ReplicaSet', name: given.owner ?? 'api-77', uid: 'u', controller: true },
        ],
        ...(given.leaving === true ? { deletionTimestamp: '2027-01-01T00:00:00Z' } : {}),
      },
      spec: {
        initContainers: [{ name: 'prepare', image: 'nvcf/prepare:9' }],
        containers: [{ name: 'api', image, env: [...(given.env ?? [])] }, ...sidecars],
      },
      status: {
        phase: 'Running',
        containerStatuses: [{ name: 'api', state, imageID: waiting === undefined ? `x@${id}` : '' }],
      },
    });
  }
  return rig;
}

describe('images.check', () => {
  test('the same images on every pod of a Deployment are as they should be', async () => {
    const { ctx } = rigOf({ 'api-77-a': { hash: '77' }, 'api-77-b': { hash: '77' } });
    const outputs = await check.run({ ...target, tag: '1', container: 'api' }, ctx);
    expect(outputs).toMatchObject({
      ok: true,
      problems: [],
      pods: 2,
      summary: '2 images on 2 pods as they should be',
    });
    expect(outputs.containers[1]).toEqual({
      workload: 'Deployment api',
      name: 'api',
      init: false,
      image: 'nvcf/api:1',
      images: ['nvcf/api:1'],
      tags: ['1'],
      running: ['sha256:one'],
      pods: 2,
    });
  });

  test.each<readonly [string, Readonly<Record<string, Given>>, object, readonly string[]]>([
    [
      'different revisions of a Deployment',
      {
        'api-77-a': { hash: '77' },
        'api-78-a': { hash: '78', owner: 'api-78', image: 'nvcf/api:2' },
      },
      {},
      ['Deployment api: pods have different images for api: nvcf/api:1, nvcf/api:2'],
    ],
    [
      'a tag that was moved between two pulls',
      {
        a: { kind: 'StatefulSet', owner: 'api' },
        b: { kind: 'StatefulSet', owner: 'api', id: 'sha256:two' },
      },
      {},
      ['StatefulSet api: nvcf/api:1 of api is not the same on all pods: sha256:one, sha256:two'],
    ],
    ...['ErrImagePull', 'ImagePullBackOff', 'ErrImageNeverPull'].map(
      (reason) =>
        [
          reason,
          { a: { waiting: reason } },
          {},
          [`a: the image nvcf/api:1 of api cannot be had: ${reason}`],
        ] as const,
    ),
    [
      'another tag than expected',
      { a: {} },
      { tag: '2', container: 'api' },
      ['Deployment api-77: api has tag 1, expected 2'],
    ],
    [
      'a container that is not there',
      { a: {} },
      { tag: '2', container: 'ape' },
      ['there is no container ape'],
    ],
    [
      'tags that must be the same',
      { a: { sidecar: 'nvcf/agent:2', image: 'nvcf/api:1' } },
      { sameTag: ['api', 'agent'] },
      ['the tags must be the same and are not: api 1; agent 2'],
    ],
    [
      'an image that is put into other pods',
      { a: { env: [{ name: 'AGENT_INJECT_VAULT_IMAGE', value: 'nvcf/bao:3' }] } },
      { sameTag: ['api', 'AGENT_INJECT_VAULT_IMAGE'], imageVariables: ['AGENT_INJECT_VAULT_IMAGE'] },
      ['the tags must be the same and are not: api 1; AGENT_INJECT_VAULT_IMAGE 3'],
    ],
    [
      'a tag that cannot be compared',
      { a: {} },
      { sameTag: ['api', 'agent'] },
      ['agent, whose tag is to be compared, was not found'],
    ],
  ])('%s is a problem', async (_, pods, more, problems) => {
    const outputs = await check.run({ ...target, ...more }, rigOf(pods).ctx);
    expect(outputs.problems).toEqual(problems);
    expect(outputs.ok).toBe(false);
    expect(check.findings?.(outputs).details).toEqual(problems);
  });

  test('what only waits for its turn is no problem, and the same tags are fine', async () => {
    const { ctx } = rigOf({ a: { waiting: 'ContainerCreating', sidecar: 'nvcf/agent:1' } });
    const outputs = await check.run({ ...target, sameTag: ['api', 'agent'] }, ctx);
    expect(outputs.problems).toEqual([]);
  });

  test('a pod on its way out has no say', async () => {
    const { ctx } = rigOf({ a: {}, b: { image: 'nvcf/api:0', leaving: true } });
    expect(await check.run(target, ctx)).toMatchObject({ ok: true, pods: 1 });
  });
});
