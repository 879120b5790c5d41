import type { Sandbox } from '../../src/sandbox/open.ts';
import { kinds } from '../../src/services/kubernetes.ts';

export const unseal = { kind: kinds.secrets, namespace: 'vault-system', name: 'openbao-server-unseal' };

/** A Job overwrites the master keys, somebody deletes a Secret and every namespace key of a namespace. */
export async function damage({ control, inspect, services }: Sandbox): Promise<void> {
  if (!control.runMigrationsJob({ misbehaving: true }).wrote) throw new Error('the Job wrote nothing');
  await services.kubernetes.delete(unseal, {});
  for (const row of inspect.nekRows('nvcf')) control.deleteRow(row);
  control.setCurrentKid('nvcf', null);
}
