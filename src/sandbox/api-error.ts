import type { Kind } from '../services/kubernetes.ts';

interface Details {
  readonly name?: string;
  readonly group?: string;
  readonly kind?: string;
  readonly retryAfterSeconds?: number;
  readonly causes?: readonly {
    readonly reason: string;
    readonly message?: string;
    readonly field?: string;
  }[];
}

/** An answer of the API server that says no; nothing was changed. `body` is the `Status` of meta/v1 that it sends. */
export class ApiFailure extends Error {
  readonly status: number;
  readonly body: string;

  constructor(status: number, reason: string, message: string, details: Details = {}) {
    super(message);
    this.name = 'ApiFailure';
    this.status = status;
    this.body = JSON.stringify({
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      details,
      code: status,
    });
  }
}

/** How the API names a resource in its messages: 'deployments.apps'. */
export function resourceName(kind: Pick<Kind, 'group' | 'plural'>): string {
  return kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`;
}

function about(kind: Kind, name: string): Details {
  return { name, ...(kind.group === '' ? {} : { group: kind.group }), kind: kind.plural };
}

export function notFound(kind: Kind, name: string): ApiFailure {
  return new ApiFailure(404, 'NotFound', `${resourceName(kind)} "${name}" not found`, about(kind, name));
}

export function alreadyExists(kind: Kind, name: string): ApiFailure {
  return new ApiFailure(
    409,
    'AlreadyExists',
    `${resourceName(kind)} "${name}" already exists`,
    about(kind, name),
  );
}

export function conflict(kind: Kind, name: string): ApiFailure {
  const why = 'the object has been modified; please apply your changes to the latest version and try again';
  return new ApiFailure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": ${why}`,
    about(kind, name),
  );
}

/** A delete whose preconditions do not hold. */
export function preconditionFailed(
  kind: Kind,
  name: string,
  what: { field: string; wanted: string; found: string },
): ApiFailure {
  return new ApiFailure(
    409,
    'Conflict',
    `Operation cannot be fulfilled on ${resourceName(kind)} "${name}": the ${what.field} in the precondition (${what.wanted}) does not match the ${what.field} in record (${what.found}). The object might have been deleted and then recreated`,
    about(kind, name),
  );
}

/** `why` begins with the field: 'spec.replicas: Invalid value: -1: …'. */
export function invalid(kind: Kind, name: string, why: string): ApiFailure {
  const group = kind.group === '' ? '' : `.${kind.group}`;
  const field = /^[^:]+/.exec(why)?.[0] ?? '';
  return new ApiFailure(422, 'Invalid', `${kind.kind}${group} "${name}" is invalid: ${why}`, {
    ...about(kind, name),
    causes: [{ reason: 'FieldValueInvalid', field, message: why.slice(field.length + 2) }],
  });
}

export function badRequest(why: string): ApiFailure {
  return new ApiFailure(400, 'BadRequest', why);
}
