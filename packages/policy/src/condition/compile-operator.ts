import type { ASTNode } from '@marcbachmann/cel-js';
import { checkHeaderName } from './compile-access.ts';
import { type Compiled, compileTerm } from './compile-term.ts';
import { absorbed, Fault, graverFault } from './fault.ts';
import { OPERATORS, type OperatorName } from './operators.ts';
import type { Scope } from './scope.ts';
import { charge, type Evaluation, FAULT_STEPS, type Term } from './term.ts';
import { kindOf, MadeList, type Value } from './value.ts';

type Pair = readonly [ASTNode, ASTNode];

export function compileOperator(name: OperatorName, nodes: Pair, position: number, scope: Scope): Compiled {
  const left = compileTerm(nodes[0], scope);
  const right = compileTerm(nodes[1], scope);
  if (name === 'in') checkHeaderName(nodes[1], left.constant, nodes[0].start, scope);
  return { term: quickTerm(name, left, right) ?? plainTerm(name, left, right, position), constant: undefined };
}

function plainTerm(name: OperatorName, left: Compiled, right: Compiled, position: number): Term {
  const operate = OPERATORS[name];
  const { term: leftTerm } = left;
  if (right.constant !== undefined) {
    const value = right.constant;
    return (at) => operate(leftTerm(at), value, at, position);
  }
  const { term: rightTerm } = right;
  return (at) => operate(leftTerm(at), rightTerm(at), at, position);
}

/** What most conditions consist of: a fact compared with a text, or looked up in a list of texts. */
function quickTerm(name: OperatorName, { term }: Compiled, { constant }: Compiled): Term | undefined {
  if (typeof constant === 'string') {
    if (name === '==') return (at) => term(at) === constant;
    if (name === '!=') return (at) => term(at) !== constant;
  }
  if (name !== 'in' || !(constant instanceof MadeList)) return undefined;
  if (!constant.items.every((item) => typeof item === 'string')) return undefined;
  const texts = new Set<unknown>(constant.items);
  return (at) => texts.has(term(at));
}

/** `&&` and `||` decide by either operand, whatever became of the other. */
export function compileLogic(name: '&&' | '||', nodes: Pair, scope: Scope): Compiled {
  const left = compileTerm(nodes[0], scope).term;
  const right = compileTerm(nodes[1], scope).term;
  const [leftPosition, rightPosition] = [nodes[0].start, nodes[1].start];
  const decisive = name === '||';
  const term: Term = (at) => {
    let first: Value;
    try {
      first = left(at);
    } catch (thrown) {
      return decidedBy(right, decisive, absorbed(thrown), at);
    }
    if (first === decisive) return decisive;
    if (first === !decisive) return boolOf(right(at), rightPosition);
    return decidedBy(right, decisive, new Fault(`has ${kindOf(first)} for a bool`, leftPosition), at);
  };
  return { term, constant: undefined };
}

/** The decisive value if `right` has it; else the fault of the left operand, or the graver one of the right. */
function decidedBy(right: Term, decisive: boolean, fault: Fault, at: Evaluation): boolean {
  charge(at, FAULT_STEPS, fault.position);
  let second: Value;
  try {
    second = right(at);
  } catch (thrown) {
    throw graverFault(fault, absorbed(thrown));
  }
  if (second === decisive) return decisive;
  throw fault;
}

export function boolOf(value: Value, position: number): boolean {
  if (typeof value === 'boolean') return value;
  throw new Fault(`has ${kindOf(value)} for a bool`, position);
}

/** `condition ? yes : no` */
export function compileChoice(nodes: readonly [ASTNode, ASTNode, ASTNode], scope: Scope): Compiled {
  const [condition, yes, no] = nodes.map((node) => compileTerm(node, scope).term) as [Term, Term, Term];
  const position = nodes[0].start;
  return { term: (at) => (boolOf(condition(at), position) ? yes(at) : no(at)), constant: undefined };
}

export function compileNot(node: ASTNode, scope: Scope): Compiled {
  const { term } = compileTerm(node, scope);
  return { term: (at) => !boolOf(term(at), node.start), constant: undefined };
}
