import type { JsonObject } from '../../engine/json.ts';
import { Secret } from '../../engine/secret.ts';
import type { DiffLine } from '../../engine/step-type.ts';
import type { KubernetesObject } from '../../services/kubernetes.ts';
import { textAt } from './fields.ts';
import { MASK } from './mask.ts';

type SecretData = Readonly<Record<string, string | Secret>>;

/** The manifest with its values, which exist only while `use` runs. */
export async function withSecretData<T>(
  manifest: JsonObject,
  values: SecretData,
  use: (manifest: JsonObject) => Promise<T>,
): Promise<T> {
  return await reveal(Object.entries(values), {}, (stringData) =>
    use(Object.keys(stringData).length === 0 ? manifest : { ...manifest, stringData }),
  );
}

/** Whether a Secret in the cluster holds these values. Compared here, so that no digest of a secret leaves. */
export function matchesSecretData(object: KubernetesObject, values: SecretData): boolean {
  return Object.entries(values).every(([key, value]) => {
    const live = Secret.fromText(key, Buffer.from(textAt(object.data, key), 'base64').toString('utf8'));
    return live.equals(value instanceof Secret ? value : Secret.fromText(key, value));
  });
}

/** A line for each value that would change, without the values. */
export function secretDiff(object: KubernetesObject | undefined, values: SecretData): readonly DiffLine[] {
  return Object.entries(values)
    .filter(([key, value]) => object === undefined || !matchesSecretData(object, { [key]: value }))
    .map(([key]) => ({
      path: `data.${key}`,
      ...(textAt(object?.data, key) !== '' && { before: MASK }),
      after: MASK,
    }));
}

async function reveal<T>(
  entries: readonly (readonly [string, string | Secret])[],
  revealed: JsonObject,
  use: (revealed: JsonObject) => Promise<T>,
): Promise<T> {
  const [entry, ...rest] = entries;
  if (entry === undefined) return await use(revealed);
  const [key, value] = entry;
  if (value instanceof Secret)
    return await value.revealText((text) => reveal(rest, { ...revealed, [key]: text }, use));
  return await reveal(rest, { ...revealed, [key]: value }, use);
}
