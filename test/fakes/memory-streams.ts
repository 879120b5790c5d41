import type { Streams } from '../../src/output/renderer.ts';

/** Streams that remember what was written. */
export function memoryStreams(
  options: { readonly color?: boolean; readonly columns?: number } = {},
): Streams & { readonly out: string; readonly err: string } {
  let out = '';
  let err = '';
  return {
    terminal: undefined,
    data: (text) => {
      out += text;
    },
    info: (text) => {
      err += text;
    },
    columns: options.columns ?? 100,
    color: options.color ?? false,
    get out() {
      return out;
    },
    get err() {
      return err;
    },
  };
}
