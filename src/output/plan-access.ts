import type { Access } from '../engine/access.ts';
import type { Json } from '../engine/json.ts';
import type { Plan } from '../engine/plan/plan.ts';
import { toYaml } from './yaml-text.ts';

type KubernetesAccess = Extract<Access, { system: 'kubernetes' }>;
type OpenBaoAccess = Extract<Access, { system: 'openbao' }>;

/**
 * The smallest Role for each namespace, ClusterRole for what has none, and OpenBao policy that a run of this plan and its rollback need.
 * One text: YAML documents, then the policy as comments with what to do with it, so that the whole can be piped into `kubectl apply -f -`.
 */
export function accessToRole(plan: Pick<Plan, 'access' | 'runbook'>): string {
  const kubernetes = plan.access.filter((access) => access.system === 'kubernetes');
  const openbao = plan.access.filter((access) => access.system === 'openbao');
  const name = `runbook-${plan.runbook.name}`;
  const namespaces = [...new Set(kubernetes.map((access) => access.namespace))].sort();
  const documents = namespaces.map((namespace) =>
    toYaml(
      roleOf(
        { name, namespace },
        kubernetes.filter((access) => access.namespace === namespace),
      ),
    ),
  );
  const policy = openbao.length === 0 ? [] : [policyOf(name, openbao)];
  if (documents.length === 0 && policy.length === 0) return '# this runbook needs no permissions\n';
  return [documents.join('---\n'), ...policy].filter((text) => text !== '').join('\n');
}

function roleOf(
  { name, namespace }: { readonly name: string; readonly namespace: string | undefined },
  accesses: readonly KubernetesAccess[],
): Json {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: namespace === undefined ? 'ClusterRole' : 'Role',
    metadata: namespace === undefined ? { name } : { name, namespace },
    rules: rulesOf(accesses),
  };
}

/** The API server ignores names for these, so a rule with names would never match. */
const NAMELESS = new Set(['list', 'watch', 'create', 'deletecollection']);

/** One rule for each set of verbs on the same things; names only where every verb can be held to them. */
function rulesOf(accesses: readonly KubernetesAccess[]): Json {
  const verbs = new Map<string, { readonly things: Things; readonly verbs: Set<string> }>();
  for (const { group, resource, name, verb } of accesses) {
    const things: Things = { group, resource, name: NAMELESS.has(verb) ? undefined : name };
    const key = JSON.stringify([group, resource, things.name ?? null]);
    const known = verbs.get(key) ?? { things, verbs: new Set() };
    verbs.set(key, known);
    known.verbs.add(verb);
  }
  const rules = new Map<
    string,
    { readonly things: Things; readonly verbs: string[]; readonly names: string[] }
  >();
  for (const { things, verbs: set } of verbs.values()) {
    const everywhere = verbs.get(JSON.stringify([things.group, things.resource, null]))?.verbs;
    const needed = [...set]
      .filter((verb) => things.name === undefined || everywhere?.has(verb) !== true)
      .sort();
    if (needed.length === 0) continue;
    const key = JSON.stringify([things.group, things.resource, things.name === undefined, needed]);
    const rule = rules.get(key) ?? { things, verbs: needed, names: [] };
    rules.set(key, rule);
    if (things.name !== undefined) rule.names.push(things.name);
  }
  return [...rules.values()].map(({ things, verbs: needed, names }) => ({
    apiGroups: [things.group],
    resources: [things.resource],
    ...(names.length === 0 ? {} : { resourceNames: names.sort() }),
    verbs: needed,
  }));
}

interface Things {
  readonly group: string;
  readonly resource: string;
  readonly name: string | undefined;
}

/** HCL in comments, because the text around it is YAML. */
function policyOf(name: string, accesses: readonly OpenBaoAccess[]): string {
  const paths = new Map<string, Set<string>>();
  for (const { path, capabilities } of accesses) {
    const known = paths.get(path) ?? new Set();
    for (const capability of capabilities) known.add(capability);
    paths.set(path, known);
  }
  const blocks = [...paths.entries()]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([path, capabilities]) => {
      const list = [...capabilities].sort().map((capability) => JSON.stringify(capability));
      return `path ${JSON.stringify(path)} {\n  capabilities = [${list.join(', ')}]\n}\n`;
    });
  const lines = `OpenBao policy; save it without the leading "# " and run: bao policy write ${name} FILE\n\n${blocks.join('\n')}`;
  return lines
    .trimEnd()
    .split('\n')
    .map((line) => `# ${line}`.trimEnd())
    .join('\n')
    .concat('\n');
}
