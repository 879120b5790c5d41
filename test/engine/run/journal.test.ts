import * as fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JournaledEvent } from '../../../src/engine/run/event.ts';
import {
  createJournal,
  type Disk,
  type Journal,
  type JournalOptions,
  journalName,
  openJournal,
  reserveName,
} from '../../../src/engine/run/journal.ts';
import { readJournal } from '../../../src/engine/run/journal-read.ts';

let folder = '';
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'runbook-journal-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

const warning = (message: string): JournaledEvent => ({ type: 'warning', code: 'test', message });
const done = (id: string, size = 0): JournaledEvent => ({
  type: 'done',
  id,
  applied: true,
  outputs: size === 0 ? {} : { text: 'ü'.repeat(size) },
});

function options(disk?: Disk): JournalOptions {
  let time = 0;
  return {
    folder,
    run: 'r1',
    time: () => new Date(time++).toISOString(),
    reserve: 4096,
    ...(disk === undefined ? {} : { disk }),
  };
}

const file = (): string => path.join(folder, journalName);
const read = (bytes = fs.readFileSync(file())) => readJournal(bytes, { run: 'r1', folder });

function write(journal: Journal, count: number): void {
  for (let index = 0; index < count; index += 1)
    journal.append([warning(`message ${index}`)], { sync: index % 3 === 0 });
}

/** The real file system, with something in the way. */
function disk(changes: Partial<Disk>): Disk {
  return { ...fs, ...changes };
}

function enospc(): Error {
  return Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
}

describe('what is written is what is read', () => {
  test('length, hash and chain are those that the format promises', () => {
    const journal = createJournal(options());
    journal.append([warning('ü'), done('a')], { sync: true });
    journal.close();
    const [line] = fs.readFileSync(file(), 'utf8').split('\n');
    const match = /^(\d+) ([0-9a-f]{64}) (.*)$/.exec(line ?? '');
    expect(Number(match?.[1])).toBe(Buffer.byteLength(match?.[3] ?? ''));
    const found = read();
    expect(found.damage).toBeUndefined();
    expect(found.events).toEqual([
      { ...warning('ü'), seq: 1, time: '1970-01-01T00:00:00.000Z' },
      { ...done('a'), seq: 2, time: '1970-01-01T00:00:00.000Z' },
    ]);
    expect(found.end).toEqual({ ...journal.head, size: fs.statSync(file()).size });
    expect(fs.statSync(file()).mode & 0o777).toBe(0o600);
  });

  test('large fields go to side files named by their hash, and come back', () => {
    const journal = createJournal(options());
    journal.append([done('a', 50_000)], { sync: true });
    journal.close();
    expect(fs.statSync(file()).size).toBeLessThan(1000);
    expect(read().events[0]).toMatchObject(done('a', 50_000));
    const side = fs.readdirSync(folder).find((name) => name.endsWith('.json')) ?? '';
    fs.appendFileSync(path.join(folder, side), ' ');
    expect(read().damage?.why).toContain('is damaged');
  });

  test('it goes on where it ended', () => {
    const first = createJournal(options());
    write(first, 3);
    first.close();
    const second = openJournal(options(), read().end);
    write(second, 2);
    second.close();
    expect(read().events.map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
    expect(read().damage).toBeUndefined();
  });
});

test('an output beyond every measure is refused without harm to the journal', () => {
  const journal = createJournal(options());
  expect(() => journal.append([done('a', 17 * 1024 * 1024)], { sync: true })).toThrow(RangeError);
  journal.append([done('a')], { sync: true });
  expect(read().events).toHaveLength(1);
});

describe('bytes that are not as they were', () => {
  test('cut at every byte: the records before are good, the rest is a torn tail, nothing is silent', () => {
    write(createJournal(options()), 12);
    const bytes = fs.readFileSync(file());
    const ends = [0];
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) ends.push(at + 1);
    for (let size = 0; size <= bytes.length; size += 1) {
      const found = read(bytes.subarray(0, size));
      const whole = ends.filter((end) => end <= size);
      expect(found.damage).toBeUndefined();
      expect(found.events).toHaveLength(whole.length - 1);
      expect(found.torn).toBe(size - (whole.at(-1) ?? 0));
    }
  });

  test('every bit flipped: damage, or a torn last record; never a changed record', () => {
    write(createJournal(options()), 6);
    const bytes = fs.readFileSync(file());
    const good = read().events;
    let torn = 0;
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const found = read(flipped);
      if (found.torn > 0) torn += 1;
      else if (found.damage === undefined) throw new Error(`flipping bit ${bit} went unnoticed`);
      expect(found.events).toEqual(good.slice(0, found.events.length));
      expect(found.events.length).toBeLessThan(good.length);
    }
    // Only the newline that ends the last record can make it look unfinished.
    expect(torn).toBe(8);
  });

  test.each([
    ['swapped', (lines: string[]) => [lines[1] ?? '', lines[0] ?? '', ...lines.slice(2)]],
    ['missing', (lines: string[]) => lines.filter((_, index) => index !== 1)],
    ['repeated', (lines: string[]) => [...lines.slice(0, 2), lines[1] ?? '', ...lines.slice(2)]],
  ])('records that are %s', (_, change) => {
    write(createJournal(options()), 4);
    const lines = fs.readFileSync(file(), 'utf8').trimEnd().split('\n');
    expect(read(Buffer.from(`${change(lines).join('\n')}\n`)).damage).toBeDefined();
  });

  test('the journal of another run', () => {
    write(createJournal(options()), 2);
    expect(readJournal(fs.readFileSync(file()), { run: 'r2', folder }).damage?.why).toBe(
      'the record does not follow the one before it',
    );
  });

  test('a journal that is a link, has a second name, is open to others, or exists already is refused', () => {
    const other = path.join(folder, 'other');
    fs.writeFileSync(other, '', { mode: 0o600 });
    fs.symlinkSync(other, file());
    expect(() => openJournal(options(), { seq: 0, hash: '', size: 0 })).toThrow('cannot be opened');
    fs.rmSync(file());
    fs.linkSync(other, file());
    expect(() => openJournal(options(), { seq: 0, hash: '', size: 0 })).toThrow('more than one name');
    fs.rmSync(other);
    fs.chmodSync(file(), 0o644);
    expect(() => openJournal(options(), { seq: 0, hash: '', size: 0 })).toThrow('0600');
    expect(() => createJournal(options())).toThrow('cannot be opened');
  });
});

describe('a disk that fails', () => {
  test('short writes are completed', () => {
    const short = disk({
      writeSync: ((descriptor: number, buffer: Buffer, offset: number, length: number) =>
        fs.writeSync(descriptor, buffer, offset, Math.min(length, 7))) as Disk['writeSync'],
    });
    const journal = createJournal(options(short));
    write(journal, 3);
    expect(read().events).toHaveLength(3);
  });

  test('a write that writes nothing poisons the journal', () => {
    let broken = false;
    const stuck = disk({
      writeSync: ((descriptor: number, buffer: Buffer, offset: number, length: number) =>
        broken ? 0 : fs.writeSync(descriptor, buffer, offset, length)) as Disk['writeSync'],
    });
    const journal = createJournal(options(stuck));
    write(journal, 1);
    broken = true;
    expect(() => write(journal, 1)).toThrow('cannot be written');
  });

  test('one failed sync is final, even when the next would succeed', () => {
    let failures = 1;
    const lying = disk({
      fdatasyncSync: (descriptor) => {
        if (failures-- > 0) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' });
        fs.fdatasyncSync(descriptor);
      },
    });
    const journal = createJournal(options(lying));
    expect(() => journal.append([warning('a')], { sync: true })).toThrow('EIO');
    expect(() => journal.append([warning('b')], { sync: true })).toThrow('EIO');
  });

  test('a full disk: the reserve takes what is in flight, a second failure is final', () => {
    let room = 300;
    const full = disk({
      writeSync: ((descriptor: number, buffer: Buffer, offset: number, length: number) => {
        if (buffer.length === 65_536) return fs.writeSync(descriptor, buffer, offset, length);
        if (room <= 0) throw enospc();
        const part = Math.min(length, room);
        room -= part;
        return fs.writeSync(descriptor, buffer, offset, part);
      }) as Disk['writeSync'],
      unlinkSync: (name) => {
        room += 1000;
        fs.unlinkSync(name);
      },
    });
    const journal = createJournal(options(full));
    write(journal, 1);
    expect(journal.degraded).toBe(false);
    write(journal, 1);
    expect(journal.degraded).toBe(true);
    expect(fs.existsSync(path.join(folder, reserveName))).toBe(false);
    expect(read().events).toHaveLength(2);
    expect(read().torn).toBe(0);
    expect(() => write(journal, 20)).toThrow('ENOSPC');
    const after = read();
    expect(after.damage).toBeUndefined();
    expect(after.events.length).toBeGreaterThan(2);
  });

  test('the folder is synced when the journal is made, and the file before a synced append returns', () => {
    const calls: string[] = [];
    const watched = disk({
      fsyncSync: (descriptor) => {
        calls.push(fs.fstatSync(descriptor).isDirectory() ? 'sync folder' : 'sync');
        fs.fsyncSync(descriptor);
      },
      fdatasyncSync: (descriptor) => {
        calls.push('sync data');
        fs.fdatasyncSync(descriptor);
      },
    });
    const journal = createJournal(options(watched));
    journal.append([warning('a')], { sync: false });
    journal.append([warning('b')], { sync: true });
    expect(calls).toEqual(['sync folder', 'sync data']);
  });
});

test('30,000 records are read in less than two seconds of computing', () => {
  const journal = createJournal(options());
  const events = Array.from({ length: 1000 }, (_, index) => done(`step-${index}`, 200));
  for (let index = 0; index < 30; index += 1) journal.append(events, { sync: false });
  journal.close();
  const started = process.cpuUsage();
  expect(read().events).toHaveLength(30_000);
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1000).toBeLessThan(2000);
});
