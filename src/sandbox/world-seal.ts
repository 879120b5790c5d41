import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { closeSync, constants, existsSync, openSync, readFileSync, writeSync } from 'node:fs';
import path from 'node:path';
import { SandboxError } from './world-file.ts';

/** Keeps what a simulated run writes into its simulated secrets out of the world's file: that file is shown and sent around. */
export interface Sealer {
  seal(text: string): string;
  open(sealed: string): string;
}

const NAME = 'world.key';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** AES-256-GCM under a random key of the folder, made when first needed, 0600. Without a folder nothing is written down anyway. */
export function createSealer(folder: string | undefined): Sealer {
  if (folder === undefined) return { seal: () => '', open: () => '' };
  const file = path.join(folder, NAME);
  let key: Buffer | undefined;
  const keyOf = (): Buffer => {
    key ??= existsSync(file) ? readFileSync(file) : newKey(file);
    return key;
  };
  return {
    seal: (text) => {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', keyOf(), iv);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([iv, body, cipher.getAuthTag()]).toString('base64url');
    },
    open: (sealed) => {
      const bytes = Buffer.from(sealed, 'base64url');
      try {
        const decipher = createDecipheriv('aes-256-gcm', keyOf(), bytes.subarray(0, IV_BYTES), {
          authTagLength: TAG_BYTES,
        });
        decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
        const body = bytes.subarray(IV_BYTES, -TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch (cause) {
        throw new SandboxError(
          `The sandbox's world in ${folder} cannot be opened with its key, ${NAME}.`,
          'This simulated run cannot be resumed; start a new one.',
          cause,
        );
      }
    },
  };
}

function newKey(file: string): Buffer {
  const key = randomBytes(KEY_BYTES);
  const descriptor = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    writeSync(descriptor, key);
  } finally {
    closeSync(descriptor);
  }
  return key;
}
