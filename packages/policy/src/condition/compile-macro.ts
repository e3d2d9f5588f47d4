import type { ASTNode } from '@marcbachmann/cel-js';
import { boolOf } from './compile-operator.ts';
import { type Compiled, compileTerm } from './compile-term.ts';
import { absorbed, Fault, graverFault } from './fault.ts';
import { type Scope, scopeWith } from './scope.ts';
import { charge, type Evaluation, FAULT_STEPS, type Term } from './term.ts';
import { isList, isMap, itemAt, keysOf, kindOf, lengthOf, MadeList, type Value } from './value.ts';

/** How a macro goes through its range. */
interface Loop {
  /** Of the variable, in `Evaluation.locals`. */
  readonly slot: number;
  /** What one item costs. */
  readonly steps: number;
  readonly position: number;
}

type Macro = (items: Items, bodies: readonly Term[], loop: Loop, at: Evaluation) => Value;
type Items = MadeList | readonly unknown[];

/** By name and number of arguments, the variable among them. */
const MACROS: ReadonlyMap<string, Macro> = new Map<string, Macro>([
  ['all/2', all],
  ['exists/2', exists],
  ['exists_one/2', existsOne],
  ['filter/2', filter],
  ['map/2', map],
  ['map/3', mapSome],
]);

/** `range.all(x, …)` and its like; undefined where the call is no macro. */
export function compileMacro(node: Extract<ASTNode, { readonly op: 'rcall' }>, scope: Scope): Compiled | undefined {
  const [name, receiver, [variable, ...bodies]] = node.args;
  const run = MACROS.get(`${name}/${node.args[2].length}`);
  if (run === undefined || variable?.op !== 'id') return undefined;
  const range = compileTerm(receiver, scope).term;
  const stepsBefore = scope.found.steps;
  const inner = scopeWith(scope, variable.args);
  const terms = bodies.map((body) => compileTerm(body, inner).term);
  const position = receiver.start;
  const loop: Loop = { slot: scope.depth, steps: scope.found.steps - stepsBefore + 1, position };
  return { term: (at) => run(itemsOf(range(at), at, position), terms, loop, at), constant: undefined };
}

/** The items of a list; the keys of a map. */
function itemsOf(range: Value, at: Evaluation, position: number): Items {
  if (isList(range)) return range;
  if (!isMap(range)) throw new Fault(`goes through ${kindOf(range)}, which is no list and no map`, position);
  const keys = keysOf(range);
  charge(at, keys.length, position);
  return new MadeList(keys);
}

/** Sets the variable to an item and counts what its body costs. */
function enter(items: Items, index: number, loop: Loop, at: Evaluation): Value {
  charge(at, loop.steps, loop.position);
  const item = itemAt(items, index, loop.position);
  at.locals[loop.slot] = item;
  return item;
}

function all(items: Items, [body]: readonly Term[], loop: Loop, at: Evaluation): boolean {
  return quantify(items, body as Term, { ...loop, decisive: false }, at);
}

function exists(items: Items, [body]: readonly Term[], loop: Loop, at: Evaluation): boolean {
  return quantify(items, body as Term, { ...loop, decisive: true }, at);
}

/** The decisive value if the body has it for any item, whatever became of the others. */
function quantify(items: Items, body: Term, loop: Loop & { readonly decisive: boolean }, at: Evaluation): boolean {
  let fault: Fault | undefined;
  for (let index = 0; index < lengthOf(items); index += 1) {
    try {
      enter(items, index, loop, at);
      if (boolOf(body(at), loop.position) === loop.decisive) return loop.decisive;
    } catch (thrown) {
      const absorbedFault = absorbed(thrown);
      fault = fault === undefined ? absorbedFault : graverFault(fault, absorbedFault);
      charge(at, FAULT_STEPS, loop.position);
    }
  }
  if (fault !== undefined) throw fault;
  return !loop.decisive;
}

function existsOne(items: Items, [body]: readonly Term[], loop: Loop, at: Evaluation): boolean {
  let count = 0;
  for (let index = 0; index < lengthOf(items); index += 1) {
    enter(items, index, loop, at);
    if (boolOf((body as Term)(at), loop.position)) count += 1;
  }
  return count === 1;
}

function filter(items: Items, [body]: readonly Term[], loop: Loop, at: Evaluation): MadeList {
  const kept: Value[] = [];
  for (let index = 0; index < lengthOf(items); index += 1) {
    const item = enter(items, index, loop, at);
    if (boolOf((body as Term)(at), loop.position)) kept.push(item);
  }
  return new MadeList(kept);
}

function map(items: Items, [step]: readonly Term[], loop: Loop, at: Evaluation): MadeList {
  const made: Value[] = [];
  for (let index = 0; index < lengthOf(items); index += 1) {
    enter(items, index, loop, at);
    made.push((step as Term)(at));
  }
  return new MadeList(made);
}

function mapSome(items: Items, [test, step]: readonly Term[], loop: Loop, at: Evaluation): MadeList {
  const made: Value[] = [];
  for (let index = 0; index < lengthOf(items); index += 1) {
    enter(items, index, loop, at);
    if (boolOf((test as Term)(at), loop.position)) made.push((step as Term)(at));
  }
  return new MadeList(made);
}
