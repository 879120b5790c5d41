/*
 * Text from the outside world must not reach a terminal raw: an escape sequence can move the cursor, set the
 * clipboard or fake a prompt (CVE-2021-25743). Line breaks and tabs survive in blocks, nothing else does.
 */

// Control, format (zero-width, bidirectional), line and paragraph separator, lone surrogate.
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x1_0000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\u{${code.toString(16)}}`;
}

/** Several lines: `\n` and `\t` stay, every other control character is shown as an escape. CRLF becomes LF. */
export function safeBlock(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE, escapeCharacter);
}

/** One line: line breaks are shown as escapes too, tabs become spaces. */
export function safeLine(text: string): string {
  return safeBlock(text).replaceAll('\n', '\\n').replaceAll('\t', '  ');
}

/** JSON text in which no character can act on a terminal. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, (character) =>
    Array.from(
      { length: character.length },
      (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`,
    ).join(''),
  );
}
