import { createDecipheriv } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { openSandbox, type Sandbox, type SandboxOptions } from '../../src/sandbox/open.ts';
import { setOf } from '../sandbox/keys-rig.ts';
import { never } from '../sandbox/rig.ts';
import type { AtTheEnd } from './rig.ts';

/** Of every world here: the seed that the program takes unless it is told another. */
export const seed = 1;
/** Few namespace keys, so that a run is quick. */
export const few = { namespaces: 3, each: 4 };

/** A folder with a world that `--world` can begin with; everything in it has settled. */
export async function prepareWorld(
  change: (sandbox: Sandbox) => void | Promise<void>,
  options: Partial<SandboxOptions> & { readonly done?: AtTheEnd } = {},
): Promise<string> {
  const { done = onTestFinished, ...rest } = options.from === undefined ? { neks: few, ...options } : options;
  const dir = mkdtempSync(path.join(tmpdir(), 'runbook-world-'));
  done(() => rmSync(dir, { recursive: true, force: true }));
  const sandbox = openSandbox({ seed, dir, ...rest });
  await sandbox.services.clock.sleep(10 * 60_000, never);
  await change(sandbox);
  sandbox.close();
  return dir;
}

/** Looks at the world in a folder and leaves it as it is. */
export function lookAt<T>(folder: string, look: (sandbox: Sandbox) => T): T {
  if (!existsSync(path.join(folder, 'world.jsonl'))) throw new Error(`no world in ${folder}`);
  const sandbox = openSandbox({ seed, from: folder });
  try {
    return look(sandbox);
  } finally {
    sandbox.close();
  }
}

export interface KeysOfWorld {
  readonly version: number;
  readonly current: string;
  /** By kid, in the order of the set. */
  readonly keys: ReadonlyMap<string, string>;
  readonly privateJwks: ReadonlyMap<string, string>;
}

/** The document as it lies in the simulated OpenBao, read without the code under test. */
export function keysOf({ inspect }: Sandbox): KeysOfWorld {
  const found = inspect.secret();
  if (found === undefined) throw new Error('there is no document');
  const set = (name: 'keys' | 'private_jwks') =>
    new Map(setOf(found.data, name).map(({ kid, k }) => [kid, k]));
  const { version, data } = found;
  return {
    version,
    current: String(data.current_kid),
    keys: set('keys'),
    privateJwks: set('private_jwks'),
  };
}

/** Every namespace key that a row holds, opened with the keys of the document; by thumbprint. */
export function namespaceKeysOf(sandbox: Sandbox): ReadonlyMap<string, Buffer> {
  const { keys } = keysOf(sandbox);
  const opened = new Map<string, Buffer>();
  for (const { kid, encryptedKey, encryptedByKid } of sandbox.inspect.nekRows()) {
    const k = keys.get(encryptedByKid ?? '');
    if (encryptedKey === null || k === undefined || opened.has(kid)) continue;
    opened.set(kid, Buffer.from(openJwe(encryptedKey, Buffer.from(k, 'base64url')), 'base64url'));
  }
  return opened;
}

function openJwe(jwe: string, key: Uint8Array): string {
  const [header = '', , iv = '', text = '', tag = ''] = jwe.split('.');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(header));
  decipher.setAuthTag(Buffer.from(tag, 'base64url'));
  return Buffer.concat([decipher.update(Buffer.from(text, 'base64url')), decipher.final()]).toString();
}

/** What was promised to clients that is not kept, now or after a restart of every service. */
export function brokenPromises({ inspect }: Sandbox): readonly string[] {
  return [false, true].flatMap((afterRestart) => [
    ...inspect.everySecretReadable({ afterRestart }).problems,
    ...inspect.everyApiKeyValid({ afterRestart }).problems,
    ...inspect.everyWorkerTokenRenewed({ afterRestart }).problems,
  ]);
}
