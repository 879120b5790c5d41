/**
 * Looks for a text in what a client says: in the bytes themselves, or, once the server has agreed to a websocket,
 * inside its frames, whose content a client masks (RFC 6455 §5.3).
 */
export class ClientBytes {
  private tail = Buffer.alloc(0);
  private pending = Buffer.alloc(0);
  private upgraded = false;

  /** Takes note of what the server says. */
  heard(bytes: Buffer): void {
    if (bytes.subarray(0, 12).toString('latin1') === 'HTTP/1.1 101') this.upgraded = true;
  }

  /** Does the text end in these bytes, having begun in them or right before? Wants to see all bytes, also without a text. */
  contains(bytes: Buffer, text: string | undefined): boolean {
    const fresh = this.upgraded ? this.unmask(bytes) : bytes;
    const said = Buffer.concat([this.tail, fresh]);
    const from = Math.max(0, this.tail.length - (text?.length ?? 0) + 1);
    this.tail = Buffer.from(said.subarray(Math.max(0, said.length - 512)));
    return text !== undefined && said.includes(text, from);
  }

  private unmask(bytes: Buffer): Buffer {
    this.pending = Buffer.concat([this.pending, bytes]);
    const contents: Buffer[] = [];
    for (let frame = readFrame(this.pending); frame !== undefined; frame = readFrame(this.pending)) {
      contents.push(frame.content);
      this.pending = this.pending.subarray(frame.length);
    }
    return Buffer.concat(contents);
  }
}

function readFrame(bytes: Buffer): { content: Buffer; length: number } | undefined {
  if (bytes.length < 2) return undefined;
  const short = (bytes[1] ?? 0) & 0x7f;
  const start = short === 126 ? 4 : short === 127 ? 10 : 2;
  const masked = ((bytes[1] ?? 0) & 0x80) !== 0;
  const from = start + (masked ? 4 : 0);
  if (bytes.length < from) return undefined;
  const size =
    short === 126 ? bytes.readUInt16BE(2) : short === 127 ? Number(bytes.readBigUInt64BE(2)) : short;
  if (bytes.length < from + size) return undefined;
  const mask = bytes.subarray(start, from);
  const content = Buffer.from(bytes.subarray(from, from + size));
  if (masked)
    for (let index = 0; index < size; index += 1)
      content[index] = (content[index] ?? 0) ^ (mask[index % 4] ?? 0);
  return { content, length: from + size };
}
