import { type Kind, kinds } from './kubernetes.ts';
import { refusal } from './kubernetes-errors.ts';
import { builtinKinds, matchKinds, type NamedKind } from './kubernetes-kinds.ts';

/** Fetches a JSON document of the API server by path; `accept` chooses the aggregated form. */
export type FetchJson = (path: string, accept?: string) => Promise<unknown>;

export interface Discovery {
  kind(name: string): Promise<Kind>;
  /** The kind of a manifest. */
  kindOf(apiVersion: string, kind: string): Promise<Kind>;
}

/** What the API server serves, asked once and only for names that are not built in. */
export function createDiscovery(fetchJson: FetchJson): Discovery {
  let pending: Promise<readonly NamedKind[]> | undefined;
  const served = () => {
    pending ??= discover(fetchJson).catch((cause: unknown) => {
      pending = undefined;
      throw cause;
    });
    return pending;
  };
  return {
    kind: async (name) => {
      if (name.trim() === '')
        throw refusal('The kind is empty. — Name one, such as deployment.', 'EmptyName');
      const [builtin] = matchKinds(name, builtinKinds);
      return builtin ?? chooseKind(name, await served());
    },
    kindOf: async (apiVersion, kind) => {
      const [version = '', group = ''] = apiVersion.split('/').reverse();
      const fits = (known: Kind) => known.group === group && known.version === version && known.kind === kind;
      const builtin: Kind | undefined = Object.values(kinds).find(fits);
      if (builtin !== undefined) return builtin;
      const found = (await served()).find((entry) => fits(entry.kind));
      if (found !== undefined) return found.kind;
      const fresh = await listVersion(fetchJson, group, version);
      const other = fresh.find((entry) => fits(entry.kind));
      if (other !== undefined) return other.kind;
      throw refusal(
        `The API server does not serve ${kind} of ${apiVersion}. — Check apiVersion and kind; a CRD may not be installed.`,
        'UnknownKind',
      );
    },
  };
}

function chooseKind(name: string, served: readonly NamedKind[]): Kind {
  const found = matchKinds(name, served);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  if (first === undefined) {
    throw refusal(
      `The API server serves no kind called "${name}". — Check the spelling; a CRD may not be installed in this cluster.`,
      'UnknownKind',
    );
  }
  const choices = found.map((kind) => `${kind.plural}.${kind.group}`).join(', ');
  throw refusal(`"${name}" may mean ${choices}. — Write one of these.`, 'AmbiguousKind');
}

const aggregated =
  'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList, application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList, application/json';

async function discover(fetchJson: FetchJson): Promise<readonly NamedKind[]> {
  const [core, groups] = await Promise.all([fetchJson('/api', aggregated), fetchJson('/apis', aggregated)]);
  const documents = [field(core, 'items'), field(groups, 'items')];
  if (documents.every(Array.isArray)) return documents.flatMap(fromAggregated);
  const preferred = list(field(groups, 'groups')).map((group) =>
    text(field(field(group, 'preferredVersion'), 'groupVersion')),
  );
  const lists = await Promise.all([
    listVersion(fetchJson, '', 'v1'),
    // A broken aggregated API (metrics, for one) must not hide the others.
    ...preferred.map(async (groupVersion) => {
      const [group = '', version = ''] = groupVersion.split('/');
      return listVersion(fetchJson, group, version).catch(() => []);
    }),
  ]);
  return lists.flat();
}

/** APIGroupDiscoveryList: the first version of a group is the preferred one. */
function fromAggregated(items: unknown): readonly NamedKind[] {
  return list(items).flatMap((item) => {
    const group = text(field(field(item, 'metadata'), 'name'));
    const [preferred] = list(field(item, 'versions'));
    const version = text(field(preferred, 'version'));
    return list(field(preferred, 'resources')).map((resource) => ({
      kind: {
        group,
        version,
        plural: text(field(resource, 'resource')),
        kind: text(field(field(resource, 'responseKind'), 'kind')),
        namespaced: field(resource, 'scope') === 'Namespaced',
      },
      singular: text(field(resource, 'singularResource')),
      shortNames: list(field(resource, 'shortNames')).map(text),
    }));
  });
}

async function listVersion(
  fetchJson: FetchJson,
  group: string,
  version: string,
): Promise<readonly NamedKind[]> {
  const document = await fetchJson(group === '' ? `/api/${version}` : `/apis/${group}/${version}`);
  return list(field(document, 'resources'))
    .filter((resource) => !text(field(resource, 'name')).includes('/'))
    .map((resource) => ({
      kind: {
        group,
        version,
        plural: text(field(resource, 'name')),
        kind: text(field(resource, 'kind')),
        namespaced: field(resource, 'namespaced') === true,
      },
      singular: text(field(resource, 'singularName')),
      shortNames: list(field(resource, 'shortNames')).map(text),
    }));
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
