import type { ASTNode } from '@marcbachmann/cel-js';
import { compileAccess, compileIndex, compileName } from './compile-access.ts';
import { compileCall, compileReceiverCall } from './compile-call.ts';
import { compileChoice, compileLogic, compileNot, compileOperator } from './compile-operator.ts';
import { inRange } from './conversions.ts';
import { Fault } from './fault.ts';
import { negate } from './operators.ts';
import type { Scope } from './scope.ts';
import type { Term } from './term.ts';
import { MadeList, MadeMap, mapKey, type Value } from './value.ts';

/** A compiled expression. `constant` is its value where it has the same for every call. */
export interface Compiled {
  readonly term: Term;
  readonly constant: Value | undefined;
}

/**
 * Makes closures of a parsed and checked expression. They read the facts in place and count their steps.
 *
 * @throws Fault for what is valid CEL but of no use here, such as bytes, or a fact that the phase lacks.
 */
export function compileTerm(node: ASTNode, scope: Scope): Compiled {
  scope.found.steps += 1;
  const position = node.start;
  switch (node.op) {
    case 'value':
      return compileLiteral(node.args, position);
    case 'id':
      return compileName(node.args, position, scope);
    case '.':
      return compileAccess(node, scope);
    case '[]':
      return compileIndex(node, scope);
    case 'call':
      return compileCall(node, scope);
    case 'rcall':
      return compileReceiverCall(node, scope);
    case 'list':
      return compileList(node.args, scope);
    case 'map':
      return compileMap(node.args, position, scope);
    case '?:':
      return compileChoice(node.args, scope);
    case '||':
    case '&&':
      return compileLogic(node.op, node.args, scope);
    case '!_':
      return compileNot(node.args, scope);
    case '-_':
      return compileNegation(node.args, position, scope);
    case '.?':
    case '[?]':
      throw new Fault('has optional access, which is not supported', position);
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case 'in':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return compileOperator(node.op, node.args, position, scope);
  }
}

export function constant(value: Value): Compiled {
  return { term: () => value, constant: value };
}

function compileLiteral(literal: unknown, position: number): Compiled {
  switch (typeof literal) {
    case 'bigint':
      return constant(inRange(literal, position));
    case 'string':
    case 'number':
    case 'boolean':
      return constant(literal);
    default:
      if (literal === null) return constant(null);
      throw new Fault('has bytes or an unsigned number, which no fact is', position);
  }
}

function compileNegation(operand: ASTNode, position: number, scope: Scope): Compiled {
  const { term, constant: known } = compileTerm(operand, scope);
  if (known !== undefined) return constant(negate(known, position));
  return { term: (at) => negate(term(at), position), constant: undefined };
}

function compileList(nodes: readonly ASTNode[], scope: Scope): Compiled {
  const compiled = nodes.map((node) => compileTerm(node, scope));
  if (compiled.every((item) => item.constant !== undefined)) {
    return constant(new MadeList(compiled.map((item) => item.constant)));
  }
  const terms = compiled.map((item) => item.term);
  return { term: (at) => new MadeList(terms.map((term) => term(at))), constant: undefined };
}

function compileMap(nodes: readonly [ASTNode, ASTNode][], position: number, scope: Scope): Compiled {
  const pairs = nodes.map(([key, value]) => [compileTerm(key, scope).term, compileTerm(value, scope).term] as const);
  const term: Term = (at) => {
    const entries = new Map<Value, Value>();
    for (const [keyTerm, valueTerm] of pairs) {
      const key = keyTerm(at);
      if (typeof key !== 'string' && typeof key !== 'bigint' && typeof key !== 'boolean') {
        throw new Fault('has a map key that is no string, int or bool', position);
      }
      if (entries.has(key)) throw new Fault('has a map key twice', position);
      entries.set(mapKey(key), valueTerm(at));
    }
    return new MadeMap(entries);
  };
  return { term, constant: undefined };
}
