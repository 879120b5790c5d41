export type Pattern =
  | { readonly ok: true; test(text: string): boolean }
  | { readonly ok: false; readonly message: string };

/** A regular expression of the RE2 kind; `test` is true when it is found anywhere in the text. */
export function compilePattern(source: string): Pattern {
  if (source.length > 500) return { ok: false, message: 'longer than 500 characters' };
  if (/[*+}]\)[*+{]|\\[1-9]|\(\?[=!<]/.test(source))
    return { ok: false, message: 'nested repetition, back references and look-around are not supported' };
  try {
    const expression = new RegExp(source, 'u');
    return { ok: true, test: (text) => expression.test(text) };
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error) };
  }
}
