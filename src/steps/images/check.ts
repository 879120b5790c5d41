import type { ReadStepType } from '../../engine/step-type.ts';
import type { ImagesCheckOutputs, ImagesCheckWith } from '../../generated/types.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { listAt, textAt } from '../kubectl/fields.ts';
import { listMatching } from '../kubectl/pod-list.ts';
import { access, objectPath, reads, targetProblems } from '../kubectl/target.ts';
import { digestOf, tagOf } from './reference.ts';

type Container = ImagesCheckOutputs['containers'][number];

/** The image of one container of one pod. */
interface Use {
  readonly workload: string;
  readonly pod: string;
  readonly name: string;
  readonly init: boolean;
  readonly image: string;
  /** What runs: empty while nothing does. */
  readonly running: string;
  /** Why it cannot be had; empty when it can. */
  readonly failure: string;
}

const failures = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImageInspectError',
  'RegistryUnavailable',
]);

export const check: ReadStepType<ImagesCheckWith, ImagesCheckOutputs> = {
  type: 'images.check',
  effect: 'read',
  timeout: 60_000,
  describe: (input) => `images of the pods ${input.selector} in ${input.namespace}`,
  resources: (input) => reads(objectPath(input.namespace, 'pods')),
  access: (input) => [
    ...access(['list'], 'pods', { namespace: input.namespace }),
    ...access(['get'], 'namespaces', { name: input.namespace }),
  ],
  check: targetProblems,

  async run(input, ctx) {
    const pods = (await listMatching(ctx, input)).filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined,
    );
    const uses = pods.flatMap((pod) => usesOf(pod, input.imageVariables ?? []));
    const containers = groupsOf(uses).map(containerOf);
    const problems = [
      ...uses.flatMap(({ pod, name, image, failure }) =>
        failure === '' ? [] : [`${pod}: the image ${image} of ${name} cannot be had: ${failure}`],
      ),
      ...containers.flatMap(differing),
      ...(input.tag === undefined ? [] : wrongTags(containers, input.tag, input.container)),
      ...(input.sameTag === undefined ? [] : unlikeTags(containers, input.sameTag)),
    ];
    return {
      containers,
      pods: pods.length,
      ok: problems.length === 0,
      problems,
      summary:
        problems.length === 0
          ? `${containers.length} images on ${pods.length} ${pods.length === 1 ? 'pod' : 'pods'} as they should be`
          : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'} with ${containers.length} images`,
    };
  },

  findings: ({ problems }) => ({ details: problems }),
};

function usesOf(pod: KubernetesObject, variables: readonly string[]): readonly Use[] {
  const base = { workload: workloadOf(pod), pod: pod.metadata.name };
  const lists = [
    ['initContainers', 'initContainerStatuses', true],
    ['containers', 'containerStatuses', false],
  ] as const;
  return lists.flatMap(([list, states, init]) =>
    listAt(pod.spec, list).flatMap((container) => {
      const name = textAt(container, 'name');
      const status = listAt(pod.status, states).find((item) => textAt(item, 'name') === name);
      const reason = textAt(status, 'state', 'waiting', 'reason');
      const own: Use = {
        ...base,
        name,
        init,
        image: textAt(container, 'image'),
        running: digestOf(textAt(status, 'imageID')),
        failure: failures.has(reason) ? reason : '',
      };
      return [
        own,
        ...named(container, variables).map((item) => ({ ...own, ...item, running: '', failure: '' })),
      ];
    }),
  );
}

/** Images that a container will put into the pods of others: 'AGENT_INJECT_VAULT_IMAGE' of the injector. */
function named(container: unknown, variables: readonly string[]): readonly Pick<Use, 'name' | 'image'>[] {
  return listAt(container, 'env').flatMap((entry) => {
    const name = textAt(entry, 'name');
    const image = textAt(entry, 'value');
    return variables.includes(name) && image !== '' ? [{ name, image }] : [];
  });
}

/** 'ReplicaSet nvcf-api' for every revision of a Deployment, 'StatefulSet nats', or the pod itself. */
function workloadOf({ metadata: { name, labels, ownerReferences } }: KubernetesObject): string {
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  if (owner === undefined) return `Pod ${name}`;
  const hash = labels?.['pod-template-hash'];
  const short =
    hash !== undefined && owner.name.endsWith(`-${hash}`)
      ? owner.name.slice(0, -hash.length - 1)
      : owner.name;
  return `${owner.kind === 'ReplicaSet' ? 'Deployment' : owner.kind} ${short}`;
}

function groupsOf(uses: readonly Use[]): readonly (readonly Use[])[] {
  const groups = new Map<string, Use[]>();
  for (const use of uses) {
    const key = JSON.stringify([use.workload, use.init, use.name]);
    groups.set(key, [...(groups.get(key) ?? []), use]);
  }
  return [...groups.values()];
}

function containerOf(uses: readonly Use[]): Container {
  const [{ workload = '', name = '', init = false } = {}] = uses;
  const distinct = (values: readonly string[]) => [...new Set(values)].filter((value) => value !== '').sort();
  const images = distinct(uses.map(({ image }) => image));
  return {
    workload,
    name,
    init,
    image: images.length === 1 ? (images[0] ?? '') : '',
    images,
    tags: distinct(images.map(tagOf)),
    running: distinct(uses.map(({ running }) => running)),
    pods: uses.length,
  };
}

function differing({ workload, name, images, running }: Container): readonly string[] {
  if (images.length > 1) return [`${workload}: pods have different images for ${name}: ${images.join(', ')}`];
  if (running.length > 1)
    return [`${workload}: ${images[0]} of ${name} is not the same on all pods: ${running.join(', ')}`];
  return [];
}

function wrongTags(
  containers: readonly Container[],
  wanted: string,
  only: string | undefined,
): readonly string[] {
  const meant = containers.filter(({ name, init }) => (only === undefined ? !init : name === only));
  if (meant.length === 0) return [`there is no container ${only ?? ''}`];
  return meant.flatMap(({ workload, name, tags }) =>
    tags.length === 1 && tags[0] === wanted
      ? []
      : [`${workload}: ${name} has tag ${tags.join(', ') || '(none)'}, expected ${wanted}`],
  );
}

function unlikeTags(containers: readonly Container[], names: readonly string[]): readonly string[] {
  const found = names.map((name) => {
    const tags = containers.filter((item) => item.name === name).flatMap((item) => item.tags);
    return { name, tags: [...new Set(tags)].sort() };
  });
  const absent = found.filter(({ tags }) => tags.length === 0);
  const all = new Set(found.flatMap(({ tags }) => tags));
  return [
    ...absent.map(({ name }) => `${name}, whose tag is to be compared, was not found`),
    ...(all.size > 1
      ? [
          `the tags must be the same and are not: ${found
            .map(({ name, tags }) => `${name} ${tags.join(', ')}`)
            .join('; ')}`,
        ]
      : []),
  ];
}
