import { inRange } from './conversions.ts';
import { contains, equals } from './equality.ts';
import { Fault } from './fault.ts';
import { charge, type Evaluation } from './term.ts';
import { durationOfNanos, timestampOfNanos } from './time.ts';
import { Duration, hasKey, isList, isMap, itemAt, kindOf, lengthOf, MadeList, Timestamp, type Value } from './value.ts';

/** An operator on two values. Throws `Fault` for kinds it does not take. */
export type Operator = (left: Value, right: Value, at: Evaluation, position: number) => Value;

/** The operators whose operands always have values; `&&`, `||` and `?:` do without some. */
export const OPERATORS = {
  '==': equals,
  '!=': (left, right, at, position) => !equals(left, right, at, position),
  '<': (left, right, at, position) => compare(left, right, at, position) < 0,
  '<=': (left, right, at, position) => compare(left, right, at, position) <= 0,
  '>': (left, right, at, position) => compare(left, right, at, position) > 0,
  '>=': (left, right, at, position) => compare(left, right, at, position) >= 0,
  in: isIn,
  '+': add,
  '-': subtract,
  '*': multiply,
  '/': divide,
  '%': remainder,
} as const satisfies Readonly<Record<string, Operator>>;

export type OperatorName = keyof typeof OPERATORS;

function noOperator(name: string, left: Value, right: Value, position: number): Fault {
  return new Fault(`has no ${kindOf(left)} ${name} ${kindOf(right)}`, position);
}

/** Negative, 0 or positive; NaN, which no comparison holds for, where one side is not a number. */
function compare(left: Value, right: Value, at: Evaluation, position: number): number {
  if (typeof left === 'bigint' || typeof left === 'number') {
    if (typeof right === 'bigint' || typeof right === 'number') {
      // JavaScript compares a bigint and a number exactly.
      return left < right ? -1 : left > right ? 1 : left >= right ? 0 : Number.NaN;
    }
  } else if (typeof left === 'string' && typeof right === 'string') {
    return compareTexts(left, right, at, position);
  } else if (typeof left === 'boolean' && typeof right === 'boolean') {
    return Number(left) - Number(right);
  } else if (
    (left instanceof Timestamp && right instanceof Timestamp) ||
    (left instanceof Duration && right instanceof Duration)
  ) {
    return left.nanos < right.nanos ? -1 : left.nanos > right.nanos ? 1 : 0;
  }
  throw noOperator('<', left, right, position);
}

/** By code points, as the language has it; JavaScript compares code units, which puts U+1F600 before U+FF5E. */
function compareTexts(left: string, right: string, at: Evaluation, position: number): number {
  const length = Math.min(left.length, right.length);
  charge(at, length >> 2, position);
  for (let index = 0; index < length; index += 1) {
    const difference = orderOf(left.charCodeAt(index)) - orderOf(right.charCodeAt(index));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

/** Surrogates stand for code points above all others. */
function orderOf(codeUnit: number): number {
  return (codeUnit & 0xf800) === 0xd800 ? codeUnit + 0x10000 : codeUnit;
}

function isIn(value: Value, container: Value, at: Evaluation, position: number): boolean {
  if (isList(container)) return contains(container, value, at, position);
  if (isMap(container) && typeof value !== 'object') return hasKey(container, value);
  throw noOperator('in', value, container, position);
}

function add(left: Value, right: Value, at: Evaluation, position: number): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(left + right, position);
  if (typeof left === 'number' && typeof right === 'number') return left + right;
  if (typeof left === 'string' && typeof right === 'string') {
    charge(at, (left.length + right.length) >> 4, position);
    return left + right;
  }
  if (isList(left) && isList(right)) return joined(left, right, at, position);
  if (left instanceof Timestamp && right instanceof Duration) return timestampAt(left.nanos + right.nanos, position);
  if (left instanceof Duration && right instanceof Timestamp) return timestampAt(left.nanos + right.nanos, position);
  if (left instanceof Duration && right instanceof Duration) return durationAt(left.nanos + right.nanos, position);
  throw noOperator('+', left, right, position);
}

function joined(
  left: MadeList | readonly unknown[],
  right: MadeList | readonly unknown[],
  at: Evaluation,
  position: number,
): MadeList {
  charge(at, lengthOf(left) + lengthOf(right), position);
  const items: Value[] = [];
  for (const list of [left, right]) {
    for (let index = 0; index < lengthOf(list); index += 1) items.push(itemAt(list, index, position));
  }
  return new MadeList(items);
}

function subtract(left: Value, right: Value, _at: Evaluation, position: number): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(left - right, position);
  if (typeof left === 'number' && typeof right === 'number') return left - right;
  if (left instanceof Timestamp && right instanceof Timestamp) return durationAt(left.nanos - right.nanos, position);
  if (left instanceof Timestamp && right instanceof Duration) return timestampAt(left.nanos - right.nanos, position);
  if (left instanceof Duration && right instanceof Duration) return durationAt(left.nanos - right.nanos, position);
  throw noOperator('-', left, right, position);
}

function multiply(left: Value, right: Value, _at: Evaluation, position: number): Value {
  if (typeof left === 'bigint' && typeof right === 'bigint') return inRange(left * right, position);
  if (typeof left === 'number' && typeof right === 'number') return left * right;
  throw noOperator('*', left, right, position);
}

function divide(left: Value, right: Value, _at: Evaluation, position: number): Value {
  if (typeof left === 'number' && typeof right === 'number') return left / right;
  if (typeof left !== 'bigint' || typeof right !== 'bigint') throw noOperator('/', left, right, position);
  if (right === 0n) throw new Fault('divides by zero', position);
  return inRange(left / right, position);
}

function remainder(left: Value, right: Value, _at: Evaluation, position: number): Value {
  if (typeof left !== 'bigint' || typeof right !== 'bigint') throw noOperator('%', left, right, position);
  if (right === 0n) throw new Fault('divides by zero', position);
  return left % right;
}

/** `-value` */
export function negate(value: Value, position: number): Value {
  if (typeof value === 'bigint') return inRange(-value, position);
  if (typeof value === 'number') return -value;
  throw new Fault(`has no -${kindOf(value)}`, position);
}

function timestampAt(nanos: bigint, position: number): Timestamp {
  const timestamp = timestampOfNanos(nanos);
  if (timestamp === undefined) throw new Fault('leaves the years 0001 to 9999', position);
  return timestamp;
}

function durationAt(nanos: bigint, position: number): Duration {
  const duration = durationOfNanos(nanos);
  if (duration === undefined) throw new Fault('leaves the range of durations', position);
  return duration;
}
