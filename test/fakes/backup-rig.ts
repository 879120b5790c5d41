import type { Secret } from '../../src/engine/secret.ts';
import type { RunContext } from '../../src/engine/step-type.ts';
import { AGE_PAIR } from '../../src/sandbox/inputs.ts';
import { keepsakeRig } from './keepsake-rig.ts';
import { MemoryFiles } from './memory-files.ts';
import { type SandboxRig, sandboxRig } from './sandbox-context.ts';

export const recipients: [string, ...string[]] = [AGE_PAIR.recipient];
/** A secret input, in the type that a schema gives it. */
export const identity: string = AGE_PAIR.identity;

export interface BackupRig extends SandboxRig {
  readonly files: MemoryFiles;
  readonly place: {
    readonly openbao: { namespace: string; selector: string; token: string };
    readonly cassandra: { namespace: string; selector: string };
  };
  /** Another step instance on the same world, which remembers nothing of the others. */
  own(): RunContext;
}

/** The simulated control plane with few namespace keys, and files in memory. */
export async function backupRig(): Promise<BackupRig> {
  const rig = await sandboxRig({ neks: { namespaces: 3, each: 4 } });
  const files = new MemoryFiles();
  const ctx = { ...rig.ctx, services: { ...rig.ctx.services, files } };
  const { token } = rig.sandbox.inputs({ token: { type: 'secret', description: 'token' } }) as {
    readonly token: Secret;
  };
  const place = {
    openbao: {
      namespace: 'vault-system',
      selector: 'component=server',
      token: token as unknown as string,
    },
    cassandra: { namespace: 'cassandra-system', selector: 'app.kubernetes.io/name=cassandra' },
  };
  return { ...rig, ctx, files, place, own: () => ({ ...ctx, ...keepsakeRig() }) };
}
