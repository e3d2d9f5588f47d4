import type { ASTNode } from '@marcbachmann/cel-js';
import { compileHas } from './compile-access.ts';
import { compileMacro } from './compile-macro.ts';
import { type Compiled, compileTerm } from './compile-term.ts';
import { CONVERSIONS } from './conversions.ts';
import { Fault } from './fault.ts';
import { compilePattern } from './pattern.ts';
import type { Scope } from './scope.ts';
import { charge, type Term } from './term.ts';
import { parseTimeZone } from './time.ts';
import { TIME_GETTERS, timeField } from './time-getters.ts';
import { kindOf } from './value.ts';

type Node<Op extends ASTNode['op']> = Extract<ASTNode, { readonly op: Op }>;

/** `name(…)` */
export function compileCall(node: Node<'call'>, scope: Scope): Compiled {
  const [name, args] = node.args;
  const [first, second] = args;
  if (name === 'has') return compileHas(first, node.start, scope);
  if (name === 'matches' && first !== undefined) return compileMatches(first, second, scope);
  const convert = CONVERSIONS.get(name);
  if (convert === undefined || first === undefined || second !== undefined) throw noFunction(name, node.start);
  const { term } = compileTerm(first, scope);
  const position = node.start;
  return { term: (at) => convert(term(at), at, position), constant: undefined };
}

/** `receiver.name(…)` */
export function compileReceiverCall(node: Node<'rcall'>, scope: Scope): Compiled {
  const macro = compileMacro(node, scope);
  if (macro !== undefined) return macro;
  const [name, receiver, args] = node.args;
  const [first, second] = args;
  if (second !== undefined) throw noFunction(name, node.pos);
  if (name === 'matches') return compileMatches(receiver, first, scope);
  if (TIME_GETTERS.has(name)) return compileTimeField(node, scope);
  const term = compileTerm(receiver, scope).term;
  if (name === 'size' && first === undefined) {
    const sizeOf = CONVERSIONS.get('size');
    if (sizeOf !== undefined) return { term: (at) => sizeOf(term(at), at, node.start), constant: undefined };
  }
  const test = TEXT_TESTS.get(name);
  if (test === undefined || first === undefined) throw noFunction(name, node.pos);
  return { term: textTest(name, test, [term, compileTerm(first, scope).term], node.start), constant: undefined };
}

function noFunction(name: string, position: number): Fault {
  return new Fault(`calls ${name}(), which conditions do not have`, position);
}

interface TextTest {
  readonly run: (text: string, part: string) => boolean;
  /** What it costs by the lengths of text and part. */
  readonly steps: (text: number, part: number) => number;
}

const TEXT_TESTS: ReadonlyMap<string, TextTest> = new Map<string, TextTest>([
  ['startsWith', { run: (text, part) => text.startsWith(part), steps: (_text, part) => part >> 4 }],
  ['endsWith', { run: (text, part) => text.endsWith(part), steps: (_text, part) => part >> 4 }],
  ['contains', { run: (text, part) => text.includes(part), steps: (text, part) => (text >> 4) * (1 + (part >> 5)) }],
]);

function textTest(name: string, test: TextTest, [left, right]: readonly [Term, Term], position: number): Term {
  const { run, steps } = test;
  return (at) => {
    const text = left(at);
    const part = right(at);
    if (typeof text !== 'string' || typeof part !== 'string') {
      throw new Fault(`has no ${name} of ${kindOf(text)} and ${kindOf(part)}`, position);
    }
    if (text.length > 15) charge(at, steps(text.length, part.length), position);
    return run(text, part);
  };
}

/** The pattern must stand in the rule: it is compiled once, and no caller chooses it. */
function compileMatches(receiver: ASTNode, argument: ASTNode | undefined, scope: Scope): Compiled {
  const text = compileTerm(receiver, scope).term;
  if (argument?.op !== 'value' || typeof argument.args !== 'string') {
    throw new Fault('matches() needs its pattern as a literal', argument?.start ?? receiver.end);
  }
  const position = argument.start;
  const pattern = compilePattern(argument.args, position);
  const term: Term = (at) => {
    const value = text(at);
    if (typeof value !== 'string') throw new Fault(`has no matches() of ${kindOf(value)}`, position);
    charge(at, pattern.steps(value.length), position);
    return pattern.test(value);
  };
  return { term, constant: undefined };
}

/** Such as `time.now.getHours('Europe/Berlin')`; the zone must stand in the rule. */
function compileTimeField(node: Node<'rcall'>, scope: Scope): Compiled {
  const [name, receiver, [argument]] = node.args;
  const time = compileTerm(receiver, scope).term;
  const position = node.pos;
  if (argument === undefined) {
    return { term: (at) => timeField(time(at), name, undefined, position), constant: undefined };
  }
  const zone = argument.op === 'value' && typeof argument.args === 'string' ? parseTimeZone(argument.args) : undefined;
  if (zone === undefined) throw new Fault(`${name}() needs a literal time zone such as Europe/Berlin`, argument.start);
  const term: Term = (at) => {
    charge(at, ZONE_STEPS, position);
    return timeField(time(at), name, zone, position);
  };
  return { term, constant: undefined };
}

/** What it costs to look a time zone up. */
const ZONE_STEPS = 50;
