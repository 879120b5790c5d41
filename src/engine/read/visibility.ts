import { nameHint } from '../suggest.ts';
import { type Item, parallelOf } from './outline.ts';
import type { Problem } from './tree.ts';

/** The ids of one document and what can be read from where. */
export interface Directory {
  readonly byId: ReadonlyMap<string, Item>;
}

export type Visible =
  | {
      readonly ok: true;
      readonly item: Item;
      /** How many `forEach` keys lie between here and its outputs. */
      readonly fans: number;
      /** The reader undoes or verifies the item itself. */
      readonly own: boolean;
    }
  | { readonly ok: false; readonly problem: Problem; readonly declaredAt?: Item };

/** Where an expression or template stands: at a step, or after all steps (in `outputs:`). */
export type Reader = Item | 'outputs';

/** Whether a step's results can be read from a place: it has to be over before, in every order of events. */
export function look(directory: Directory, id: string, reader: Reader): Visible {
  const item = directory.byId.get(id);
  if (item === undefined) {
    const hint = nameHint(id, directory.byId.keys(), 'steps');
    const message = `there is no step "${id}"`;
    return { ok: false, problem: { code: 'unknown-step', message, hint } };
  }
  if (reader === 'outputs') return fromOutputs(item);
  let shared = 0;
  while (shared < item.chain.length && item.chain[shared] === reader.chain[shared]) shared += 1;
  if (shared === item.chain.length) return fromInside(item, reader);
  const [first, mine] = [item.chain[shared], reader.chain[shared]];
  if (first === undefined || mine === undefined) return refuse(item, 'later-step', `it contains this step`);
  return fromBeside(item, { shared, first, mine });
}

function fromOutputs(item: Item): Visible {
  if (item.block === 'rollback')
    return refuse(
      item,
      'hidden-step',
      'it only runs after a failure',
      'outputs are those of a run that was not rolled back',
    );
  return hiddenBelow(item, 0) ?? { ok: true, item, fans: fansOf(item, 0), own: false };
}

/** The reader is the step itself, or stands inside it. */
function fromInside(item: Item, reader: Item): Visible {
  const next = reader.chain[item.chain.length];
  if (next === undefined)
    return refuse(
      item,
      'own-result',
      'its own result is not there yet',
      'in expect, write outputs.… for the outputs of the step itself',
    );
  if (next.place === 'child')
    return refuse(
      item,
      'later-step',
      'it is the group around this step and not over yet',
      'read the steps inside it',
    );
  return { ok: true, item, fans: 0, own: true };
}

function fromBeside(
  item: Item,
  { shared, first, mine }: { readonly shared: number; readonly first: Item; readonly mine: Item },
): Visible {
  const parent = first.parent;
  if (
    first.place !== mine.place ||
    (first.place === 'root' && first.block !== mine.block && first.order > mine.order)
  ) {
    if (first.place === 'root')
      return refuse(
        item,
        'later-step',
        `it runs later, in ${first.block}`,
        'a step can only read steps above it',
      );
    return hiddenBelow(item, shared) ?? refuse(item, 'hidden-step', 'it cannot be read from here');
  }
  const hidden = hiddenBelow(item, shared + 1);
  if (hidden !== undefined) return hidden;
  if (first.order > mine.order)
    return refuse(item, 'later-step', 'it runs later than this step', 'move it up, or this step down');
  if (parent !== undefined && first.place === 'child' && parallelOf(parent).children !== 1)
    return refuse(
      item,
      'parallel-step',
      `it runs at the same time: the steps of "${parent.id}" are parallel`,
      'move this step behind the group, or remove "parallel"',
    );
  return { ok: true, item, fans: fansOf(item, shared), own: false };
}

/** Steps that verify or undo another one are seen by their neighbours only. */
function hiddenBelow(item: Item, from: number): Visible | undefined {
  const inner = item.chain.slice(from).find(({ place }) => place === 'verify' || place === 'undo');
  if (inner === undefined) return undefined;
  const where = inner.place === 'verify' ? 'verify' : 'rollback';
  return refuse(
    item,
    'hidden-step',
    `it stands in "${where}" of "${inner.parent?.id ?? ''}" and can only be read there`,
    `move it out of "${where}" to read it from elsewhere`,
  );
}

function fansOf(item: Item, from: number): number {
  return item.chain.slice(from).filter(({ tree }) => tree.entries.has('forEach')).length;
}

function refuse(item: Item, code: string, why: string, hint?: string): Visible {
  return {
    ok: false,
    problem: { code, message: `step "${item.id}" cannot be read here: ${why}`, hint },
    declaredAt: item,
  };
}
