import type { Json, JsonObject } from '../json.ts';
import { isSecretPlaceholder, Secret, secretPlaceholder } from '../secret.ts';

/** 'steps.creds.outputs.value': what stands for a secret output in a journal. No input has a name with a dot. */
function nameOf(instance: string, field: string): string {
  return `steps.${instance}.outputs.${field}`;
}

/** The instance and the field that such a name means; undefined for another name. */
export function secretOutputOf(
  name: string,
): { readonly instance: string; readonly field: string } | undefined {
  const [, instance, field] = /^steps\.(.+)\.outputs\.(\w+)$/.exec(name) ?? [];
  return instance === undefined || field === undefined ? undefined : { instance, field };
}

/** Outputs as they are journaled, with the secrets that were taken out of them, by name. */
export function sealOutputs(
  instance: string,
  outputs: object,
): { readonly sealed: JsonObject; readonly secrets: ReadonlyMap<string, Secret> } {
  const secrets = new Map<string, Secret>();
  const seal = ([field, value]: [string, unknown]): readonly [string, Json] => {
    if (!(value instanceof Secret)) return [field, value as Json];
    const named = value.reveal((bytes) => new Secret(nameOf(instance, field), bytes));
    secrets.set(named.name, named);
    return [field, secretPlaceholder(named)];
  };
  return { sealed: Object.fromEntries(Object.entries(outputs).map(seal)), secrets };
}

/**
 * Outputs as templates see them: a secret is one again, though without a value, which only the step that gets it needs. A placeholder
 * that does not name its own place came from the world and is data.
 */
export function withStandIns(instance: string, outputs: JsonObject): JsonObject {
  const entries = Object.entries(outputs).map(([field, value]) => {
    const name = nameOf(instance, field);
    const own = isSecretPlaceholder(value) && value.$secret === name;
    const standIn = () =>
      Secret.deferred(name, () => Promise.reject(new Error(`${name} is only a name here`)));
    return [field, own ? standIn() : value] as const;
  });
  // Values of templates may be secrets; the facts of a run are typed as the journal has them.
  return Object.fromEntries(entries) as JsonObject;
}
