import type { World } from '../world.ts';
import type { BaoCluster, BaoPolicy } from './state.ts';
import { isRootToken } from './view.ts';

/** What every token may do that was not made without it. */
const DEFAULT: BaoPolicy = {
  'auth/token/lookup-self': ['read'],
  'auth/token/renew-self': ['update'],
  'auth/token/revoke-self': ['update'],
  'sys/capabilities-self': ['update'],
};

/** `path "…" { capabilities = ["…"] }`, as often as it stands there. */
export function parsePolicy(hcl: string): BaoPolicy {
  const rules = hcl
    .replace(/^\s*(?:#|\/\/).*$/gm, '')
    .matchAll(/path\s+"([^"]+)"\s*\{[^}]*?capabilities\s*=\s*\[([^\]]*)\]/g);
  return Object.fromEntries(
    [...rules].map(([, path = '', list = '']) => [
      path,
      [...list.matchAll(/"([^"]+)"/g)].map(([, capability]) => capability ?? ''),
    ]),
  );
}

/** Whose token it is; undefined for one that is not known, or not any more. */
export interface Bearer {
  readonly root: boolean;
  readonly policies: readonly string[];
}

export function bearerOf(world: World, cluster: BaoCluster, token: string | undefined): Bearer | undefined {
  if (token === undefined || token === '') return undefined;
  if (isRootToken(world, cluster.namespace, token)) return { root: true, policies: ['root'] };
  const known = cluster.tokens.get(token);
  if (known === undefined || world.timeline.now >= known.createdAt + known.ttl) return undefined;
  return { root: false, policies: known.policies };
}

/** Sorted; ['root'] for the root token, ['deny'] for nothing. */
export function capabilities(cluster: BaoCluster, bearer: Bearer, path: string): readonly string[] {
  if (bearer.root) return ['root'];
  const granted = new Map<string, readonly string[]>();
  for (const name of bearer.policies)
    for (const [pattern, list] of Object.entries(policyOf(cluster, name)))
      granted.set(pattern, [...(granted.get(pattern) ?? []), ...list]);
  const [best] = [...granted.keys()].filter((pattern) => fits(pattern, path)).sort(bySpecificity);
  const found = [...new Set(best === undefined ? [] : granted.get(best))].sort();
  return found.length === 0 || found.includes('deny') ? ['deny'] : found;
}

/** Is there any path in the mount that the bearer has a rule for? */
export function mayTouch(cluster: BaoCluster, bearer: Bearer, mount: string): boolean {
  if (bearer.root) return true;
  return bearer.policies.some((name) =>
    Object.keys(policyOf(cluster, name)).some((pattern) => {
      const fixed = pattern.split(/[+*]/)[0] ?? '';
      return fixed.startsWith(`${mount}/`) || (fixed !== pattern && `${mount}/`.startsWith(fixed));
    }),
  );
}

function policyOf(cluster: BaoCluster, name: string): BaoPolicy {
  return name === 'default' ? DEFAULT : (cluster.policies.get(name) ?? {});
}

function fits(pattern: string, path: string): boolean {
  const open = pattern.endsWith('*');
  const source = (open ? pattern.slice(0, -1) : pattern)
    .split('/')
    .map((segment) => (segment === '+' ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('/');
  return new RegExp(`^${source}${open ? '' : '$'}`).test(path);
}

/** As the policies' documentation ranks patterns: a later wildcard, no '*' at the end, fewer '+', longer. */
function bySpecificity(a: string, b: string): number {
  const rank = (pattern: string) => {
    const first = pattern.search(/[+*]/);
    const pluses = pattern.split('/').filter((segment) => segment === '+').length;
    return [
      first < 0 ? Number.MAX_SAFE_INTEGER : first,
      pattern.endsWith('*') ? 0 : 1,
      -pluses,
      pattern.length,
    ];
  };
  const [left, right] = [rank(a), rank(b)];
  const at = left.findIndex((value, index) => value !== right[index]);
  return at < 0 ? 0 : (right[at] ?? 0) - (left[at] ?? 0);
}
