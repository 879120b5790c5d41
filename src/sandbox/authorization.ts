import { ApiFailure, resourceName } from './api-error.ts';
import type { Denial, World } from './world.ts';

/** One call as the API server's authorizer sees it. */
export interface Attributes {
  readonly verb: string;
  readonly group: string;
  /** Plural, with a subresource if there is one. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
}

/** The user that the API server sees in the sandbox. */
export const USER = 'sandbox';

export function fits(rule: Denial, call: Attributes): boolean {
  return (
    (rule.verb === undefined || rule.verb === call.verb) &&
    (rule.resource === undefined || rule.resource === call.resource) &&
    (rule.namespace === undefined || rule.namespace === call.namespace)
  );
}

export function isAllowed(world: World, call: Attributes): boolean {
  return !world.denials.some((denial) => fits(denial, call));
}

/** The API server's 403. */
export function forbidden(call: Attributes): ApiFailure {
  const [plural = '', sub] = call.resource.split('/');
  const target = resourceName({ plural, group: call.group });
  const where =
    call.namespace === undefined ? 'at the cluster scope' : `in the namespace "${call.namespace}"`;
  const named = call.name === undefined ? '' : ` "${call.name}"`;
  return new ApiFailure(
    403,
    'Forbidden',
    `${target}${named} is forbidden: User "${USER}" cannot ${call.verb} resource "${plural}${sub === undefined ? '' : `/${sub}`}" in API group "${call.group}" ${where}`,
    { ...(call.name === undefined ? {} : { name: call.name }), kind: plural },
  );
}

/** Refuses (403) what a denial forbids. */
export function authorize(world: World, call: Attributes): void {
  if (!isAllowed(world, call)) throw forbidden(call);
}
