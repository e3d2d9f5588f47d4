import { type Facts, readCall } from '../call.ts';
import { type FactChanges, factsOf } from '../facts.test-support.ts';
import { createEvaluation } from '../judge-rules.ts';
import { compileCondition, evaluateCondition } from './condition.ts';
import { Fault } from './fault.ts';

/** What a condition says: true, false, the fault of evaluating it, or `refused` with the fault of compiling it. */
export type Said =
  | boolean
  | { readonly error: string; readonly at: number }
  | { readonly refused: string; readonly at: number };

export function say(text: string, facts: Facts, lacks: ReadonlyMap<string, string> = new Map()): Said {
  const call = readCall(facts);
  if (typeof call === 'string') throw new TypeError(call);
  try {
    const condition = compileCondition(text, lacks);
    const said = evaluateCondition(condition, createEvaluation(facts, call));
    return said instanceof Fault ? { error: said.message, at: said.position } : said;
  } catch (thrown) {
    if (thrown instanceof Fault) return { refused: thrown.message, at: thrown.position };
    throw thrown;
  }
}

/** Facts of a call with this body, inspected. */
export function withBody(body: unknown, changes: FactChanges = {}): Facts {
  return factsOf({ ...changes, request: { method: 'POST', body, bodyInspected: true, ...changes.request } });
}
