import path from 'node:path';
import { kubeconfigOf } from '../certificates.ts';
import { helmFolder, statePath } from '../paths.ts';
import { run } from '../shell.ts';

/** Runs the stack's own `helm` as the stack itself; what it prints. The program must have been built. */
export function helm(...args: readonly string[]): Promise<string> {
  const home = statePath('helm');
  // Nothing of the developer's own Helm, and no cache of theirs.
  const env = {
    PATH: process.env.PATH,
    HOME: home,
    HELM_CACHE_HOME: path.join(home, 'cache'),
    HELM_CONFIG_HOME: path.join(home, 'config'),
    HELM_DATA_HOME: path.join(home, 'data'),
    KUBECONFIG: kubeconfigOf('stack'),
  };
  return run(path.join(helmFolder(), 'helm'), args, { env });
}
