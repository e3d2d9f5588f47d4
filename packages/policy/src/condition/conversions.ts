import { Fault } from './fault.ts';
import { charge, type Evaluation } from './term.ts';
import {
  floorDivide,
  formatDuration,
  formatTimestamp,
  NANOS_PER_SECOND,
  parseDuration,
  parseTimestamp,
  timestampOfNanos,
} from './time.ts';
import { Duration, isList, isMap, keysOf, kindOf, lengthOf, Timestamp, TypeValue, type Value } from './value.ts';

export const INT_MIN = -(2n ** 63n);
export const INT_MAX = 2n ** 63n - 1n;

export type Conversion = (value: Value, at: Evaluation, position: number) => Value;

/** Functions of one argument. Strict: a text that another reader might take otherwise is a fault, never a number. */
export const CONVERSIONS: ReadonlyMap<string, Conversion> = new Map<string, Conversion>([
  ['int', toInt],
  ['double', toDouble],
  ['string', toText],
  ['bool', toBool],
  ['timestamp', toTimestamp],
  ['duration', toDuration],
  ['size', sizeOf],
  ['type', (value) => new TypeValue(kindOf(value))],
  ['dyn', (value) => value],
]);

function toInt(value: Value, _at: Evaluation, position: number): Value {
  switch (typeof value) {
    case 'bigint':
      return value;
    case 'number':
      if (Number.isFinite(value)) return inRange(BigInt(Math.trunc(value)), position);
      break;
    case 'string':
      if (/^[+-]?\d{1,19}$/.test(value)) return inRange(BigInt(value), position);
      throw new Fault('int() of a text that is no whole number', position);
    default:
      if (value instanceof Timestamp) return floorDivide(value.nanos, NANOS_PER_SECOND);
  }
  throw new Fault(`no int() of ${kindOf(value)}`, position);
}

export function inRange(value: bigint, position: number): bigint {
  if (value < INT_MIN || value > INT_MAX) throw new Fault('leaves the range of int', position);
  return value;
}

function toDouble(value: Value, _at: Evaluation, position: number): Value {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string') throw new Fault(`no double() of ${kindOf(value)}`, position);
  const double = /^[+-]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][+-]?\d{1,4})?$/.test(value)
    ? Number(value)
    : Number.NaN;
  if (!Number.isFinite(double)) throw new Fault('double() of a text that is no number', position);
  return double;
}

function toText(value: Value, _at: Evaluation, position: number): Value {
  switch (typeof value) {
    case 'string':
      return value;
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      if (Number.isFinite(value)) return String(value);
      return Number.isNaN(value) ? 'NaN' : `${value > 0 ? '+' : '-'}Inf`;
    default:
      if (value instanceof Timestamp) return formatTimestamp(value);
      if (value instanceof Duration) return formatDuration(value);
      throw new Fault(`no string() of ${kindOf(value)}`, position);
  }
}

function toBool(value: Value, _at: Evaluation, position: number): Value {
  if (typeof value === 'boolean') return value;
  if (typeof value !== 'string') throw new Fault(`no bool() of ${kindOf(value)}`, position);
  if (/^(?:1|t|T|true|TRUE|True)$/.test(value)) return true;
  if (/^(?:0|f|F|false|FALSE|False)$/.test(value)) return false;
  throw new Fault('bool() of a text that is neither true nor false', position);
}

function toTimestamp(value: Value, _at: Evaluation, position: number): Value {
  if (value instanceof Timestamp) return value;
  const timestamp =
    typeof value === 'string'
      ? parseTimestamp(value)
      : typeof value === 'bigint'
        ? timestampOfNanos(value * NANOS_PER_SECOND)
        : undefined;
  if (timestamp === undefined) throw new Fault('timestamp() of what is no time of RFC 3339', position);
  return timestamp;
}

function toDuration(value: Value, _at: Evaluation, position: number): Value {
  if (value instanceof Duration) return value;
  const duration = typeof value === 'string' ? parseDuration(value) : undefined;
  if (duration === undefined) throw new Fault('duration() of what is no duration such as 1h30m', position);
  return duration;
}

function sizeOf(value: Value, at: Evaluation, position: number): Value {
  if (typeof value === 'string') {
    charge(at, value.length >> 4, position);
    return BigInt(codePoints(value));
  }
  if (isList(value)) return BigInt(lengthOf(value));
  if (!isMap(value)) throw new Fault(`no size() of ${kindOf(value)}`, position);
  const keys = keysOf(value).length;
  charge(at, keys, position);
  return BigInt(keys);
}

function codePoints(text: string): number {
  let count = text.length;
  for (let index = 0; index + 1 < text.length; index += 1) {
    if ((text.charCodeAt(index) & 0xfc00) === 0xd800 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) count -= 1;
  }
  return count;
}
