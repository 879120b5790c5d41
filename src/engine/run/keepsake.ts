import * as fs from 'node:fs';
import path from 'node:path';
import { sha256 } from './journal-record.ts';

/** Side files that steps append to: what is too much for the journal, by instance and name. */
export interface Keepsakes {
  /** Durable when it returns. */
  append(instance: string, name: string, bytes: Uint8Array): void;
  /** Undefined when nothing was ever kept. */
  read(instance: string, name: string): Uint8Array | undefined;
  close(): void;
}

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_WRONLY } = fs.constants;

/** Keepsakes in a run's folder, 0600. */
export function createKeepsakes(folder: string): Keepsakes {
  const fileOf = (instance: string, name: string) => {
    if (!/^[a-z0-9][a-z0-9.-]{0,40}$/.test(name))
      throw new RangeError(`"${name}" is no name for a side file`);
    return path.join(folder, `kept-${sha256(instance).slice(0, 16)}-${name}`);
  };
  const open = new Map<string, number>();
  const descriptorOf = (file: string): number => {
    const known = open.get(file);
    if (known !== undefined) return known;
    const isNew = !fs.existsSync(file);
    const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | (isNew ? O_CREAT | O_EXCL : 0);
    const descriptor = fs.openSync(file, flags, 0o600);
    if (isNew) syncFolder(folder);
    open.set(file, descriptor);
    return descriptor;
  };
  return {
    append: (instance, name, bytes) => {
      const descriptor = descriptorOf(fileOf(instance, name));
      for (let written = 0; written < bytes.length; )
        written += fs.writeSync(descriptor, bytes, written, bytes.length - written);
      fs.fdatasyncSync(descriptor);
    },
    read: (instance, name) => {
      const file = fileOf(instance, name);
      if (!fs.existsSync(file)) return undefined;
      const descriptor = fs.openSync(file, O_RDONLY | O_NOFOLLOW);
      try {
        return fs.readFileSync(descriptor);
      } finally {
        fs.closeSync(descriptor);
      }
    },
    close: () => {
      for (const descriptor of open.values()) fs.closeSync(descriptor);
      open.clear();
    },
  };
}

function syncFolder(folder: string): void {
  const descriptor = fs.openSync(folder, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY);
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
