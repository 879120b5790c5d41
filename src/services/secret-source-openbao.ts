import type { SecretSource } from '../engine/read/runbook.ts';
import { Secret } from '../engine/secret.ts';
import { KubernetesError, type KubernetesReader, kinds } from './kubernetes.ts';
import type { KvPath, KvRead, OpenBaoPod, OpenBaoReader } from './openbao.ts';
import { failure, type SecretSourceError } from './secret-source-error.ts';

/** How OpenBao is asked for a secret. */
export interface OpenBaoSecretIo {
  /** Takes a variable out of the environment; the same value again when asked again. */
  takeEnv(name: string): string | undefined;
  kubernetes(): Promise<KubernetesReader>;
  /** Its API and its server pods; undefined when the service inventory has no entry for it. */
  readonly openbao:
    | {
        readonly reader: Pick<OpenBaoReader, 'node' | 'kvRead'>;
        readonly namespace: string;
        readonly selector: string;
      }
    | undefined;
  /** Keeps a token that was read out of every output. */
  protect(secret: Secret): void;
  readonly signal: AbortSignal;
}

type Source = Extract<SecretSource, { readonly openbao: unknown }>;

/** Variables that may hold the token; others, and the root token's Secret, are not looked at. */
const tokenVariables = ['RUNBOOK_SECRET_BAO_TOKEN', 'BAO_TOKEN'];

/**
 * A field of a key-value secret. The path is the one of the API: '<mount>/data/<path>'. Throws `SecretSourceError`: a failed
 * read is a failure, and a version without content says why it has none.
 */
export async function fromOpenBao(name: string, source: Source, io: OpenBaoSecretIo): Promise<Secret> {
  const at = placeOf(name, source);
  const token = tokenOf(name, source, io);
  const pods = await serverPods(name, source, io);
  const read = await readFrom(pods, { ...at, ...versionOf(source) }, token, io);
  if (read.state === 'failed')
    throw failure(
      name,
      source,
      `cannot be read: ${read.error.message}`,
      read.error.status === 403
        ? `the token in ${tokenVariables.join(' or ')} needs the capability read on ${source.openbao.path}`
        : 'bao.status shows which pods are unsealed, and which one is active',
      read.error,
    );
  if (read.state === 'not-found') {
    const version = read.version === undefined ? '' : ` (version ${read.version})`;
    const what = read.reason === 'absent' ? 'does not exist' : `is ${read.reason}${version}`;
    throw failure(name, source, what, `bao kv metadata get -mount=${at.mount} ${at.path}`);
  }
  return fieldOf(name, source, read.data);
}

function placeOf(name: string, source: Source): KvPath {
  const [mount = '', ...rest] = source.openbao.path.split('/data/');
  const path = rest.join('/data/');
  if (mount !== '' && path !== '') return { mount, path };
  throw failure(
    name,
    source,
    'is not a path of the key-value API',
    'write it as MOUNT/data/PATH, for example services/all/kv/data/encryption/keys/stored_data',
  );
}

function versionOf({ openbao }: Source): { readonly version?: number } {
  return openbao.version === undefined ? {} : { version: openbao.version };
}

function tokenOf(name: string, source: Source, io: OpenBaoSecretIo): Secret {
  for (const variable of tokenVariables) {
    const value = io.takeEnv(variable);
    if (value === undefined || value.trim() === '') continue;
    const token = Secret.fromText('OpenBao token', value);
    io.protect(token);
    return token;
  }
  throw failure(
    name,
    source,
    `cannot be read without a token: ${tokenVariables.join(' and ')} are not set, and the Secret of the root token is never used unasked`,
    'read it without echo: read -rs BAO_TOKEN; export BAO_TOKEN',
  );
}

async function serverPods(name: string, source: Source, io: OpenBaoSecretIo): Promise<readonly OpenBaoPod[]> {
  if (io.openbao === undefined)
    throw failure(
      name,
      source,
      'cannot be read: the service inventory has no service "openbao"',
      'add it to services.yaml, or to the file named with --services',
    );
  const { namespace, selector } = io.openbao;
  const kubernetes = await io.kubernetes();
  const found = await kubernetes
    .list(kinds.pods, { namespace, labelSelector: selector })
    .catch((error: unknown): never => {
      throw error instanceof KubernetesError ? unlisted(name, source, error) : error;
    });
  if (found.length > 0)
    return found.map(({ metadata }) => ({ namespace, pod: metadata.name, uid: metadata.uid }));
  throw failure(
    name,
    source,
    `cannot be read: no pod in namespace ${namespace} matches '${selector}'`,
    `kubectl get pods -n ${namespace} -l ${selector}`,
  );
}

function unlisted(name: string, source: Source, error: KubernetesError): SecretSourceError {
  const hint = 'the pods of OpenBao are found through the API server';
  return failure(name, source, `cannot be read: ${error.message}`, hint, error);
}

/** The active pod's answer if it is known which one that is; otherwise that of the first pod that has one. */
async function readFrom(
  pods: readonly OpenBaoPod[],
  at: KvPath & { readonly version?: number },
  token: Secret,
  { openbao, signal }: OpenBaoSecretIo,
): Promise<KvRead> {
  const reader = openbao?.reader;
  if (reader === undefined) throw new RangeError('there is no OpenBao to ask');
  const asked = await Promise.all(
    pods.map(async (pod) => {
      const node = await reader.node(pod, signal).catch(() => undefined);
      return { pod, rank: node?.active === true ? 0 : node?.sealed === true ? 2 : 1 };
    }),
  );
  asked.sort((a, b) => a.rank - b.rank);
  let last: KvRead | undefined;
  for (const { pod } of asked) {
    const read = await reader.kvRead(pod, at, token, signal);
    if (read.state !== 'failed' || !read.error.retryable) return read;
    last ??= read;
  }
  if (last === undefined) throw new RangeError('there is no pod to ask');
  return last;
}

function fieldOf(name: string, source: Source, data: Secret): Secret {
  const { field } = source.openbao;
  return data.revealText((text) => {
    const fields = JSON.parse(text) as Readonly<Record<string, unknown>>;
    const value = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (typeof value === 'string') return Secret.fromText(name, value);
    const names = Object.keys(fields);
    throw failure(
      name,
      source,
      value === undefined ? 'does not exist in it' : 'is no text',
      names.length === 0 ? 'it holds no field' : `its fields: ${names.join(', ')}`,
    );
  });
}
