import type { PodAnswer } from '../pod-port.ts';
import type { World } from '../world.ts';
import { answer, wrapped } from './answers.ts';
import type { BaoCall } from './call.ts';
import { derived, derivedUuid } from './mounts.ts';
import type { BaoMount } from './state.ts';

/** Seconds that a signed token is good for. */
const LIFE = 12 * 3600;

/** `sign/<role>` of a JWT engine: well-formed, and signed with nothing that anybody could verify. */
export function jwtEngine(world: World, mount: BaoMount, given: { rest: string; call: BaoCall }): PodAnswer {
  const [, role] = /^sign\/([\w.-]+)$/.exec(given.rest) ?? [];
  if (role === undefined) return wrapped(404, 'unsupported path');
  if (given.call.method === 'GET') return wrapped(405, 'unsupported operation');
  const issued = Math.floor(world.timeline.now / 1000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const header = part({ alg: 'ES256', typ: 'JWT', kid: derivedUuid(world, 'jwt', mount.path) });
  const claims = part({
    iss: `http://openbao-server.vault-system.svc.cluster.local:8200/v1/${mount.path}`,
    sub: role,
    iat: issued,
    exp: issued + LIFE,
    jti: derivedUuid(world, 'jti', mount.path, role, String(issued)),
  });
  const signature = Buffer.from(derived(world, 'signature', header, claims).repeat(2), 'hex').toString(
    'base64url',
  );
  return answer(world, { token: `${header}.${claims}.${signature}` });
}
