/** Steps into an object: a key, an index, or every item of a list. */
export type PathStep = string | number | '*';

/**
 * The part of JSONPath that names a value: `{.status.phase}`, `.spec.containers[0].name`, `{.items[*].kind}`,
 * `{.metadata.labels['openbao-active']}`. Undefined for anything else; braces are optional.
 */
export function parseJsonPath(text: string): readonly PathStep[] | undefined {
  const path = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : text;
  const step = /\.([A-Za-z_][\w-]*(?:\\\.[\w/-]+)*)|\[(\d{1,6})\]|\[\*\]|\['([^']+)'\]|\["([^"]+)"\]/y;
  const steps: PathStep[] = [];
  const start = path.startsWith('$') ? 1 : 0;
  for (step.lastIndex = start; step.lastIndex < path.length; ) {
    const match = step.exec(path);
    if (match === null) return undefined;
    const [whole, key, index, single, double] = match;
    if (index !== undefined) steps.push(Number(index));
    else if (whole === '[*]') steps.push('*');
    else steps.push((key ?? single ?? double ?? '').replaceAll('\\.', '.'));
  }
  return steps.length === 0 ? undefined : steps;
}

/** The values at a path as text, as kubectl prints them. */
export function valuesAt(object: unknown, path: readonly PathStep[]): readonly string[] {
  let current: readonly unknown[] = [object];
  for (const step of path) current = current.flatMap((value) => enter(value, step));
  return current.map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
}

function enter(value: unknown, step: PathStep): readonly unknown[] {
  if (step === '*') return Array.isArray(value) ? value : [];
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return [];
  const found = (value as Record<string | number, unknown>)[step];
  return found === null || found === undefined ? [] : [found];
}
