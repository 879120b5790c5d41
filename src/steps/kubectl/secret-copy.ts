import type { JsonObject } from '../../engine/json.ts';
import { Secret } from '../../engine/secret.ts';
import type { ReadContext } from '../../engine/step-type.ts';
import type { KubernetesObject, ObjectRef } from '../../services/kubernetes.ts';
import { kinds } from '../../services/kubernetes.ts';
import { entriesAt, textAt } from './fields.ts';
import { isObject } from './touched.ts';

const format = 'runbook-secret-backup/v1';

export interface SecretName {
  readonly namespace: string;
  readonly name: string;
}

/** A Secret of Kubernetes as it is kept in a backup. */
export interface SecretCopy extends SecretName {
  /** UID of the `kube-system` namespace. */
  readonly cluster: string;
  readonly type: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Base64, as Kubernetes has it. Secret. */
  readonly data: Readonly<Record<string, string>>;
}

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration';

export function secretRef({ namespace, name }: SecretName): ObjectRef {
  return { kind: kinds.secrets, namespace, name };
}

/** Nobody can print a value of it from here on. */
export function copyOf(ctx: ReadContext, cluster: string, object: KubernetesObject): SecretCopy {
  const { namespace = '', name } = object.metadata;
  const annotations = { ...texts(object.metadata, 'annotations') };
  // It repeats the values.
  delete annotations[lastApplied];
  const copy: SecretCopy = {
    cluster,
    namespace,
    name,
    type: textAt(object, 'type') || 'Opaque',
    labels: texts(object.metadata, 'labels'),
    annotations,
    data: texts(object, 'data'),
  };
  protectCopy(ctx, copy);
  return copy;
}

export function protectCopy(ctx: ReadContext, { name, data }: SecretCopy): void {
  for (const [key, encoded] of Object.entries(data)) {
    const bytes = Buffer.from(encoded, 'base64');
    // The redactor takes nothing shorter; such a value would be found in innocent text.
    if (bytes.length >= 8) ctx.protect(new Secret(`${name} ${key}`, bytes));
  }
}

/** JSON. Secret until encrypted. */
export function secretContent(copy: SecretCopy): Secret {
  return Secret.fromText('backup', `${JSON.stringify({ format, ...copy })}\n`);
}

export function parseSecretCopy(
  bytes: Uint8Array,
): { readonly ok: true; readonly copy: SecretCopy } | { readonly ok: false; readonly problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    return { ok: false, problem: 'The backup holds no JSON.' };
  }
  if (!isObject(value) || value.format !== format)
    return { ok: false, problem: `The backup's format is not ${format}.` };
  const { cluster, namespace, name, type } = value;
  const named = [cluster, namespace, name, type].every((text) => typeof text === 'string' && text !== '');
  const maps = [value.labels, value.annotations, value.data].every(isTexts);
  if (!named || !maps) return { ok: false, problem: 'The backup lacks a member, or one has the wrong type.' };
  return { ok: true, copy: value as unknown as SecretCopy };
}

/** What Kubernetes is to make again. */
export function manifestOf({ namespace, name, type, labels, annotations, data }: SecretCopy): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { namespace, name, labels, annotations },
    type,
    data,
  };
}

/** Keys whose values differ, or that only one of them has. */
export function differingKeys(object: KubernetesObject, { data }: SecretCopy): readonly string[] {
  const live = texts(object, 'data');
  const bytes = (text: string | undefined) => (text === undefined ? undefined : Buffer.from(text, 'base64'));
  return [...new Set([...Object.keys(live), ...Object.keys(data)])]
    .filter((key) => {
      const [one, other] = [bytes(live[key]), bytes(data[key])];
      return one === undefined || other === undefined || !one.equals(other);
    })
    .sort();
}

function texts(value: unknown, field: string): Readonly<Record<string, string>> {
  return Object.fromEntries(entriesAt(value, field).map(([key, text]) => [key, String(text)]));
}

function isTexts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((text) => typeof text === 'string');
}
