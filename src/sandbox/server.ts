import type { Json } from '../engine/json.ts';
import type { Kind, ObjectRef, PatchOptions } from '../services/kubernetes.ts';
import { applyObject, createObject, existing, patchObject } from './api.ts';
import { ApiFailure, badRequest, notFound } from './api-error.ts';
import { type Attributes, isAllowed, type Who } from './authorization.ts';
import { apiVersionOf, served, shortNames } from './catalog.ts';
import { type DeleteOptions, deleteObject } from './deletion.ts';
import type { Thing } from './objects.ts';
import { type Fields, isFields } from './patch.ts';
import { scaleOf } from './scale.ts';
import { fieldFilter, labelFilter } from './selector.ts';
import type { World } from './world.ts';

/** A call as it reaches the API server. */
export interface ServerCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly contentType?: string;
}

/** The API server's version. */
const VERSION = 'v1.34.4';

interface Target {
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly sub: string | undefined;
}

const PATH =
  /^\/(?:api\/(v1)|apis\/([^/]+)\/([^/]+))(?:\/namespaces\/([^/]+)(?=\/[^/]))?\/([^/]+)(?:\/([^/]+)(?:\/([^/]+))?)?$/;

function targetOf(path: string): Target {
  const match = PATH.exec(path);
  const [, core, group = '', version = core, namespace, plural, name, sub] = match ?? [];
  // '/namespaces/x/pods' names a collection, '/namespaces/x' the namespace itself, '/namespaces/x/status' its status.
  const kind = served.find(
    (known) => known.group === group && known.version === version && known.plural === plural,
  );
  if (match === null || kind === undefined)
    throw new ApiFailure(404, 'NotFound', 'the server could not find the requested resource');
  const decoded = (text: string | undefined) => (text === undefined ? undefined : decodeURIComponent(text));
  return { kind, namespace: decoded(namespace), name: decoded(name), sub };
}

const VERBS = { GET: 'get', POST: 'create', PATCH: 'patch', DELETE: 'delete' } as const;

/** What the authorizer is asked about a call; undefined for calls that everyone may make. */
export function attributesOf(call: ServerCall): Attributes | undefined {
  if (/^\/(?:api|apis|version)$|\/selfsubject/.test(call.path)) return undefined;
  const { kind, namespace, name, sub } = targetOf(call.path);
  const listing = call.method === 'GET' && name === undefined;
  const verb = listing ? (call.query.watch === 'true' ? 'watch' : 'list') : VERBS[call.method];
  return {
    verb,
    group: kind.group,
    resource: sub === undefined ? kind.plural : `${kind.plural}/${sub}`,
    namespace,
    name,
  };
}

function parsed(call: ServerCall): Fields {
  const body: unknown = JSON.parse(call.body ?? '{}');
  if (!isFields(body)) throw badRequest('the body is no object');
  return body;
}

function discovery(core: boolean): unknown {
  const groups = [...new Set(served.map(({ group }) => group))].filter((group) => (group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    items: groups.map((group) => {
      const kinds = served.filter((kind) => kind.group === group);
      return {
        metadata: { name: group },
        versions: [
          {
            version: kinds[0]?.version,
            resources: kinds.map((kind) => ({
              resource: kind.plural,
              responseKind: { group, version: kind.version, kind: kind.kind },
              scope: kind.namespaced ? 'Namespaced' : 'Cluster',
              singularResource: kind.kind.toLowerCase(),
              shortNames: Object.entries(shortNames)
                .filter(([, plural]) => plural === kind.plural)
                .map(([short]) => short),
            })),
          },
        ],
      };
    }),
  };
}

/** SelfSubjectReview and SelfSubjectAccessReview. */
export function review(world: World, call: ServerCall, who: Who): unknown {
  const body = parsed(call);
  if (call.path.endsWith('/selfsubjectreviews'))
    return {
      ...body,
      status: { userInfo: { username: who.user, groups: ['system:authenticated'] } },
    };
  const spec = isFields(body.spec) ? body.spec : {};
  const asked = (isFields(spec.resourceAttributes) ? spec.resourceAttributes : {}) as Readonly<
    Record<string, string | undefined>
  >;
  const allowed = isAllowed(
    world,
    {
      verb: asked.verb ?? '',
      group: asked.group ?? '',
      resource:
        asked.subresource === undefined ? (asked.resource ?? '') : `${asked.resource}/${asked.subresource}`,
      namespace: asked.namespace,
      name: asked.name,
    },
    who,
  );
  return { ...body, status: { allowed, reason: allowed ? '' : 'denied in the sandbox' } };
}

function list(world: World, target: Target, query: ServerCall['query']): unknown {
  const { kind, namespace } = target;
  const byLabel = labelFilter(query.labelSelector);
  const byField = fieldFilter(query.fieldSelector, kind.kind);
  const items = world.store.all(kind, namespace).filter((thing) => byLabel(thing) && byField(thing));
  return {
    kind: `${kind.kind}List`,
    apiVersion: apiVersionOf(kind),
    metadata: { resourceVersion: String(world.store.version) },
    items,
  };
}

const PATCH_TYPES: Readonly<Record<string, PatchOptions['type']>> = {
  'application/strategic-merge-patch+json': 'strategic',
  'application/merge-patch+json': 'merge',
  'application/json-patch+json': 'json',
};

function patch(world: World, given: { ref: ObjectRef; call: ServerCall; sub: string | undefined }): Thing {
  const { ref, call, sub } = given;
  const write = { dryRun: call.query.dryRun === 'All', manager: call.query.fieldManager ?? 'unknown' };
  if (call.contentType === 'application/apply-patch+yaml')
    return applyObject(world, parsed(call), { ...write, force: call.query.force === 'true' });
  const type = PATCH_TYPES[call.contentType ?? ''];
  if (type === undefined)
    throw new ApiFailure(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - ${call.contentType ?? ''}`,
    );
  const body = JSON.parse(call.body ?? '{}') as Json;
  return patchObject(
    world,
    { ref, patch: { type, body, ...(sub === undefined ? {} : { subresource: sub }) } },
    write,
  );
}

function deletionOptions(call: ServerCall): DeleteOptions & { readonly dryRun: boolean } {
  const body = parsed(call);
  const { preconditions, gracePeriodSeconds, propagationPolicy } = body as {
    preconditions?: { uid?: string; resourceVersion?: string };
    gracePeriodSeconds?: number;
    propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  };
  return {
    ...preconditions,
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy === undefined ? {} : { propagation: propagationPolicy }),
    // As the API server does: with a body, the query's options are not looked at.
    dryRun: call.body === undefined && call.query.dryRun === 'All',
  };
}

/** Answers one call that its caller may make, and changes the world if it is one that changes. Throws `ApiFailure` for a refusal. */
export function handle(world: World, call: ServerCall): unknown {
  const asked = attributesOf(call);
  if (asked === undefined) {
    if (call.path === '/version') return { major: '1', minor: '34', gitVersion: VERSION };
    return discovery(call.path === '/api');
  }
  const target = targetOf(call.path);
  const { kind, namespace, name, sub } = target;
  if (name === undefined) {
    if (call.method === 'GET') return list(world, target, call.query);
    const manifest = parsed(call);
    const metadata = isFields(manifest.metadata) ? manifest.metadata : {};
    const given = metadata.namespace;
    if (given !== undefined && given !== namespace)
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    return createObject(
      world,
      { ...manifest, metadata: { ...metadata, ...(namespace === undefined ? {} : { namespace }) } },
      { dryRun: call.query.dryRun === 'All', manager: call.query.fieldManager ?? 'unknown' },
    );
  }
  const ref: ObjectRef = { kind, ...(namespace === undefined ? {} : { namespace }), name };
  if (call.method === 'PATCH') return patch(world, { ref, call, sub });
  const object = existing(world, ref);
  if (call.method === 'DELETE') {
    deleteObject(world, ref, deletionOptions(call));
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success' };
  }
  if (sub === 'scale') return scaleOf(kind, object);
  if (sub !== undefined && sub !== 'status') throw notFound(kind, `${name}/${sub}`);
  return object;
}
