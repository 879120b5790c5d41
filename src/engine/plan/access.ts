import type { KubernetesReader } from '../../services/kubernetes.ts';
import type { Access } from '../access.ts';
import { accessFailure, isHopeless, type PlanProblem, sayError } from './problem.ts';

type KubernetesAccess = Extract<Access, { system: 'kubernetes' }>;

/** Everything that the run and its rollback need, each once, with those who need it. */
export interface AccessNeeds {
  add(accesses: readonly Access[], neededBy: string): void;
  /** Sorted, so that the same needs give the same plan. */
  all(): readonly Access[];
  neededBy(access: Access): readonly string[];
}

const MOST_NAMES = 3;

export function accessNeeds(): AccessNeeds {
  const needs = new Map<string, { readonly access: Access; readonly by: string[] }>();
  return {
    add(accesses, neededBy) {
      for (const access of accesses) {
        const key = keyOf(access);
        const known = needs.get(key);
        if (known === undefined) needs.set(key, { access, by: [neededBy] });
        else if (known.by.length < MOST_NAMES && !known.by.includes(neededBy)) known.by.push(neededBy);
      }
    },
    all() {
      const entries = [...needs.entries()].sort(([one], [other]) => (one < other ? -1 : 1));
      return entries.map(([, { access }]) => access);
    },
    neededBy: (access) => needs.get(keyOf(access))?.by ?? [],
  };
}

/** What the engine itself does: it pins the cluster, asks who it is, and holds a Lease for each lock. */
export function engineAccess(lockNamespace: string, locks: readonly string[]): readonly Access[] {
  const identity: readonly Access[] = [
    { system: 'kubernetes', verb: 'get', group: '', resource: 'namespaces', name: 'kube-system' },
    {
      system: 'kubernetes',
      verb: 'create',
      group: 'authorization.k8s.io',
      resource: 'selfsubjectaccessreviews',
    },
    { system: 'kubernetes', verb: 'create', group: 'authentication.k8s.io', resource: 'selfsubjectreviews' },
  ];
  if (locks.length === 0) return identity;
  const leases = ['get', 'create', 'patch'].map(
    (verb): Access => ({
      system: 'kubernetes',
      verb,
      group: 'coordination.k8s.io',
      resource: 'leases',
      namespace: lockNamespace,
    }),
  );
  return [...identity, ...leases];
}

/** Asks the API server about each; what it would refuse is a problem that names the steps that need it. */
export async function checkAccess(
  needs: AccessNeeds,
  kubernetes: KubernetesReader,
): Promise<readonly PlanProblem[]> {
  const wanted = needs.all().filter((access) => access.system === 'kubernetes');
  if (wanted.length === 0) return [];
  try {
    const denied = await deniedOf(wanted, kubernetes);
    return denied.map(({ access, reason }) => ({
      kind: 'access' as const,
      message: `not allowed: ${sayAccess(access)}, needed by ${needs.neededBy(access).join(', ')}${reason}`,
      hint: 'ask for the role that "plan --access" prints, or use another account',
    }));
  } catch (error) {
    const said = sayError(error);
    return [{ kind: accessFailure(error) ?? 'forbidden', ...said, message: unchecked(said.message, error) }];
  }
}

function unchecked(message: string, error: unknown): string {
  return isHopeless(error) ? message : `permissions could not be checked: ${message}`;
}

interface Denied {
  readonly access: KubernetesAccess;
  readonly reason: string;
}

/** Many names of one kind are asked for as a whole first: a right to all of them is the common case, and one question. */
async function deniedOf(
  wanted: readonly KubernetesAccess[],
  kubernetes: KubernetesReader,
): Promise<readonly Denied[]> {
  const groups = new Map<string, KubernetesAccess[]>();
  for (const access of wanted) {
    const key = keyOf(nameless(access));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [access]);
    else group.push(access);
  }
  const many = [...groups.values()].filter((group) => group.length > 1);
  const asked = [...groups.values()].flatMap((group) => (group.length > 1 ? group.slice(0, 1) : []));
  const answers = await ask(kubernetes, asked.map(nameless));
  const covered = new Set(many.flatMap((group, index) => (answers[index]?.allowed === true ? group : [])));
  const rest = wanted.filter((access) => !covered.has(access));
  const single = await ask(kubernetes, rest);
  return rest.flatMap((access, index) =>
    single[index]?.allowed === true ? [] : [{ access, reason: sayReason(single[index]) }],
  );
}

function ask(kubernetes: KubernetesReader, accesses: readonly KubernetesAccess[]) {
  return accesses.length === 0 ? Promise.resolve([]) : kubernetes.canI(accesses);
}

function nameless(access: KubernetesAccess): KubernetesAccess {
  const { name: _, ...kind } = access;
  return kind;
}

function sayReason(answer: { readonly reason: string } | undefined): string {
  return answer === undefined || answer.reason === '' ? '' : ` (${answer.reason})`;
}

/** 'patch deployments.apps "nvcf-api" in namespace nvcf' */
export function sayAccess(access: Access): string {
  if (access.system === 'openbao') return `${access.capabilities.join(', ')} ${access.path} in OpenBao`;
  const kind = access.group === '' ? access.resource : `${access.resource}.${access.group}`;
  const name = access.name === undefined ? '' : ` "${access.name}"`;
  const where = access.namespace === undefined ? '' : ` in namespace ${access.namespace}`;
  return `${access.verb} ${kind}${name}${where}`;
}

function keyOf(access: Access): string {
  return access.system === 'openbao'
    ? JSON.stringify(['openbao', access.path, [...access.capabilities].sort()])
    : JSON.stringify([
        'kubernetes',
        access.namespace ?? '',
        access.group,
        access.resource,
        access.name ?? '',
        access.verb,
      ]);
}
