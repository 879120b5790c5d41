import type { Answer } from './nodes.ts';
import type { ClusterView, KeyspaceCopies, RingMember } from './nodetool-output.ts';

/** One node's view of the whole. */
export interface View {
  readonly ring: readonly RingMember[];
  readonly cluster: ClusterView;
}

/** A member of the ring, as all views together have it. */
export interface Node {
  /** Empty: no pod of the selector has this address. */
  readonly pod: string;
  readonly address: string;
  readonly datacenter: string;
  readonly rack: string;
  readonly hostId: string;
  /** 'UN' when every view says so, else the first that says otherwise; '?' when some view does not have it. */
  readonly state: string;
  readonly owns: string;
}

export interface Ring {
  readonly nodes: readonly Node[];
  /** Every view has the same members in the same states. */
  readonly agreed: boolean;
  /** Where views differ, or a pod is no member, a line each. */
  readonly disagreements: readonly string[];
  readonly schemaVersions: readonly string[];
  readonly schemaAgreed: boolean;
  /** Nodes that may still go down with LOCAL_QUORUM kept; -1 when it is lost already or cannot be told. */
  readonly spare: number;
}

type Answered = Answer<View> & { readonly value: View };

export function ringOf(answers: readonly Answer<View>[]): Ring {
  const answered = answers.filter((answer): answer is Answered => answer.value !== undefined);
  const podAt = new Map(answers.map(({ pod }) => [pod.address, pod.name]));
  const addresses = [
    ...new Set(answered.flatMap(({ value }) => value.ring.map(({ address }) => address))),
  ].sort();
  const nodes = addresses
    .map((address) => nodeAt(answered, address, podAt.get(address) ?? ''))
    .sort((a, b) => (`${a.pod || '~'} ${a.address}` < `${b.pod || '~'} ${b.address}` ? -1 : 1));
  const disagreements = [
    ...nodes.flatMap((node) => differences(answered, node)),
    ...answers.flatMap(({ pod }) =>
      answered.length === 0 || addresses.includes(pod.address)
        ? []
        : [`${pod.name} (${pod.address || 'without an address'}) is in nobody's ring`],
    ),
  ];
  const schemas = answered.map(({ value }) => value.cluster);
  const schemaVersions = [...new Set(schemas.flatMap(({ schemas: known }) => [...known.keys()]))].sort();
  return {
    nodes,
    agreed: answered.length === answers.length && disagreements.length === 0,
    disagreements,
    schemaVersions,
    schemaAgreed:
      answered.length > 0 &&
      schemaVersions.length === 1 &&
      schemas.every(({ unreachable }) => unreachable.length === 0),
    spare: spareOf(answers, answered, nodes),
  };
}

function nodeAt(answered: readonly Answered[], address: string, pod: string): Node {
  const views = answered.map(({ value }) => value.ring.find((member) => member.address === address));
  const known = views.find((member) => member !== undefined);
  const states = views.map((member) => member?.state ?? '?');
  const { datacenter = '', rack = '', hostId = '', owns = '' } = known ?? {};
  return {
    pod,
    address,
    datacenter,
    rack,
    hostId,
    owns,
    state: states.find((state) => state !== 'UN') ?? 'UN',
  };
}

function differences(answered: readonly Answered[], node: Node): readonly string[] {
  const said = answered.map(({ pod, value }) => {
    const member = value.ring.find(({ address }) => address === node.address);
    return { by: pod.name, state: member?.state ?? 'nothing', hostId: member?.hostId ?? '' };
  });
  const name = node.pod || node.address;
  const states = new Set(said.map(({ state }) => state));
  const ids = new Set(said.flatMap(({ hostId }) => (hostId === '' ? [] : [hostId])));
  return [
    ...(states.size > 1 ? [`${name}: ${said.map(({ by, state }) => `${by} says ${state}`).join(', ')}`] : []),
    ...(ids.size > 1 ? [`${name}: its host ID differs between views`] : []),
  ];
}

/** Tables of Cassandra's own that no client reads at a quorum. */
const own = /^system(?:_traces|_distributed|_schema|_views|_virtual_schema)?$/;

/**
 * However the copies lie: so many nodes of a datacenter may be down as the keyspace with the fewest copies there can do
 * without. A node that somebody does not see up, or that did not answer itself, counts as down, and so does a copy that no node is there for.
 */
function spareOf(
  answers: readonly Answer<View>[],
  answered: readonly Answered[],
  nodes: readonly Node[],
): number {
  const silent = new Set(answers.flatMap(({ pod, value }) => (value === undefined ? [pod.address] : [])));
  const up = nodes.filter(({ state, address }) => state === 'UN' && !silent.has(address));
  const keyspaces = answered[0]?.value.cluster.keyspaces.filter(({ keyspace }) => !own.test(keyspace)) ?? [];
  const spares = keyspaces.flatMap((keyspace) => spareIn(keyspace, nodes, up));
  return spares.length === 0 ? -1 : Math.max(-1, Math.min(...spares));
}

function spareIn({ copies }: KeyspaceCopies, nodes: readonly Node[], up: readonly Node[]): readonly number[] {
  return [...copies].map(([datacenter, number]) => {
    const here = (list: readonly Node[]) =>
      list.filter((node) => datacenter === '' || node.datacenter === datacenter).length;
    const needed = Math.floor(number / 2) + 1;
    const down = Math.max(here(nodes), number) - here(up);
    return number - needed - down;
  });
}
