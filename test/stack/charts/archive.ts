import { gzipSync } from 'node:zlib';

const block = 512;

/** A gzipped tar of text files below one folder. The same files give the same bytes, so that a chart keeps its digest. */
export function archiveOf(folder: string, files: Readonly<Record<string, string>>): Buffer {
  const entries = Object.entries(files)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([name, text]) => {
      const content = Buffer.from(text);
      const padding = Buffer.alloc((block - (content.length % block)) % block);
      return [headerOf(`${folder}/${name}`, content.length), content, padding];
    });
  return gzipSync(Buffer.concat([...entries, Buffer.alloc(2 * block)]));
}

// POSIX ustar: numbers are octal digits, and the checksum counts its own field as spaces.
function headerOf(name: string, size: number): Buffer {
  const header = Buffer.alloc(block);
  if (Buffer.byteLength(name) > 100) throw new Error(`${name}: too long for this kind of archive`);
  const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;
  header.write(name, 0);
  header.write(octal(0o644, 8), 100);
  header.write(octal(0, 8), 108);
  header.write(octal(0, 8), 116);
  header.write(octal(size, 12), 124);
  header.write(octal(0, 12), 136);
  header.write(' '.repeat(8), 148);
  header.write('0', 156);
  header.write('ustar\0' + '00', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}
