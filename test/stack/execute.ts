import { PassThrough } from 'node:stream';
import { Exec } from '@kubernetes/client-node';
import type { Connection } from './api.ts';

/** Runs a command in a container and answers its output. */
export function execute(
  { config }: Connection,
  namespace: string,
  pod: string,
  container: string,
  command: string[],
): Promise<string> {
  const output = new PassThrough();
  const chunks: Buffer[] = [];
  output.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    new Exec(config)
      .exec(namespace, pod, container, command, output, null, null, false, ({ status, message }) => {
        if (status === 'Success') resolve(Buffer.concat(chunks).toString());
        else reject(new Error(message));
      })
      .catch(reject);
  });
}
