import { StringDecoder } from 'node:string_decoder';

/** A program that never ends its line must not fill the memory; such a line arrives in pieces of this size. */
const longestPiece = 64 * 1024;

/** Cuts a byte stream into lines without losing a byte, however chunks split lines and characters. */
export function createLineReader(onLine: (line: string) => void): {
  push(chunk: Buffer): void;
  end(): void;
} {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  const cut = (text: string) => {
    const lines = text.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) onLine(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (rest.length > longestPiece) {
      const high = rest.charCodeAt(longestPiece - 1);
      const end = high >= 0xd800 && high < 0xdc00 ? longestPiece - 1 : longestPiece;
      onLine(rest.slice(0, end));
      rest = rest.slice(end);
    }
  };
  return {
    push: (chunk) => cut(rest + decoder.write(chunk)),
    end: () => {
      cut(rest + decoder.end());
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}
