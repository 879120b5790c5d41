import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import type { AskOpenBao } from './openbao.ts';
import { binaryFolder, stackFolder } from './paths.ts';
import type { SeedData } from './seed-data.ts';
import { runVisibly, say, waitFor } from './shell.ts';

/** Name of the secrets engine in OpenBao's catalogue, and of its program. */
export const jwtPlugin = 'nvcf-jwt';
const mount = 'services/ess-api/jwt';
const module = path.join(stackFolder(), 'go', 'openbao');

/** Folder that OpenBao loads its engines from. */
export function jwtPluginFolder(): string {
  const hash = createHash('sha256');
  for (const file of ['go.mod', 'go.sum', 'jwt/main.go']) hash.update(readFileSync(path.join(module, file)));
  return path.join(binaryFolder(), '..', '..', `jwt-${hash.digest('hex').slice(0, 16)}`);
}

/** Builds the stand-in for NVCF's JWT engine unless it is there; seconds, once OpenBao itself was built. */
export async function ensureJwtPlugin(): Promise<void> {
  const target = path.join(jwtPluginFolder(), jwtPlugin);
  if (existsSync(target)) return;
  say('building the JWT engine');
  mkdirSync(jwtPluginFolder(), { recursive: true });
  const unfinished = `${target}.${process.pid}`;
  const flags = ['-mod=readonly', '-trimpath', '-ldflags', '-s -w', '-o', unfinished];
  await runVisibly('nice', ['-n', '10', 'go', 'build', ...flags, './jwt'], {
    cwd: module,
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' },
  });
  renameSync(unfinished, target);
}

/** Mounts the engine where services have their tokens signed. */
export async function ensureJwtEngine(ask: AskOpenBao, seed: SeedData): Promise<void> {
  const sha256 = createHash('sha256')
    .update(readFileSync(path.join(jwtPluginFolder(), jwtPlugin)))
    .digest('hex');
  await ask('PUT', `sys/plugins/catalog/secret/${jwtPlugin}`, { sha256, command: jwtPlugin });
  const { data: present } = (await ask('GET', 'sys/mounts')) as { data: Record<string, unknown> };
  if (present[`${mount}/`] === undefined) await ask('POST', `sys/mounts/${mount}`, { type: jwtPlugin });
  await waitFor(() => ask('POST', `${mount}/config`, { token: seed.bearer }), {
    what: 'the JWT engine to start',
    seconds: 60,
  });
}
