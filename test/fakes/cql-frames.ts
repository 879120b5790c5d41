/** Pieces of the native protocol, version 4, as far as a stand-in for a node needs them. */
export const opcodes = {
  error: 0x00,
  startup: 0x01,
  ready: 0x02,
  authenticate: 0x03,
  options: 0x05,
  supported: 0x06,
  query: 0x07,
  result: 0x08,
  prepare: 0x09,
  execute: 0x0a,
  register: 0x0b,
  batch: 0x0d,
  authResponse: 0x0f,
  authSuccess: 0x10,
} as const;

export interface Frame {
  readonly opcode: number;
  readonly stream: number;
  readonly body: Buffer;
}

/** Whole frames out of what arrived; the rest waits. */
export function takeFrames(received: Buffer): { readonly frames: readonly Frame[]; readonly rest: Buffer } {
  const frames: Frame[] = [];
  let rest = received;
  while (rest.length >= 9 && rest.length >= 9 + rest.readInt32BE(5)) {
    const end = 9 + rest.readInt32BE(5);
    frames.push({ opcode: rest.readUInt8(4), stream: rest.readInt16BE(2), body: rest.subarray(9, end) });
    rest = rest.subarray(end);
  }
  return { frames, rest };
}

export function frame(stream: number, opcode: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt8(0x84, 0);
  header.writeInt16BE(stream, 2);
  header.writeUInt8(opcode, 4);
  header.writeInt32BE(body.length, 5);
  return Buffer.concat([header, body]);
}

export const int = (value: number) => {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32BE(value);
  return buffer;
};

export const short = (value: number) => {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
};

export const text = (value: string) => Buffer.concat([short(Buffer.byteLength(value)), Buffer.from(value)]);

const bytes = (value: Buffer | null) =>
  value === null ? int(-1) : Buffer.concat([int(value.length), value]);

export type CqlType = keyof typeof types;

const types = {
  text: short(0x0d),
  timestamp: short(0x0b),
  uuid: short(0x0c),
  timeuuid: short(0x0f),
  inet: short(0x10),
  texts: Buffer.concat([short(0x22), short(0x0d)]),
} as const;

export type Cell = string | number | null | readonly string[];

function encode(type: CqlType, value: Cell): Buffer | null {
  if (value === null) return null;
  switch (type) {
    case 'timestamp': {
      const buffer = Buffer.alloc(8);
      buffer.writeBigInt64BE(BigInt(Number(value)));
      return buffer;
    }
    case 'uuid':
    case 'timeuuid':
      return Buffer.from(String(value).replaceAll('-', ''), 'hex');
    case 'inet':
      return Buffer.from(String(value).split('.').map(Number));
    case 'texts': {
      const items = Array.isArray(value) ? value.map(String) : [];
      return Buffer.concat([int(items.length), ...items.map((item) => bytes(Buffer.from(item)))]);
    }
    default:
      return Buffer.from(String(value));
  }
}

export interface Rows {
  readonly columns: Readonly<Record<string, CqlType>>;
  readonly rows: readonly Readonly<Record<string, Cell>>[];
}

export function rowsResult({ columns, rows }: Rows): Buffer {
  const entries = Object.entries(columns);
  return Buffer.concat([
    int(2),
    int(1),
    int(entries.length),
    text('ks'),
    text('table'),
    ...entries.flatMap(([name, type]) => [text(name), types[type]]),
    int(rows.length),
    ...rows.flatMap((row) => entries.map(([name, type]) => bytes(encode(type, row[name] ?? null)))),
  ]);
}

export const voidResult = int(1);

/** `id` and the types of its parameters; what it gives is told with every result. */
export function preparedResult(id: number, params: readonly CqlType[]): Buffer {
  return Buffer.concat([
    int(4),
    short(4),
    int(id),
    int(1),
    int(params.length),
    int(0),
    text('ks'),
    text('table'),
    ...params.flatMap((type, index) => [text(`p${index}`), types[type]]),
    int(4),
    int(0),
  ]);
}
