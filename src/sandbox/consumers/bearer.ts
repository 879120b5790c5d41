import { derived } from '../openbao/mounts.ts';
import type { World } from '../world.ts';

/** The engine whose tokens ESS trusts, and the roles that may use its secrets. */
const ISSUER = /\/v1\/services\/ess-api\/jwt$/;
const ROLES = ['nvcf-api', 'nvct-api'];

/** Is this a token that the simulated OpenBao signed for a client of ESS, and that has not ended? */
export function isEssToken(world: World, token: string): boolean {
  const [header = '', claims = '', signature = ''] = token.split('.');
  const expected = Buffer.from(derived(world, 'signature', header, claims).repeat(2), 'hex');
  if (expected.toString('base64url') !== signature) return false;
  try {
    const { iss, sub, exp } = JSON.parse(Buffer.from(claims, 'base64url').toString('utf8')) as {
      readonly iss?: unknown;
      readonly sub?: unknown;
      readonly exp?: unknown;
    };
    const alive = typeof exp === 'number' && exp * 1000 > world.timeline.now;
    return alive && ISSUER.test(String(iss)) && ROLES.includes(String(sub));
  } catch {
    return false;
  }
}
