/** The parser alone: no compiler, so no code generation, in what we load. */
declare module 'handlebars/dist/cjs/handlebars/compiler/base.js' {
  export interface Node {
    readonly type: string;
    readonly path?: Path;
    readonly params?: readonly Path[];
    readonly hash?: unknown;
  }
  export interface Path {
    readonly type: string;
    readonly parts?: readonly string[];
    readonly original?: unknown;
    readonly data?: boolean;
    readonly depth?: number;
    readonly loc: { readonly start: { readonly line: number; readonly column: number } };
  }
  export function parseWithoutProcessing(source: string): { readonly body: readonly Node[] };
}
