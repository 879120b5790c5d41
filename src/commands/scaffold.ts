import path from 'node:path';
import { decode } from '../engine/read/decode.ts';
import { parseYaml } from '../engine/read/parse.ts';
import { type Tree, valueAt } from '../engine/read/tree.ts';
import { suggest } from '../engine/suggest.ts';
import type { FoundRunbook } from './locate.ts';

/** Small, with an input, a precondition, a change that is undone, and a proof: what to begin with when nothing is near. */
const STANDARD = 'scale-service';
/** Letters with which two words begin that are taken for one: 'rotate' and 'rotation'. */
const STEM = 4;
/** Of two that are as near, the harmless one. */
const RISKS: readonly string[] = ['low', 'medium', 'high'];

function words(text: string): readonly string[] {
  return text.toLowerCase().match(/[a-z0-9]+/g) ?? [];
}

function likeness(word: string, other: string): number {
  if (word === other) return 2;
  return word.length >= STEM && word.slice(0, STEM) === other.slice(0, STEM) ? 1 : 0;
}

function score(name: string, { name: candidate, title }: FoundRunbook): number {
  const [own, told] = [words(candidate), words(title)];
  const best = (word: string, list: readonly string[]) =>
    Math.max(0, ...list.map((other) => likeness(word, other)));
  // What comes first says what is done, and that decides more about a procedure than what it is done to.
  return words(name).reduce(
    (sum, word, at) => sum + (at === 0 ? 2 : 1) * (3 * best(word, own) + best(word, told)),
    0,
  );
}

/** The runbook whose name or title is nearest to a name; undefined when there is none at all. */
export function closest(name: string, found: readonly FoundRunbook[]): FoundRunbook | undefined {
  const scored = found
    .map((each) => ({ each, score: score(name, each) }))
    .sort(
      (a, b) =>
        b.score - a.score ||
        RISKS.indexOf(a.each.risk) - RISKS.indexOf(b.each.risk) ||
        a.each.name.length - b.each.name.length,
    );
  const [first] = scored;
  if (first !== undefined && first.score > 0) return first.each;
  const near = suggest(
    name,
    found.map((each) => each.name),
  );
  return found.find((each) => each.name === (near ?? STANDARD)) ?? first?.each;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Every `uses` below a tree that names a file beside it. */
function includes(tree: Tree): readonly Tree[] {
  if (tree.kind === 'list') return tree.items.flatMap(includes);
  if (tree.kind !== 'map') return [];
  return [...tree.entries].flatMap(([key, { value }]) =>
    key === 'uses' && value.kind === 'scalar' && String(value.value).startsWith('./')
      ? [value]
      : includes(value),
  );
}

/** 'rotate-tokens' → 'Rotate tokens'. */
function titleOf(name: string): string {
  const text = name.replace(/-/g, ' ');
  return text[0]?.toUpperCase() + text.slice(1);
}

/**
 * Another runbook's text under a name of its own: its comments and its order stay. `beside`: the file it comes from is in the folder
 * that the new one will be in; otherwise files beside it are named as the shipped ones. Undefined for text that is no YAML.
 */
export function scaffold(
  source: { readonly path: string; readonly bytes: Uint8Array },
  wanted: { readonly name: string; readonly schema: string; readonly beside: boolean },
): string | undefined {
  const decoded = decode(source.path, source.bytes);
  const parsed = decoded.ok ? parseYaml(decoded.file) : decoded;
  if (!decoded.ok || !parsed.ok) return undefined;
  const { text } = decoded.file;
  const replaced = (key: string, value: string): readonly Edit[] => {
    const range = valueAt(parsed.tree, key)?.range;
    return range === undefined ? [] : [{ ...range, text: value }];
  };
  const shipped = wanted.beside
    ? []
    : includes(parsed.tree).map(({ range }) => ({
        ...range,
        text: path.basename(text.slice(range.start, range.end).replace(/['"]/g, '')),
      }));
  const edits = [
    ...replaced('name', wanted.name),
    ...replaced('title', titleOf(wanted.name)),
    ...shipped,
  ].sort((a, b) => b.start - a.start);
  const edited = edits.reduce(
    (all, { start, end, text: by }) => all.slice(0, start) + by + all.slice(end),
    text,
  );
  const modeline = `# yaml-language-server: $schema=${wanted.schema}`;
  return /^# yaml-language-server:.*$/m.test(edited)
    ? edited.replace(/^# yaml-language-server:.*$/m, () => modeline)
    : `${modeline}\n${edited}`;
}
