/**
 * Moves every `RUNBOOK_SECRET_*` out of the environment, so that no child process inherits one, and gives a `takeEnv`
 * over what was moved. Other variables are moved when they are asked for.
 */
export function secretEnvironment(
  env: Record<string, string | undefined>,
): (name: string) => string | undefined {
  const taken = new Map<string, string | undefined>();
  const take = (name: string): string | undefined => {
    if (!taken.has(name)) {
      taken.set(name, env[name]);
      delete env[name];
    }
    return taken.get(name);
  };
  for (const name of Object.keys(env)) if (name.startsWith('RUNBOOK_SECRET_')) take(name);
  return take;
}
