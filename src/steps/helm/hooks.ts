import type { HelmContent, HelmHook } from '../../services/helm.ts';

/** What Helm runs around an upgrade, in its order. */
export function upgradeHooks({ hooks }: Pick<HelmContent, 'hooks'>): readonly HelmHook[] {
  return inOrder(hooks, ['pre-upgrade', 'post-upgrade']);
}

export function rollbackHooks({ hooks }: Pick<HelmContent, 'hooks'>): readonly HelmHook[] {
  return inOrder(hooks, ['pre-rollback', 'post-rollback']);
}

function inOrder(hooks: readonly HelmHook[], phases: readonly [string, string]): readonly HelmHook[] {
  return phases.flatMap((phase) =>
    hooks
      .filter(({ events }) => events.includes(phase))
      .sort((a, b) => a.weight - b.weight || (a.name < b.name ? -1 : 1)),
  );
}

/** Jobs of an upgrade that began to run: what they did, nothing takes back. */
export function jobsThatRan(content: Pick<HelmContent, 'hooks'>): readonly string[] {
  return upgradeHooks(content)
    .filter(({ kind, phase }) => kind === 'Job' && phase !== '')
    .map(({ name }) => name);
}
