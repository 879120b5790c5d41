import type { ASTNode } from '@marcbachmann/cel-js';

export interface Reference {
  readonly path: readonly string[];
  readonly start: number;
  readonly end: number;
}

/** Names that CEL itself defines and that are no variables. */
export const builtInNames: ReadonlySet<string> = new Set([
  'bool',
  'bytes',
  'cel',
  'double',
  'google',
  'int',
  'list',
  'map',
  'null_type',
  'string',
  'type',
  'uint',
]);

export interface Loop {
  readonly name: string;
  readonly list: ASTNode;
  readonly variable: string;
  readonly bodies: readonly ASTNode[];
}

const loopArguments: Readonly<Record<string, readonly number[]>> = {
  all: [2],
  exists: [2],
  exists_one: [2],
  filter: [2],
  map: [2, 3],
};

/** `all`, `exists`, `exists_one`, `filter`, `map` with their variable; undefined for any other node. */
export function comprehension(node: ASTNode): Loop | undefined {
  if (node.op !== 'rcall') return undefined;
  const [name, list, args] = node.args;
  if (!Object.hasOwn(loopArguments, name) || loopArguments[name]?.includes(args.length) !== true)
    return undefined;
  const [variable, ...bodies] = args;
  return variable?.op === 'id' ? { name, list, variable: variable.args, bodies } : undefined;
}

/** `cel.bind(name, value, body)`. */
export function binding(
  node: ASTNode,
): { readonly variable: string; readonly value: ASTNode; readonly body: ASTNode } | undefined {
  if (node.op !== 'rcall') return undefined;
  const [name, receiver, args] = node.args;
  const [variable, value, body] = args;
  if (name !== 'bind' || receiver.op !== 'id' || receiver.args !== 'cel') return undefined;
  if (variable?.op !== 'id' || value === undefined || body === undefined) return undefined;
  return { variable: variable.args, value, body };
}

/** The argument of `has(…)`. */
export function hasArgument(node: ASTNode): ASTNode | undefined {
  return node.op === 'call' && node.args[0] === 'has' ? node.args[1][0] : undefined;
}

/** The operands of a node that is neither a comprehension, a binding nor `has`. */
export function operands(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return node.args;
  }
}

/** A literal key of `a["key"]` or the name of `a.key`; undefined for an index and for a computed key. */
export function accessKey(node: ASTNode): string | undefined {
  if (node.op === '.') return node.args[1];
  if (node.op !== '[]') return undefined;
  const [, key] = node.args;
  return key.op === 'value' && typeof key.args === 'string' ? key.args : undefined;
}

/** Where a node stands, with the parentheses that belong to its outer operands: the parser leaves them out. */
export function rangeOf(node: ASTNode): { readonly start: number; readonly end: number } {
  let { start, end } = node;
  const { opened, closed } = unbalanced(node.input.slice(start, end));
  for (let missing = closed; missing > 0; missing--) {
    const before = node.input.slice(0, start).trimEnd();
    if (before.endsWith('(')) start = before.length - 1;
  }
  for (let missing = opened; missing > 0; missing--) {
    const after = node.input.slice(end);
    const rest = after.trimStart();
    if (rest.startsWith(')')) end += after.length - rest.length + 1;
  }
  return { start, end };
}

/** A node as the author wrote it. */
export function sourceOf(node: ASTNode): string {
  const { start, end } = rangeOf(node);
  return node.input.slice(start, end);
}

/** Parentheses without a partner, outside of texts in quotes. */
function unbalanced(source: string): { readonly opened: number; readonly closed: number } {
  let opened = 0;
  let closed = 0;
  for (const character of source.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g, '')) {
    if (character === '(') opened += 1;
    if (character === ')' && opened > 0) opened -= 1;
    else if (character === ')') closed += 1;
  }
  return { opened, closed };
}

/** Visits every path that an expression reads from its root names. `guarded`: it stands inside `has()`. */
export function visitReferences(
  root: ASTNode,
  visit: (reference: Reference, guarded: boolean) => void,
): void {
  const walk = (node: ASTNode, bound: ReadonlySet<string>, guarded: boolean): void => {
    const path = staticPath(node, bound);
    if (path !== undefined) {
      visit({ path, ...rangeOf(node) }, guarded);
      return;
    }
    const asked = hasArgument(node);
    const loop = comprehension(node);
    const bind = binding(node);
    if (asked !== undefined) walk(asked, bound, true);
    else if (loop !== undefined) {
      walk(loop.list, bound, guarded);
      for (const body of loop.bodies) walk(body, new Set([...bound, loop.variable]), guarded);
    } else if (bind !== undefined) {
      walk(bind.value, bound, guarded);
      walk(bind.body, new Set([...bound, bind.variable]), guarded);
    } else for (const operand of operands(node)) walk(operand, bound, guarded);
  };
  walk(root, new Set(), false);
}

function staticPath(node: ASTNode, bound: ReadonlySet<string>): readonly string[] | undefined {
  if (node.op === 'id') return bound.has(node.args) || builtInNames.has(node.args) ? undefined : [node.args];
  const key = accessKey(node);
  if (key === undefined || (node.op !== '.' && node.op !== '[]')) return undefined;
  const base = staticPath(node.args[0], bound);
  return base === undefined ? undefined : [...base, key];
}

/** Visits every node that the author wrote. */
export function visitNodes(node: ASTNode, visit: (node: ASTNode) => void): void {
  visit(node);
  for (const operand of operands(node)) visitNodes(operand, visit);
}

/** How deep comprehensions are nested in one another. */
export function nesting(node: ASTNode): number {
  const below = Math.max(0, ...operands(node).map(nesting));
  return comprehension(node) === undefined ? below : below + 1;
}
