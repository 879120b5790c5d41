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

/** Who calls the API server. */
export interface Who {
  readonly user: string;
  /** All that this user may do; absent: everything that nobody is denied. */
  readonly only?: readonly Denial[];
}

/** The user that the API server sees in the sandbox. */
export const OPERATOR: Who = { user: 'sandbox' };

export function fits(rule: Denial, call: Attributes): boolean {
  return (
    (rule.verb === undefined || rule.verb === call.verb) &&
    (rule.resource === undefined || rule.resource === call.resource) &&
    (rule.namespace === undefined || rule.namespace === call.namespace)
  );
}

export function isAllowed(world: World, call: Attributes, who: Who): boolean {
  const given = who.only === undefined || who.only.some((rule) => fits(rule, call));
  return given && !world.denials.some((denial) => fits(denial, call));
}

/** Refuses (403) what is denied to everybody, or what this user was not given. */
export function authorize(world: World, call: Attributes, who: Who): void {
  if (isAllowed(world, call, who)) return;
  const [plural = '', sub] = call.resource.split('/');
  const target = resourceName({ plural, group: call.group });
  const where =
    call.namespace === undefined ? 'at the cluster scope' : `in the namespace "${call.namespace}"`;
  const named = call.name === undefined ? '' : ` "${call.name}"`;
  throw new ApiFailure(
    403,
    'Forbidden',
    `${target}${named} is forbidden: User "${who.user}" cannot ${call.verb} resource "${plural}${sub === undefined ? '' : `/${sub}`}" in API group "${call.group}" ${where}`,
    { ...(call.name === undefined ? {} : { name: call.name }), kind: plural },
  );
}
