import type { ASTNode } from '@marcbachmann/cel-js';
import { type Compiled, compileTerm, constant } from './compile-term.ts';
import { FACT_FIELDS, type FactField, factOf } from './condition-facts.ts';
import { Fault } from './fault.ts';
import type { Scope } from './scope.ts';
import type { Term } from './term.ts';
import { hasKey, isList, isMap, itemAt, kindOf, lengthOf, TypeValue, type Value, valueUnder } from './value.ts';

type Node<Op extends ASTNode['op']> = Extract<ASTNode, { readonly op: Op }>;

const TYPE_NAMES: ReadonlySet<string> = new Set([
  'int',
  'double',
  'string',
  'bool',
  'list',
  'map',
  'null_type',
  'type',
]);

export function compileName(name: string, position: number, scope: Scope): Compiled {
  const slot = scope.locals.get(name);
  if (slot !== undefined) return { term: ({ locals }) => locals[slot], constant: undefined };
  if (TYPE_NAMES.has(name)) return constant(new TypeValue(name));
  const fields = FACT_FIELDS.get(name);
  if (fields === undefined) throw new Fault(`names ${name}, which conditions do not have`, position);
  throw new Fault(`takes ${name} as a value; name one of its fields: ${[...fields.keys()].join(', ')}`, position);
}

/** `left.name` */
export function compileAccess(node: Node<'.'>, scope: Scope): Compiled {
  const [left, name] = node.args;
  const field = factField(left, name, node.pos, scope);
  if (field !== undefined) return { term: factTerm(field, node.pos), constant: undefined };
  return selection(compileTerm(left, scope).term, name, node.pos);
}

/** `left[key]` */
export function compileIndex(node: Node<'[]'>, scope: Scope): Compiled {
  const [left, right] = node.args;
  const position = right.start;
  if (isRoot(left, scope)) {
    if (right.op !== 'value' || typeof right.args !== 'string') {
      throw new Fault('must name the field itself', position);
    }
    const field = factField(left, right.args, position, scope);
    if (field !== undefined) return { term: factTerm(field, position), constant: undefined };
  }
  const container = compileTerm(left, scope).term;
  const key = compileTerm(right, scope);
  checkHeaderName(left, key.constant, position, scope);
  if (typeof key.constant === 'string') return selection(container, key.constant, position);
  return { term: (at) => elementOf(container(at), key.term(at), position), constant: undefined };
}

/** `has(left.name)`: whether a map has the key, or the call the fact. What is no map has no keys. */
export function compileHas(argument: ASTNode | undefined, position: number, scope: Scope): Compiled {
  if (argument?.op !== '.') throw new Fault('has() takes a field, such as has(request.body.amount)', position);
  const [left, name] = argument.args;
  const field = factField(left, name, argument.pos, scope);
  if (field !== undefined) {
    return { term: ({ facts }) => factOf(facts, field, argument.pos) !== undefined, constant: undefined };
  }
  const container = compileTerm(left, scope).term;
  const term: Term = (at) => {
    const value = container(at);
    return isMap(value) && hasKey(value, name);
  };
  return { term, constant: undefined };
}

/** A name in another case is no key of the headers, so a rule that looks for it would never find it. */
export function checkHeaderName(container: ASTNode, name: Value, position: number, scope: Scope): void {
  if (container.op !== '.' || container.args[1] !== 'headers' || typeof name !== 'string') return;
  const [root] = container.args;
  if (root.op !== 'id' || root.args !== 'request' || scope.locals.has('request')) return;
  if (name !== name.toLowerCase()) throw new Fault(`names the header ${name}; names are lower-case here`, position);
}

function isRoot(node: ASTNode, scope: Scope): boolean {
  return node.op === 'id' && !scope.locals.has(node.args) && FACT_FIELDS.has(node.args);
}

/** The fact that `left.name` is; undefined where `left` is no root of facts. */
function factField(left: ASTNode, name: string, position: number, scope: Scope): FactField | undefined {
  if (left.op !== 'id' || !isRoot(left, scope)) return undefined;
  const root = left.args;
  const fact = `${root}.${name}`;
  const field = FACT_FIELDS.get(root)?.get(name);
  if (field === undefined) {
    const names = [...(FACT_FIELDS.get(root)?.keys() ?? [])].join(', ');
    throw new Fault(`names ${fact}, which conditions do not have; ${root} has ${names}`, position);
  }
  const reason = scope.lacks.get(fact) ?? scope.lacks.get(root);
  if (reason !== undefined) throw new Fault(`names ${fact}, but ${reason}`, position);
  scope.found.facts.add(fact);
  return field;
}

function factTerm(field: FactField, position: number): Term {
  return ({ facts }) => {
    const value = factOf(facts, field, position);
    if (value === undefined) throw new Fault(`the call has no ${field.name}`, position);
    return value;
  };
}

function selection(container: Term, name: string, position: number): Compiled {
  const term: Term = (at) => {
    const map = container(at);
    if (!isMap(map)) throw new Fault(`takes ${name} of ${kindOf(map)}`, position);
    const value = valueUnder(map, name, position);
    if (value === undefined) throw new Fault(`finds no ${name}`, position);
    return value;
  };
  return { term, constant: undefined };
}

function elementOf(container: Value, key: Value, position: number): Value {
  if (isMap(container)) {
    const value = valueUnder(container, key, position);
    if (value === undefined) throw new Fault('finds no such key', position);
    return value;
  }
  if (!isList(container)) throw new Fault(`takes an item of ${kindOf(container)}`, position);
  if (typeof key !== 'bigint' && !(typeof key === 'number' && Number.isInteger(key))) {
    throw new Fault(`takes an item of a list by ${kindOf(key)}`, position);
  }
  const index = Number(key);
  if (index < 0 || index >= lengthOf(container)) throw new Fault('reaches beyond a list', position);
  return itemAt(container, index, position);
}
