import type { SecretSource } from './runbook.ts';

/** Where a secret comes from, for people. */
export function sourceWords(source: SecretSource): string {
  if ('env' in source) return `the environment variable ${source.env}`;
  if ('file' in source) return `the file ${source.file}`;
  if ('prompt' in source) return 'a question at the terminal';
  if ('kubernetes' in source) {
    const { namespace, name, key } = source.kubernetes;
    return `key ${key} of the Kubernetes Secret ${namespace}/${name}`;
  }
  return `field ${source.openbao.field} of the OpenBao path ${source.openbao.path}`;
}
