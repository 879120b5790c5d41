import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import type { SecretSource } from '../engine/read/runbook.ts';
import { minPatternLength } from '../engine/redactor-encodings.ts';
import { Secret } from '../engine/secret.ts';
import { KubernetesError, kinds } from './kubernetes.ts';
import type { Prompt } from './prompt.ts';
import { failure } from './secret-source-error.ts';
import { fromOpenBao, type OpenBaoSecretIo } from './secret-source-openbao.ts';

export { SecretSourceError } from './secret-source-error.ts';

/** What reading a secret may need; each part is asked only when the source names it. */
export interface SecretIo extends OpenBaoSecretIo {
  /** Effective user id of this process. */
  readonly euid: number;
  readonly prompt: Prompt;
}

/** Largest secret; a key set of a hundred keys has 20 kB. */
const maxBytes = 64 * 1024;

/** Reads the value of the input `name` from its source. Throws `SecretSourceError`. */
export async function readSecret(name: string, source: SecretSource, io: SecretIo): Promise<Secret> {
  const secret = await readSource(name, source, io);
  if (secret.byteLength === 0) throw failure(name, source, 'is empty', 'put the value there');
  if (secret.byteLength > maxBytes)
    throw failure(name, source, `is larger than ${maxBytes / 1024} KiB`, 'check that it is the right one');
  if (secret.byteLength < minPatternLength)
    throw failure(
      name,
      source,
      `is shorter than ${minPatternLength} bytes, too short to be hidden in output`,
      'use a longer secret',
    );
  return secret;
}

async function readSource(name: string, source: SecretSource, io: SecretIo): Promise<Secret> {
  if ('env' in source) return fromEnvironment(name, source, io);
  if ('file' in source) return new Secret(name, await readSecretFile(name, source, io.euid));
  if ('prompt' in source) return fromPrompt(name, source, io);
  if ('kubernetes' in source) return fromKubernetes(name, source, io);
  return fromOpenBao(name, source, io);
}

function fromEnvironment(
  name: string,
  source: SecretSource & { readonly env: string },
  io: SecretIo,
): Secret {
  const { env } = source;
  const own = `RUNBOOK_SECRET_${name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()}`;
  if (!/^RUNBOOK_SECRET_[A-Z0-9_]+$/.test(env) && env !== 'BAO_TOKEN' && env !== 'VAULT_TOKEN')
    throw failure(
      name,
      source,
      'is not read: secrets come from variables named RUNBOOK_SECRET_…, BAO_TOKEN or VAULT_TOKEN, which are kept from child processes',
      `name it ${own} in the runbook and in the environment`,
    );
  const value = io.takeEnv(env);
  if (value === undefined)
    throw failure(name, source, 'is not set', `read it without echo: read -rs ${env}; export ${env}`);
  return Secret.fromText(name, value);
}

async function fromPrompt(
  name: string,
  source: SecretSource & { readonly prompt: string },
  io: SecretIo,
): Promise<Secret> {
  const answer = await io.prompt.secret(name, source.prompt, io.signal);
  if (answer === 'no-terminal')
    throw failure(
      name,
      source,
      'cannot be asked: there is no terminal',
      'start it at a terminal, or let the runbook read the secret from a file or the environment',
    );
  return answer;
}

async function fromKubernetes(
  name: string,
  source: Extract<SecretSource, { readonly kubernetes: unknown }>,
  io: SecretIo,
): Promise<Secret> {
  const { namespace, name: object, key } = source.kubernetes;
  const reader = await io.kubernetes();
  const found = await reader.get({ kind: kinds.secrets, namespace, name: object }).catch((error: unknown) => {
    if (!(error instanceof KubernetesError)) throw error;
    throw failure(
      name,
      source,
      `cannot be read: ${error.message}`,
      `kubectl auth can-i get secrets -n ${namespace}`,
      error,
    );
  });
  if (found === undefined)
    throw failure(name, source, 'does not exist', `kubectl get secrets -n ${namespace}`);
  const data = found.data ?? {};
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  if (typeof value !== 'string') {
    const keys = Object.keys(data);
    throw failure(
      name,
      source,
      'does not exist in it',
      keys.length === 0 ? 'it holds no data' : `its keys: ${keys.join(', ')}`,
    );
  }
  return new Secret(name, Buffer.from(value, 'base64'));
}

/** A regular file of our own that nobody else can read; the last line break does not belong to the value. */
async function readSecretFile(
  name: string,
  source: SecretSource & { readonly file: string },
  euid: number,
): Promise<Uint8Array> {
  const { file } = source;
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
    (error: NodeJS.ErrnoException) => {
      throw failure(
        name,
        source,
        openProblems[error.code ?? ''] ?? `cannot be opened (${error.code})`,
        `ls -l ${file}`,
      );
    },
  );
  try {
    const { mode, size, uid } = await handle.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      throw failure(name, source, 'is not a regular file', `ls -l ${file}`);
    if (uid !== euid) throw failure(name, source, `belongs to user ${uid}, not to you`, `ls -l ${file}`);
    if ((mode & 0o077) !== 0)
      throw failure(
        name,
        source,
        `can be read by others (mode ${(mode & 0o777).toString(8)})`,
        `chmod 600 ${file}`,
      );
    if (size > maxBytes)
      throw failure(name, source, `is larger than ${maxBytes / 1024} KiB`, 'check that it is the right one');
    const bytes = Buffer.alloc(maxBytes + 1);
    const length = await fill(handle, bytes);
    return withoutLastBreak(bytes.subarray(0, length));
  } finally {
    await handle.close();
  }
}

const openProblems: Readonly<Record<string, string>> = {
  EACCES: 'cannot be read: permission denied',
  ELOOP: 'is a symbolic link, which could lead elsewhere tomorrow',
  ENOENT: 'does not exist',
  ENOTDIR: 'does not exist',
};

async function fill(handle: Awaited<ReturnType<typeof open>>, bytes: Buffer): Promise<number> {
  let length = 0;
  while (length < bytes.length) {
    const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return length;
}

function withoutLastBreak(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  if (bytes[end - 1] === 0x0a) end -= 1;
  if (end < bytes.length && bytes[end - 1] === 0x0d) end -= 1;
  return bytes.subarray(0, end);
}
